"""Bell jobs over gRPC, many in flight, each watched to its result, over a bare loop."""

import time

from benchmarks.bare import Contestant
from benchmarks.figures import Finding, Target, ratio
from benchmarks.rounds import interleaved
from benchmarks.service import Client, bare_arguments, serving
from benchmarks.workloads import BELL

IN_FLIGHT = 64
JOBS = 128
# How many circuits the bare loop runs in a round.
BARE = {"aer_simulator": 1000, "local_simulator": 5000}
TARGETS = {"aer_simulator": Target(">=", 0.8)}


async def run(rounds: int) -> list[Finding]:
    async with serving("--no-envoy") as client:
        return [await _compared(client, backend, rounds) for backend in BARE]


async def _compared(client: Client, backend: str, rounds: int) -> Finding:
    async with Contestant("executor", confined=True, **bare_arguments(backend)) as loop:

        async def ours() -> float:
            began = time.perf_counter()
            await client.run_many(BELL, backend, JOBS, IN_FLIGHT)
            return JOBS / (time.perf_counter() - began)

        async def bare() -> float:
            return BARE[backend] / await loop.seconds(BARE[backend])

        rates = await interleaved({"ours": ours, "bare": bare}, rounds)
    return ratio(
        f"throughput {backend}",
        f"Bell jobs a second over gRPC, {IN_FLIGHT} in flight, each watched to its result "
        "/ parsed, run, counted in one process",
        ours=rates["ours"],
        bare=rates["bare"],
        unit="/s",
        target=TARGETS.get(backend),
    )
