"""A Bell job on a quiet server: submission to the result at the watcher, over bare runs."""

from benchmarks.bare import Contestant
from benchmarks.figures import Finding, Target, percentile, ratio, spread
from benchmarks.rounds import interleaved
from benchmarks.service import Client, bare_arguments, milliseconds, serving
from benchmarks.workloads import BELL, SHOTS

JOBS = 100
P50_TARGET = Target("<=", 2.5)
P99_TARGET = Target("<=", 3)
WHAT = "Bell job, one at a time over gRPC: p50 from submission to the result at the watcher / "


async def run(rounds: int) -> list[Finding]:
    async with serving("--no-envoy") as client:
        return [
            *await _compared(client, "aer_simulator", rounds),
            *await _compared(client, "local_simulator", rounds),
        ]


async def _compared(client: Client, backend: str, rounds: int) -> list[Finding]:
    """Against the executor that the workers have and, for Aer, Qiskit as it comes."""
    tails: list[float] = []

    async with (
        Contestant("executor", confined=True, **bare_arguments(backend)) as executor,
        Contestant("qiskit", confined=True, qasm=BELL, shots=SHOTS) as qiskit,
    ):

        async def ours() -> float:
            times = milliseconds([await client.run(BELL, backend) for _ in range(JOBS)])
            tails.append(percentile(times, 99))
            return percentile(times, 50)

        async def bare() -> float:
            return percentile(await executor.durations(JOBS), 50) * 1e3

        async def users() -> float:
            return percentile(await qiskit.durations(JOBS), 50) * 1e3

        sides = {"ours": ours, "bare": bare}
        if backend == "aer_simulator":
            sides["users"] = users
        medians = await interleaved(sides, rounds)
    tails = tails[-rounds:]
    found = [
        ratio(
            f"latency {backend} p50 executor",
            WHAT + "the workers' own executor: parsed, run, counted",
            ours=medians["ours"],
            bare=medians["bare"],
            unit="ms",
        ),
        Finding(
            f"latency {backend} p99/p50",
            "the same jobs: p99 / p50 of each round",
            spread([tail / median for tail, median in zip(tails, medians["ours"], strict=True)]),
            P99_TARGET,
            spread(tails, "ms"),
            spread(medians["ours"], "ms"),
        ),
    ]
    if "users" in medians:
        found.insert(
            0,
            ratio(
                f"latency {backend} p50",
                WHAT + "Qiskit and Aer: parsed, run, counted",
                ours=medians["ours"],
                bare=medians["users"],
                unit="ms",
                target=P50_TARGET,
            ),
        )
    return found
