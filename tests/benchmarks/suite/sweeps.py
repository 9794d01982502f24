"""Sweeps, expectation values and gradients through the service, compared with loops at home."""

import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc.aio

from benchmarks.bare import Contestant
from benchmarks.figures import Finding, Target, percentile, ratio, spread
from benchmarks.rounds import interleaved
from benchmarks.service import TIMEOUT_SECONDS, Client, serving
from benchmarks.suite.outcomes import longest_gap
from thequantcloud.v1 import circuit_pb2, job_pb2, sweep_pb2

POINTS, QUBITS, LAYERS, SHOTS = 1000, 8, 4, 1024
# So many of the points as single requests.
SINGLE = 200
STEPS = 40
VALUES = 100_000
IN_FLIGHT = 64


def layered(num_qubits: int, layers: int, weights: Sequence[float] | None = None) -> str:
    """Return layers of ry and a chain of cx, with inputs or with numbers."""
    lines = ['OPENQASM 3.0;\ninclude "stdgates.inc";']
    if weights is None:
        lines.append(f"input array[float[64], {num_qubits * layers}] w;")
    lines.append(f"qubit[{num_qubits}] q;")
    for layer in range(layers):
        for qubit in range(num_qubits):
            place = layer * num_qubits + qubit
            angle = f"w[{place}]" if weights is None else repr(weights[place])
            lines.append(f"ry({angle}) q[{qubit}];")
        lines += [f"cx q[{qubit}], q[{qubit + 1}];" for qubit in range(num_qubits - 1)]
    return "\n".join(lines)


def words(number: int, num_qubits: int) -> list[str]:
    """Return random Pauli words."""
    chosen = random.Random(1)
    return ["".join(chosen.choices("IXYZ", k=num_qubits)) for _ in range(number)]


def numbers(count: int) -> Mapping[str, sweep_pb2.ParameterValues]:
    return {"w": sweep_pb2.ParameterValues(values=[random.uniform(0, 6) for _ in range(count)])}


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
    circuit = layered(QUBITS, LAYERS)
    arguments = {"num_qubits": QUBITS, "layers": LAYERS, "points": POINTS, "shots": SHOTS}
    async with Contestant("aer_sweep", confined=True, **arguments) as aer:

        async def sweep() -> float:
            values = numbers(POINTS * QUBITS * LAYERS)
            began = time.perf_counter()
            result = await _result(client, circuit, parameters=values, shots=SHOTS)
            done = len(result.sweep.points)
            while done < POINTS:
                request = job_pb2.GetJobResultRequest(id=result.job_id, point_offset=done)
                page = await client.jobs.GetJobResult(request, metadata=client.metadata)
                done += len(page.sweep.points)
            return POINTS / (time.perf_counter() - began)

        async def bare() -> float:
            return POINTS / await aer.seconds(1)

        async def single() -> float:
            texts = [
                layered(QUBITS, LAYERS, [random.uniform(0, 6) for _ in range(QUBITS * LAYERS)])
                for _ in range(SINGLE)
            ]
            began = time.perf_counter()
            await _stream(client, [circuit_pb2.RunCircuitRequest(qasm=q) for q in texts], IN_FLIGHT)
            return SINGLE / (time.perf_counter() - began)

        rates = await interleaved({"ours": sweep, "bare": bare, "single": single}, rounds)
    what = f"{POINTS} points of {QUBITS} qubits, {LAYERS} layers of ry and cx, {SHOTS} shots each"
    return [
        ratio(
            "sweep",
            f"{what}: points a second of one job, to its whole result / of Aer's parameter_binds",
            ours=rates["ours"], bare=rates["bare"], unit="/s", target=Target(">=", 4),
        ),
        ratio(
            "sweep single",
            f"{what}: points a second of one job / of one request each on one RunStream",
            ours=rates["ours"], bare=rates["single"], unit="/s", target=Target(">=", 10),
        ),
    ]  # fmt: skip


async def _values(client: Client, rounds: int) -> list[Finding]:
    """Compare one job with one run of a QNode."""
    cases: list[tuple[str, int, int, int, bool, float]] = [
        ("values", 12, 20, 100, False, 0.25),
        ("gradient", 10, 6, 10, True, 0.8),
    ]
    found: list[Finding] = []
    for name, num_qubits, layers, number, gradient, bound in cases:
        chosen = words(number, num_qubits)
        fields = _observables(chosen, together=gradient)
        home = {"num_qubits": num_qubits, "layers": layers, "words": chosen, "gradient": gradient}
        async with Contestant("qnode", confined=True, **home) as node:

            async def ours() -> float:
                times: list[float] = []
                for _ in range(STEPS):
                    values = numbers(num_qubits * layers)  # noqa: B023  # called at once
                    began = time.perf_counter()
                    await _result(
                        client,
                        layered(num_qubits, layers),  # noqa: B023
                        parameters=values,
                        gradient=gradient,  # noqa: B023
                        **fields,  # noqa: B023
                    )
                    times.append(time.perf_counter() - began)
                return percentile(times, 50) * 1e3

            async def bare() -> float:
                return percentile(await node.durations(STEPS), 50) * 1e3

            times = await interleaved({"ours": ours, "bare": bare}, rounds)
        terms = "one sum of 10 Pauli terms and its gradient" if gradient else "100 Pauli terms"
        found.append(
            ratio(
                f"sweep {name}",
                f"exact value of {terms}, {num_qubits} qubits, {layers} layers, p50: one job to "
                "its result / a bare QNode on lightning.qubit",
                ours=times["ours"],
                bare=times["bare"],
                unit="ms",
                target=Target("<=", bound),
            )
        )
    return found


async def _steps(client: Client, rounds: int) -> list[Finding]:
    chosen = words(15, 4)
    fields = _observables(chosen, together=True)
    home = {"num_qubits": 4, "layers": 8, "words": chosen, "gradient": True}
    async with Contestant("qnode", confined=True, **home) as node:

        async def ours() -> float:
            steps = [
                circuit_pb2.RunCircuitRequest(
                    qasm=layered(4, 8), parameters=numbers(32), gradient=True, **fields
                )
                for _ in range(STEPS)
            ]
            return percentile(await _stream(client, steps, 1), 50) * 1e3

        async def bare() -> float:
            return percentile(await node.durations(STEPS), 50) * 1e3

        times = await interleaved({"ours": ours, "bare": bare}, rounds)
    return [
        ratio(
            "sweep step",
            "one VQE step, 4 qubits, 32 parameters, 15 terms, value and gradient, p50: on one "
            "RunStream / a bare QNode with the adjoint method",
            ours=times["ours"],
            bare=times["bare"],
            unit="ms",
            target=Target("<=", 1),
        )
    ]


async def _blocked(client: Client, gaps: Path, rounds: int) -> Finding:
    longest: list[float] = []
    circuit = layered(2, 5)
    for _ in range(rounds):
        values = numbers(VALUES)
        began = time.monotonic()
        await _result(client, circuit, parameters=values, shots=1)
        longest.append(longest_gap(gaps, began))
    return Finding(
        "sweep blocked",
        f"a request with {VALUES} values: for how long at a time the server's event loop did "
        "nothing else, at most",
        spread([max(longest)], "ms"),
        Target("<=", 20),
    )


def _observables(chosen: Sequence[str], *, together: bool) -> dict[str, Any]:
    terms = [sweep_pb2.Term(pauli=word) for word in chosen]
    groups = [terms] if together else [[term] for term in terms]
    return {"observables": [sweep_pb2.Observable(terms=group) for group in groups]}


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
