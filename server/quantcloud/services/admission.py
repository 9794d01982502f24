"""The checks before a submission becomes a job. Plans and runs share them."""

import secrets
from collections.abc import Callable
from dataclasses import field, replace
from datetime import datetime

from quantcloud.aio import offload
from quantcloud.auth.principal import Principal
from quantcloud.backends.fleet import Fleet, QueueFigures
from quantcloud.backends.result_sizes import check_result_size
from quantcloud.backends.runs import progress_of
from quantcloud.circuits import Circuit
from quantcloud.circuits.analysis import Analysis
from quantcloud.domain.account import MonthlyUsage, Tier, TierLimits
from quantcloud.domain.errors import FailedPrecondition, InvalidArgument, QuotaExceeded
from quantcloud.domain.execution import RunOptions
from quantcloud.domain.identifiers import time_ordered_id
from quantcloud.domain.job import Change, Job, JobStatus, OptimizationTarget
from quantcloud.domain.quota import check_month, month_left
from quantcloud.domain.sweep import Sweep
from quantcloud.domain.value_object import value_object
from quantcloud.engine.base import WorkerEngine
from quantcloud.quantsdk import Program
from quantcloud.routing.explanation import explain
from quantcloud.routing.method import Method
from quantcloud.routing.readable import duration
from quantcloud.routing.router import MAX_OVERRUN, Decision
from quantcloud.services.queues import FIGURES_SECONDS, Recent
from quantcloud.services.submission import Submission, blaming_code, program_metadata, with_program
from quantcloud.services.sweeps import (
    can_be_sampled,
    check_sweep_size,
    routing_cost,
    shots_of,
    sweep_asked_for,
)
from quantcloud.storage import NewJob, Store
from quantcloud.telemetry import tracing

DEFAULT_SHOTS = 1024
MAXIMUM_CODE_BYTES = 256 * 1024
# The bits of a seed: fewer than 16 digits, which REST's JSON shows without an exponent.
SEED_BITS = 49
STATEVECTOR_QUBITS = 16


@value_object
class Admitted(NewJob):
    """A submission that may run: its job, with the changes up to the queue of its backend.

    `circuit` is set if the text was short enough to be parsed on the event loop. `time_limit` is
    the number of seconds after which the run is stopped. `used` is what the account used this
    month, or None if that was not read.
    """

    decision: Decision = field(kw_only=True)
    time_limit: float = field(kw_only=True)
    circuit: Circuit | None = None
    used: MonthlyUsage | None = None


class Admission:
    """Checks submissions against the contract, the tier and the backends.

    `idle_threads` returns how many threads a run that starts now may have.
    """

    def __init__(
        self,
        store: Store,
        engine: WorkerEngine,
        fleet: Fleet,
        clock: Callable[[], datetime],
        limits: Callable[[Tier], TierLimits],
        *,
        idle_threads: Callable[[], int],
    ) -> None:
        self._store = store
        self._engine = engine
        self._fleet = fleet
        self._clock = clock
        self._limits = limits
        self._idle_threads = idle_threads
        self._queues = Recent(lambda: QueueFigures.read(store.jobs), FIGURES_SECONDS)

    async def admit(
        self,
        principal: Principal,
        submission: Submission,
        *,
        batch_id: str | None = None,
        check_month_later: bool = False,
    ) -> Admitted:
        """Check a submission, which may be part of a batch, and route it.

        With `check_month_later` the caller must check the month's limits in the transaction that
        stores the job. Raises `CircuitError`, `QuotaExceeded`, `FailedPrecondition`, or
        `InvalidArgument`, also if the run is predicted to take `MAX_OVERRUN` times its time limit.
        """
        arrived = self._clock()
        program = await self._program(principal, submission)
        with blaming_code(submission, program):
            submission = with_program(submission, program)
            qasm = circuit_text(submission)
            self._check_backend(submission.backend)
        limits = self._limits(principal.account.tier)
        _check_limit(principal, "max_shots", limits.max_shots, submission.shots or 0)
        analyzing = self._clock()
        analysis, circuit = await self._engine.examine(qasm, principal.account_id)
        _check_limit(principal, "max_qubits", limits.max_qubits, analysis.num_qubits)
        _check_options(submission.options, analysis)
        sweep = await sweep_asked_for(submission, analysis)
        shots = DEFAULT_SHOTS if submission.shots is None else submission.shots
        if sweep is not None:
            _check_limit(principal, "max_points", limits.max_points, sweep.points)
            shots = await offload.run(routing_cost(sweep), shots_of, sweep, shots)
            check_sweep_size(sweep, analysis, shots)
        _check_limit(principal, "max_shots", limits.max_shots, shots)
        check_result_size(analysis, shots, submission.options)
        routing = self._clock()
        time_limit = limits.run_seconds(submission.options.timeout_seconds)
        seed = submission.options.seed
        job = Job(
            id=time_ordered_id(arrived),
            account_id=principal.account_id,
            status=JobStatus.SUBMITTED,
            shots=shots,
            optimize_for=submission.optimize_for or OptimizationTarget.BALANCED,
            submitted_at=arrived,
            changed_at=arrived,
            seed=secrets.randbits(SEED_BITS) if seed is None else seed,
            requested_backend=submission.backend,
            max_cost_usd=submission.max_cost_usd,
            min_fidelity=submission.min_fidelity,
            options=submission.options if seed is None else replace(submission.options, seed=None),
            name=submission.name,
            tags=submission.tags,
            batch_id=batch_id,
            points=None if sweep is None else sweep.points,
        )
        used = None
        if self._fleet.has_metered or not check_month_later:
            used = await self._store.accounts.usage(principal.account_id, routing.date())
        figures = await self._queues.get()

        def decide(job: Job, sweep: Sweep | None) -> Decision:
            return self._fleet.decide(
                job,
                analysis,
                figures,
                time_limit=time_limit,
                left=used and month_left(limits.monthly, used),
                inline=circuit is not None and limits.max_concurrent_jobs > 0,
                sweep=sweep,
                threads=self._idle_threads(),
            )

        decision = await offload.run(routing_cost(sweep), decide, job, sweep)
        if decision.chosen is None and sweep is not None and sweep.exact and can_be_sampled(sweep):
            sampled = replace(sweep, exact=False), replace(job, shots=DEFAULT_SHOTS)
            other = await offload.run(routing_cost(sampled[0]), decide, *reversed(sampled))
            if other.chosen is not None:
                decision, (sweep, job) = other, sampled
        chosen, method = decision.chosen, decision.chosen and decision.chosen.method
        if chosen is None or method is None:
            raise self._refusal(submission.backend, decision)
        _check_overrun(submission.options, chosen.backend, method, time_limit)
        info = self._fleet.info(chosen.backend)
        tasks = 0 if info is None or info.is_simulator else 1
        if used is not None:
            check_month(
                principal.account_id,
                limits.monthly,
                used,
                routing,
                qpu_tasks=tasks,
                cost_usd=chosen.cost_usd,
            )
        job = replace(
            job,
            reserved_qpu_tasks=tasks,
            reserved_cost_usd=chosen.cost_usd,
            predicted_seconds=method.seconds,
        )
        changes = (
            Change(JobStatus.ANALYZING, analyzing),
            Change(JobStatus.ROUTING, routing),
            Change(
                JobStatus.QUEUED,
                self._clock(),
                backend=chosen.backend,
                method=method.name,
                metadata={
                    "routing": explain(decision),
                    **program_metadata(program),
                    **({} if sweep is None else progress_of(sweep.points, 0)),
                },
            ),
        )
        if tracing.is_on:
            changes = (*changes[:-1], tracing.carrying(changes[-1]))
        return Admitted(
            job,
            qasm,
            analysis,
            changes,
            method=self._fleet.uncorrected(chosen.backend, method),
            sweep=sweep,
            decision=decision,
            time_limit=time_limit,
            circuit=circuit,
            used=used,
        )

    async def _program(self, principal: Principal, submission: Submission) -> Program | None:
        """What `code` comes to, where the circuit is sent as nothing else."""
        if (
            not submission.code.strip()
            or submission.qasm.strip()
            or submission.circuit_qasm.strip()
        ):
            return None
        check_size("code", submission.code, MAXIMUM_CODE_BYTES)
        return await self._engine.read_program(submission.code, principal.account_id)

    def _check_backend(self, backend: str | None) -> None:
        if backend is not None and self._fleet.info(backend) is None:
            names = ", ".join(info.name for info in self._fleet.infos)
            raise InvalidArgument(
                "backend", f"{backend!r} is unknown; known are {names}", reason="UNKNOWN_BACKEND"
            )

    def _refusal(
        self, backend: str | None, decision: Decision
    ) -> InvalidArgument | FailedPrecondition:
        rejections = {c.backend: c.rejection or "" for c in decision.candidates}
        if backend is None:
            listed = "; ".join(f"{name}: {why}" for name, why in rejections.items())
            return InvalidArgument(
                "qasm", f"no backend can run this circuit ({listed})", reason="NO_BACKEND_FITS"
            )
        if (offline := self._fleet.offline_reason(backend)) is not None:
            return FailedPrecondition(
                f"backend: {backend} is offline: {offline}", reason="BACKEND_OFFLINE"
            )
        return InvalidArgument("backend", rejections[backend], reason="BACKEND_CANNOT_RUN")


def circuit_text(submission: Submission) -> str:
    """Return the circuit's text from `qasm` or `circuit_qasm`. Raises `InvalidArgument`."""
    qasm, other = submission.qasm, submission.circuit_qasm
    if qasm and other and qasm != other:
        raise InvalidArgument(
            "circuit_qasm", "is another name for 'qasm'; the two differ, send one of them"
        )
    text = qasm or other
    if not text.strip():
        raise InvalidArgument("qasm", "is empty; send OpenQASM, or a program in 'code'")
    return text


def check_size(field: str, text: str, most: int) -> None:
    """Raise `InvalidArgument` where the text of a field is too long."""
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > most:
        raise InvalidArgument(field, f"is {size} bytes long; at most {most} are accepted")


def _check_options(options: RunOptions, analysis: Analysis) -> None:
    if options.noise is not None:
        for qubit, _ in options.noise.qubits:
            if qubit >= analysis.num_qubits:
                raise InvalidArgument(
                    f"options.noise.qubits.{qubit}",
                    f"is no qubit of the circuit, which has {analysis.num_qubits}",
                )
    if not options.statevector:
        return
    if analysis.has_mid_circuit:
        raise InvalidArgument(
            "options.statevector",
            "is not available for a circuit with mid-circuit measurement, reset or conditions",
        )
    if analysis.num_qubits > STATEVECTOR_QUBITS:
        raise InvalidArgument(
            "options.statevector",
            f"is returned for up to {STATEVECTOR_QUBITS} qubits, "
            f"the circuit has {analysis.num_qubits}",
        )


def _check_overrun(options: RunOptions, backend: str, method: Method, time_limit: float) -> None:
    """Refuse a run that would be stopped long before its end.

    The router chooses such a run only if no other backend has a shorter one.
    """
    if options.timeout_seconds is not None or method.seconds <= MAX_OVERRUN * time_limit:
        return
    raise InvalidArgument(
        "qasm",
        f"is predicted to take {duration(method.seconds)} on {backend} ({method.name}), more than "
        f"{MAX_OVERRUN} times the {duration(time_limit)} after which a run is stopped; send fewer "
        "shots, qubits, gates or mid-circuit measurements, or set options.timeout_seconds to run "
        "it until that time",
        reason="RUN_TOO_LONG",
        metadata={
            "backend": backend,
            "method": method.name,
            "predicted_seconds": f"{method.seconds:.6g}",
            "time_limit_seconds": f"{time_limit:.6g}",
        },
    )


def _check_limit(principal: Principal, limit: str, allowed: int, wanted: int) -> None:
    """Raise `QuotaExceeded` if a request exceeds a limit of its tier."""
    if wanted <= allowed:
        return
    raise QuotaExceeded(
        limit,
        f"{limit.removeprefix('max_')}: {wanted} requested, "
        f"the {principal.account.tier} tier allows {allowed}",
        subject=principal.account_id,
        maximum=allowed,
        requested=wanted,
    )
