"""Bell jobs over gRPC, many in flight, each watched to its result, against bare loops."""

import time

from benchmarks.against_bare import BACKENDS, against_bare
from benchmarks.bare import Contestant
from benchmarks.figures import Finding, Target
from benchmarks.service import Client, many, serving
from benchmarks.workloads import BELL

IN_FLIGHT = 64
# About a second, so that start and end, with fewer jobs in flight, count little.
JOBS = 1280
# The number of circuits that a bare loop runs in a round.
BARE = {"aer_simulator": 500, "local_simulator": 3000}
TARGET = Target(">=", 0.6)
WHAT = (
    f"Bell jobs a second over gRPC, {IN_FLIGHT} in flight, each by one RunAndWatch, watched to its "
    "result"
)


async def run(rounds: int) -> list[Finding]:
    async with serving("--no-envoy") as client:
        return [
            finding for backend in BACKENDS for finding in await _compared(client, backend, rounds)
        ]


async def _compared(client: Client, backend: str, rounds: int) -> list[Finding]:
    count = BARE[backend]

    async def ours() -> float:
        began = time.perf_counter()
        await many(lambda: client.run_and_watch(BELL, backend), JOBS, IN_FLIGHT)
        return JOBS / (time.perf_counter() - began)

    async def bare(contestant: Contestant) -> float:
        return count / await contestant.seconds(count)

    found, _ = await against_bare(
        f"throughput {backend}",
        WHAT,
        backend,
        rounds,
        ours=ours,
        bare=bare,
        unit="/s",
        target=TARGET,
    )
    return found
