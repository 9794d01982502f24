"""Sweeps, expectation values and gradients through the service, compared with loops at home."""

import itertools
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import grpc.aio

from benchmarks.bare import Contestant
from benchmarks.figures import Finding, Target, percentile, ratio, spread
from benchmarks.programs.sweeps import Load
from benchmarks.rounds import interleaved
from benchmarks.service import TIMEOUT_SECONDS, Client, serving
from benchmarks.suite.outcomes import longest_gap
from benchmarks.workloads import SHOTS
from thequantcloud.v1 import circuit_pb2, job_pb2, sweep_pb2

COUNTS = Load(8, 4, "y", points=1000)
# So many of the points as single requests.
SINGLE = 200
STEPS = 40
BLOCKING = Load(2, 5, "y", points=10_000)
IN_FLIGHT = 64
_seeds = itertools.count()


def parameters(load: Load) -> Mapping[str, sweep_pb2.ParameterValues]:
    """Return new values of all points."""
    rows = load.values(next(_seeds))
    return {"w": sweep_pb2.ParameterValues(values=itertools.chain.from_iterable(rows))}


def observables(load: Load) -> Sequence[sweep_pb2.Observable]:
    terms: list[sweep_pb2.Term] = []
    for coefficient, factors in load.paulis():
        letters = dict(factors)
        word = "".join(letters.get(qubit, "I") for qubit in reversed(range(load.num_qubits)))
        terms.append(sweep_pb2.Term(pauli=word, coefficient=coefficient))
    return [sweep_pb2.Observable(terms=terms)]


async def run(rounds: int) -> list[Finding]:
    with tempfile.TemporaryDirectory(prefix="quantcloud-bench-") as folder:
        gaps = Path(folder) / "gaps"
        program = ("benchmarks.programs.watchdog", str(gaps))
        async with serving("--no-envoy", program=program) as client:
            return [
                *await _points(client, rounds),
                *await _values(client, rounds),
                *await _steps(client, rounds),
                await _blocked(client, gaps, rounds),
            ]


async def _points(client: Client, rounds: int) -> list[Finding]:
    circuit, points = COUNTS.qasm(), COUNTS.points
    async with Contestant("aer_binds", confined=True, load=COUNTS, shots=SHOTS) as aer:

        async def sweep() -> float:
            values = parameters(COUNTS)
            began = time.perf_counter()
            result = await _result(client, circuit, parameters=values, shots=SHOTS)
            done = len(result.sweep.points)
            while done < points:
                request = job_pb2.GetJobResultRequest(id=result.job_id, point_offset=done)
                page = await client.jobs.GetJobResult(request, metadata=client.metadata)
                done += len(page.sweep.points)
            return points / (time.perf_counter() - began)

        async def bare() -> float:
            return points / await aer.seconds(1)

        async def single() -> float:
            texts = [COUNTS.qasm(row) for row in COUNTS.values(next(_seeds))[:SINGLE]]
            began = time.perf_counter()
            await _stream(client, [circuit_pb2.RunCircuitRequest(qasm=q) for q in texts], IN_FLIGHT)
            return SINGLE / (time.perf_counter() - began)

        rates = await interleaved({"ours": sweep, "bare": bare, "single": single}, rounds)
    what = f"{points} points of 8 qubits, 4 layers of ry and cx, {SHOTS} shots each"
    return [
        ratio(
            "sweeps counts",
            f"{what}: points a second of one job, to its whole result / of Aer's parameter_binds",
            ours=rates["ours"], bare=rates["bare"], unit="/s", target=Target(">=", 4),
        ),
        ratio(
            "sweeps single",
            f"{what}: points a second of one job / of one request each on one RunStream",
            ours=rates["ours"], bare=rates["single"], unit="/s", target=Target(">=", 10),
        ),
    ]  # fmt: skip


async def _values(client: Client, rounds: int) -> list[Finding]:
    """Compare one job with one run of a QNode."""
    found: list[Finding] = []
    for name, load, gradient, bound, what in (
        ("value", Load(12, 20, "y", terms=100), False, 0.25, "100 terms, 12 qubits, 20 layers"),
        ("gradient", Load(10, 6, "y", terms=10), True, 0.8,
         "10 terms and gradient of 60 parameters, 10 qubits"),
    ):  # fmt: skip
        jobs = partial(_jobs, client, load, gradient=gradient)
        times = await _against_qnode(jobs, load, rounds, gradient=gradient)
        found.append(
            ratio(
                f"sweeps {name}",
                f"exact value of {what}, p50: one job to its result / a QNode on lightning.qubit",
                ours=times["ours"], bare=times["bare"], unit="ms", target=Target("<=", bound),
            )
        )  # fmt: skip
    return found


async def _steps(client: Client, rounds: int) -> list[Finding]:
    load = Load(4, 8, "y", terms=15)

    async def steps() -> Sequence[float]:
        requests = [
            circuit_pb2.RunCircuitRequest(
                qasm=load.qasm(), parameters=parameters(load), observables=observables(load),
                gradient=True,
            )
            for _ in range(STEPS)
        ]  # fmt: skip
        return await _stream(client, requests, 1)

    times = await _against_qnode(steps, load, rounds, gradient=True)
    return [
        ratio(
            "sweeps step",
            "a step of VQE, 4 qubits, 32 parameters, 15 terms, value and gradient, p50: on one "
            "RunStream / a QNode with the adjoint method",
            ours=times["ours"], bare=times["bare"], unit="ms", target=Target("<=", 1),
        )
    ]  # fmt: skip


async def _against_qnode(
    ours: Callable[[], Awaitable[Sequence[float]]], load: Load, rounds: int, *, gradient: bool
) -> Mapping[str, Sequence[float]]:
    async with Contestant("qnode", confined=True, load=load, gradient=gradient) as node:

        async def service() -> float:
            return percentile(await ours(), 50) * 1e3

        async def bare() -> float:
            return percentile(await node.durations(STEPS), 50) * 1e3

        return await interleaved({"ours": service, "bare": bare}, rounds)


async def _jobs(client: Client, load: Load, *, gradient: bool) -> Sequence[float]:
    seconds: list[float] = []
    for _ in range(STEPS):
        fields = {"parameters": parameters(load), "observables": observables(load)}
        began = time.perf_counter()
        await _result(client, load.qasm(), gradient=gradient, **fields)
        seconds.append(time.perf_counter() - began)
    return seconds


async def _blocked(client: Client, gaps: Path, rounds: int) -> Finding:
    longest: list[float] = []
    for _ in range(rounds):
        values = parameters(BLOCKING)
        began = time.monotonic()
        await _result(client, BLOCKING.qasm(), parameters=values, shots=1)
        longest.append(longest_gap(gaps, began))
    return Finding(
        "sweeps blocked",
        "a request with 100,000 values: for how long at a time the server's event loop did "
        "nothing else, at most",
        spread([max(longest)], "ms"),
        Target("<=", 20),
    )


async def _result(client: Client, qasm: str, **fields: Any) -> job_pb2.JobResult:
    request = circuit_pb2.RunCircuitRequest(qasm=qasm, **fields)
    call = client.circuits.RunAndWatch(request, metadata=client.metadata, timeout=TIMEOUT_SECONDS)
    async for event in call:
        if event.HasField("result"):
            return event.result
        last = event
    raise AssertionError(last.job.error_message)


async def _stream(
    client: Client, circuits: Sequence[circuit_pb2.RunCircuitRequest], in_flight: int
) -> list[float]:
    """Run circuits on one stream; return the seconds from each request to its result."""
    call = client.circuits.RunStream(metadata=client.metadata, timeout=TIMEOUT_SECONDS)
    sent: list[float] = []
    seconds: list[float] = []

    async def send() -> None:
        await call.write(circuit_pb2.RunStreamRequest(circuit=circuits[len(sent)]))
        sent.append(time.perf_counter())

    for _ in range(min(in_flight, len(circuits))):
        await send()
    while len(seconds) < len(circuits):
        response = await call.read()
        if response is grpc.aio.EOF:
            raise AssertionError("the stream ended early")
        for answer in response.answers:
            if answer.HasField("error"):
                raise AssertionError(answer.error.message)
            if answer.event.HasField("result"):
                seconds.append(time.perf_counter() - sent[answer.request - 1])
                if len(sent) < len(circuits):
                    await send()
    await call.done_writing()
    return seconds
