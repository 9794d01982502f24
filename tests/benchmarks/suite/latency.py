"""A Bell job on a quiet server: submission to the result at the watcher, over a bare run."""

from benchmarks.bare import Contestant
from benchmarks.figures import Finding, Target, percentile, ratio, spread
from benchmarks.rounds import interleaved
from benchmarks.service import Client, bare_arguments, milliseconds, serving
from benchmarks.workloads import BELL

JOBS = 100
BACKENDS = ("aer_simulator", "local_simulator")
P50_TARGET = Target("<=", 2.5)
P99_TARGET = Target("<=", 3)


async def run(rounds: int) -> list[Finding]:
    findings: list[Finding] = []
    async with serving("--no-envoy") as client:
        for backend in BACKENDS:
            findings += await _compared(client, backend, rounds)
    return findings


async def _compared(client: Client, backend: str, rounds: int) -> list[Finding]:
    tails: list[float] = []

    async with Contestant("executor", confined=True, **bare_arguments(backend)) as loop:

        async def ours() -> float:
            times = milliseconds([await client.run(BELL, backend) for _ in range(JOBS)])
            tails.append(percentile(times, 99))
            return percentile(times, 50)

        async def bare() -> float:
            return percentile(await loop.durations(JOBS), 50) * 1e3

        medians = await interleaved({"ours": ours, "bare": bare}, rounds)
    tails = tails[-rounds:]
    return [
        ratio(
            f"latency {backend} p50",
            "Bell job, one at a time over gRPC: p50 from submission to the result at the watcher "
            "/ parsed, run, counted in one process",
            ours=medians["ours"],
            bare=medians["bare"],
            unit="ms",
            target=P50_TARGET,
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
