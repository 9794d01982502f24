"""A Bell job on an idle server, from submission to result, compared with bare runs."""

from benchmarks.against_bare import against_bare
from benchmarks.bare import Contestant
from benchmarks.figures import Finding, Target, percentile, spread
from benchmarks.service import Client, milliseconds, serving
from benchmarks.workloads import BELL

# Without a backend, as most users submit, and on the simulator of the comparison.
P50_TARGETS = {None: Target("<=", 2.5), "aer_simulator": Target("<=", 3.5)}
JOBS = 100
P99_TARGET = Target("<=", 3)
WHAT = (
    "Bell job by RunAndWatch, one at a time over gRPC: p50 from submission to the result at the "
    "watcher"
)


async def run(rounds: int) -> list[Finding]:
    async with serving("--no-envoy") as client:
        return [
            finding
            for backend in P50_TARGETS
            for finding in await _compared(client, backend, rounds)
        ]


async def _compared(client: Client, backend: str | None, rounds: int) -> list[Finding]:
    name = "latency" if backend is None else f"latency {backend}"
    tails: list[float] = []

    async def ours() -> float:
        times = milliseconds([await client.run_and_watch(BELL, backend) for _ in range(JOBS)])
        tails.append(percentile(times, 99))
        return percentile(times, 50)

    async def bare(contestant: Contestant) -> float:
        return percentile(await contestant.durations(JOBS), 50) * 1e3

    found, medians = await against_bare(
        f"{name} p50",
        WHAT,
        backend,
        rounds,
        ours=ours,
        bare=bare,
        unit="ms",
        target=P50_TARGETS[backend],
    )
    tails = tails[-rounds:]
    return [
        *found,
        Finding(
            f"{name} p99/p50",
            "the same jobs: p99 / p50 of each round",
            spread([tail / median for tail, median in zip(tails, medians, strict=True)]),
            P99_TARGET,
            spread(tails, "ms"),
            spread(medians, "ms"),
        ),
    ]
