"""Converts submissions, plans and saved circuits."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from quantcloud.aio.cooperative import Yielder
from quantcloud.api.convert.options import run_options, take_json_options
from quantcloud.api.convert.sweeps import sweep_wanted
from quantcloud.api.convert.values import envelope, given, message_of, unstruct
from quantcloud.api.large import with_field
from quantcloud.circuits.analysis import Analysis
from quantcloud.circuits.states import state_bytes
from quantcloud.domain.circuit import SavedCircuit
from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.job import Job, OptimizationTarget
from quantcloud.domain.page import Page
from quantcloud.drawing import Drawing
from quantcloud.routing.router import Candidate
from quantcloud.services.circuits import Batch, Plan
from quantcloud.services.submission import Submission
from quantcloud.storage import CircuitPatch
from thequantcloud.v1 import circuit_pb2, job_pb2

_TARGETS: Final[Mapping[int, OptimizationTarget | None]] = {
    job_pb2.Optimization.unspecified: None,
    **{job_pb2.Optimization.Target.Value(target): target for target in OptimizationTarget},
}

_SECONDS_PER_MINUTE = 60


async def submission(request: circuit_pb2.RunCircuitRequest) -> Submission:
    """What a run or plan request asks for. Raises `InvalidArgument`."""
    if request.optimize_for not in _TARGETS:
        known = ", ".join(OptimizationTarget)
        raise InvalidArgument("optimize_for", f"must be one of {known}")
    return Submission(
        qasm=request.qasm,
        circuit_qasm=request.circuit_qasm,
        code=request.code,
        shots=given(request, "shots"),
        backend=request.backend or None,
        optimize_for=_TARGETS[request.optimize_for],
        max_cost_usd=given(request, "max_cost_usd"),
        min_fidelity=given(request, "min_fidelity"),
        options=run_options(request),
        sweep=await sweep_wanted(request),
        name=given(request, "name"),
        # A tag that is there twice counts once.
        tags=tuple(dict.fromkeys(request.tags)),
    )


async def take_options(requests: Sequence[circuit_pb2.RunCircuitRequest]) -> None:
    """Move JSON options of several runs to the field of gRPC options.

    Raises `InvalidArgument` with the index of the circuit.
    """
    yielder = Yielder()
    for place, each in enumerate(requests):
        with _at(place):
            take_json_options(each)
        await yielder.yield_if_due()


async def submissions(request: circuit_pb2.RunCircuitsRequest) -> list[Submission]:
    """Return the submissions of a batch. Raises `InvalidArgument` with the circuit's index."""
    found: list[Submission] = []
    for place, each in enumerate(request.circuits):
        with _at(place):
            found.append(await submission(each))
    return found


@contextmanager
def _at(place: int) -> Generator[None]:
    """Add the index of the circuit to an `InvalidArgument`."""
    try:
        yield
    except InvalidArgument as error:
        error.locate(f"circuits[{place}]")
        raise


def batch(batch: Batch) -> circuit_pb2.RunCircuitsResponse:
    return circuit_pb2.RunCircuitsResponse(
        batch_id=batch.id,
        jobs=[submitted(job) for job in batch.jobs],
        count=len(batch.jobs),
        cursor=batch.cursor,
    )


def submitted(job: Job) -> circuit_pb2.RunCircuitResponse:
    return message_of(circuit_pb2.RunCircuitResponse, job, job_id=job.id)


def plan(plan: Plan) -> circuit_pb2.PlanCircuitResponse:
    decision = plan.admitted.decision
    chosen = decision.chosen
    method = chosen.method if chosen else None
    if chosen is None or method is None:
        raise AssertionError("an admitted submission has a backend")
    return circuit_pb2.PlanCircuitResponse(
        backend=chosen.backend,
        method=method.name,
        reason=decision.reason,
        candidates=[_candidate(candidate) for candidate in decision.candidates],
        analysis=_analysis(plan.admitted.analysis),
        shots=plan.admitted.job.shots,
        optimize_for=plan.admitted.job.optimize_for,
        predicted_seconds=method.seconds,
        predicted_memory_bytes=method.memory_bytes,
        cost_usd=chosen.cost_usd,
        queue_position=plan.queue_position,
        predicted_wait_seconds=chosen.wait_seconds,
        time_limit_seconds=plan.admitted.time_limit,
        predicted_fidelity=method.fidelity,
        quota=_quota(plan),
        predicted_threads=method.threads,
    )


def drawing(analysis: Analysis, drawing: Drawing) -> circuit_pb2.DrawCircuitResponse:
    return message_of(circuit_pb2.DrawCircuitResponse, drawing, analysis=_analysis(analysis))


def _quota(plan: Plan) -> circuit_pb2.QuotaUse:
    job, left = plan.admitted.job, plan.left
    seconds = 0.0 if job.reserved_qpu_tasks else job.predicted_seconds or 0.0
    return circuit_pb2.QuotaUse(
        simulator_minutes=seconds / _SECONDS_PER_MINUTE,
        simulator_minutes_left=left.simulator_minutes,
        qpu_tasks=job.reserved_qpu_tasks,
        qpu_tasks_left=left.qpu_tasks,
        credits_usd=job.reserved_cost_usd,
        credits_usd_left=left.credits_usd,
        waiting_jobs_left=plan.waiting_left,
    )


def _analysis(analysis: Analysis) -> circuit_pb2.CircuitAnalysis:
    graph = None
    if analysis.interaction_pairs is not None:
        graph = circuit_pb2.InteractionGraph(
            pairs=analysis.interaction_pairs,
            degree=analysis.interaction_degree,
            reach=analysis.interaction_reach,
            entanglement_bits=analysis.entanglement_bits,
        )
    return message_of(
        circuit_pb2.CircuitAnalysis,
        analysis,
        interaction=graph,
        state_bytes=state_bytes(analysis),
    )


def _candidate(candidate: Candidate) -> circuit_pb2.Candidate:
    method = candidate.method
    scores = candidate.scores
    if method is None or scores is None:
        return circuit_pb2.Candidate(backend=candidate.backend, rejection=candidate.rejection)
    return circuit_pb2.Candidate(
        backend=candidate.backend,
        method=method.name,
        score=candidate.score,
        predicted_seconds=method.seconds,
        predicted_memory_bytes=method.memory_bytes,
        cost_usd=candidate.cost_usd,
        scores=circuit_pb2.CandidateScores(**scores._asdict()),
        predicted_wait_seconds=candidate.wait_seconds,
        predicted_fidelity=method.fidelity,
        predicted_threads=method.threads,
    )


def circuit(circuit: SavedCircuit) -> circuit_pb2.Circuit:
    return message_of(circuit_pb2.Circuit, circuit, user_id=circuit.account_id)


async def circuits(
    page: Page[SavedCircuit], next_page_token: str | None
) -> circuit_pb2.ListCircuitsResponse:
    """Return a page of circuits.

    With much metadata this takes most of a second, so it yields to other tasks.
    """
    head = circuit_pb2.ListCircuitsResponse(
        next_page_token=next_page_token, circuits=(), **envelope(page)
    )
    yielder = Yielder()
    messages: list[circuit_pb2.Circuit] = []
    for each in page.items:
        # A single circuit can take 10 ms.
        await yielder.yield_if_due()
        messages.append(circuit(each))
    return await with_field(head, "circuits", messages)


def patch(request: circuit_pb2.UpdateCircuitRequest) -> CircuitPatch:
    """Return the fields that an update changes."""
    return CircuitPatch(
        name=given(request, "name"),
        code=given(request, "code"),
        qasm=given(request, "qasm"),
        num_qubits=given(request, "num_qubits"),
        metadata=unstruct(request.metadata, "metadata") if request.HasField("metadata") else None,
    )
