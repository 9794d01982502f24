"""Wide circuits on a quiet server compared with bare simulators that take every core."""

import os
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from benchmarks.bare import Contestant
from benchmarks.figures import Finding, Target, ratio
from benchmarks.rounds import interleaved
from benchmarks.service import Client, serving
from benchmarks.workloads import SHOTS, measured, wide

# The width at which each engine shows its best settings, and those of the comparisons.
HEAT_QUBITS = 20
QUBITS = (24, 26)
AER_QUBITS = 22
CORES = len(os.sched_getaffinity(0))

# Settings by name: a kind of contestant and its options.
Settings = Mapping[str, tuple[str, Mapping[str, Any]]]
# Like the service, it runs the circuit as it was submitted.
AER = "Aer, not transpiled"
SETTINGS: Settings = {
    **{
        f"qsim with gates fused to {size} qubits": (
            "qsim",
            {"cpu_threads": CORES, "max_fused_gate_size": size},
        )
        for size in (2, 3, 4)
    },
    **{
        f"Aer in {precision} precision": ("aer", {"precision": precision})
        for precision in ("double", "single")
    },
    AER: ("aer", {"level": None}),
    "lightning.qubit": ("lightning", {}),
}


async def run(rounds: int) -> list[Finding]:
    times = await _heats(SETTINGS)
    best = min(times, key=times.__getitem__)
    async with serving("--no-envoy") as client:
        found = [
            await _compared(client, None, best, width, rounds=rounds, most=1.15) for width in QUBITS
        ]
        named = await _compared(client, "aer_simulator", AER, AER_QUBITS, rounds=rounds, most=1.1)
    return [*found, named]


async def _heats(settings: Settings) -> dict[str, float]:
    """Return the shortest time of a few runs with each of the settings."""
    times: dict[str, float] = {}
    for name in settings:
        async with _contestant(name, HEAT_QUBITS) as contestant:
            times[name] = min(await contestant.durations(3))
    return times


def _contestant(name: str, width: int) -> Contestant:
    kind, options = SETTINGS[name]
    gates = wide(width)
    if kind == "aer":
        qasm = measured(width, gates)
        return Contestant(kind, qasm=qasm, shots=SHOTS, method="statevector", **options)
    return Contestant(kind, num_qubits=width, gates=gates, shots=SHOTS, **options)


async def _compared(
    client: Client, backend: str | None, best: str, width: int, *, rounds: int, most: float
) -> Finding:
    qasm = measured(width, wide(width))
    async with AsyncExitStack() as stack:
        bare = await stack.enter_async_context(_contestant(best, width))

        async def ours() -> float:
            return (await client.run_and_watch(qasm, backend)).seconds * 1e3

        async def theirs() -> float:
            return await bare.seconds(1) * 1e3

        times = await interleaved({"ours": ours, "bare": theirs}, rounds)
    return ratio(
        f"wide {width} qubits" + (f" {backend}" if backend else ""),
        f"random circuit, {width} qubits, 20 layers: from submission to the result at the watcher "
        f"on {backend or 'any backend'} / {best}, {CORES} threads, made before, sampled",
        ours=times["ours"],
        bare=times["bare"],
        unit="ms",
        target=Target("<=", most),
    )
