"""Throughput of the engine: Bell circuits on two workers, many in flight, over a bare loop."""

import asyncio
import time

from benchmarks.bare import Contestant
from benchmarks.figures import Finding, Target, ratio
from benchmarks.rounds import interleaved
from benchmarks.service import bare_arguments
from benchmarks.workloads import BELL, SHOTS
from quantcloud.backends.base import installed_backends
from quantcloud.circuits import examine
from quantcloud.domain.execution import Execution, RunOptions
from quantcloud.engine.local import LocalEngine

WORKERS = 2
IN_FLIGHT = 64
TIME_LIMIT = 60.0
METHOD = "statevector"

# Enough for most of a second a side.
CIRCUITS = {"aer_simulator": 3000, "local_simulator": 8000}
TARGETS = {"aer_simulator": Target(">=", 1.5)}


async def run(rounds: int) -> list[Finding]:
    engine = LocalEngine(workers=WORKERS)
    await engine.start()
    try:
        await _warm(engine)
        return [await _compared(engine, backend, rounds) for backend in CIRCUITS]
    finally:
        await engine.stop()


async def _warm(engine: LocalEngine) -> None:
    """Wait until every backend is imported, which takes a core for seconds."""
    for name, backend in installed_backends().items():
        if backend.offline_reason() is None:
            await _execute(engine, name, 2 * WORKERS)


async def _compared(engine: LocalEngine, backend: str, rounds: int) -> Finding:
    count = CIRCUITS[backend]
    async with Contestant("executor", confined=True, **bare_arguments(backend)) as loop:

        async def ours() -> float:
            began = time.perf_counter()
            await _execute(engine, backend, count)
            return count / (time.perf_counter() - began)

        async def bare() -> float:
            return count / await loop.seconds(count)

        rates = await interleaved({"ours": ours, "bare": bare}, rounds)
    return ratio(
        f"engine {backend}",
        f"Bell circuits a second on {WORKERS} workers / parsed, run, counted in one process",
        ours=rates["ours"],
        bare=rates["bare"],
        unit="/s",
        target=TARGETS.get(backend),
    )


async def _execute(engine: LocalEngine, backend: str, count: int) -> None:
    """Run `count` circuits, `IN_FLIGHT` at any time, and check that all of them gave counts."""
    seeds = iter(range(count))
    predicted = _predicted_seconds(backend)

    async def client() -> None:
        for seed in seeds:
            execution = Execution(
                *(f"job-{seed}", backend, METHOD, BELL, SHOTS, seed), predicted_seconds=predicted
            )
            outcome = await engine.execute(execution, time_limit=TIME_LIMIT, on_start=lambda: None)
            if sum(outcome.counts.values()) != SHOTS:
                raise AssertionError(outcome)

    async with asyncio.TaskGroup() as clients:
        for _ in range(IN_FLIGHT):
            clients.create_task(client())


def _predicted_seconds(backend: str) -> float:
    """What routing predicts, and hands over with each job."""
    methods = installed_backends()[backend].methods(examine(BELL), SHOTS, RunOptions())
    (seconds,) = (method.seconds for method in methods if method.name == METHOD)
    return seconds
