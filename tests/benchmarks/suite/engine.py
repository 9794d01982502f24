"""Throughput of the engine: Bell circuits on two workers, many in flight, against bare loops."""

import asyncio
import time

from benchmarks.against_bare import BACKENDS, against_bare
from benchmarks.bare import Contestant
from benchmarks.figures import Finding, Target
from benchmarks.workloads import BELL, SHOTS
from quantcloud.backends.base import installed_backends
from quantcloud.domain.execution import Execution, RunOptions
from quantcloud.engine.local import LocalEngine
from quantcloud.openqasm import examine

WORKERS = 2
IN_FLIGHT = 64
TIME_LIMIT = 60.0
METHOD = "statevector"

CIRCUITS = 6000  # enough for most of a second
# The number of circuits that a bare loop runs in a round.
BARE = {"aer_simulator": 500, "local_simulator": 6000}
TARGET = Target(">=", 1.2)


async def run(rounds: int) -> list[Finding]:
    engine = LocalEngine(workers=WORKERS)
    await engine.start()
    try:
        await _warm(engine)
        return [
            finding for backend in BACKENDS for finding in await _compared(engine, backend, rounds)
        ]
    finally:
        await engine.stop()


async def _warm(engine: LocalEngine) -> None:
    """Wait until all backends are imported, which keeps a core busy for seconds."""
    for name, backend in installed_backends().items():
        if backend.offline_reason() is None:
            await _execute(engine, name, 2 * WORKERS)


async def _compared(engine: LocalEngine, backend: str, rounds: int) -> list[Finding]:
    count = BARE[backend]

    async def ours() -> float:
        began = time.perf_counter()
        await _execute(engine, backend, CIRCUITS)
        return CIRCUITS / (time.perf_counter() - began)

    async def bare(contestant: Contestant) -> float:
        return count / await contestant.seconds(count)

    found, _ = await against_bare(
        f"engine {backend}",
        f"Bell circuits a second on {WORKERS} workers, {IN_FLIGHT} in flight",
        backend,
        rounds,
        ours=ours,
        bare=bare,
        unit="/s",
        target=TARGET,
    )
    return found


async def _execute(engine: LocalEngine, backend: str, count: int) -> None:
    """Run `count` circuits, `IN_FLIGHT` at a time, and check that all return counts."""
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
    """Return the router's prediction, which each job carries."""
    methods = installed_backends()[backend].methods(examine(BELL), SHOTS, RunOptions())
    (seconds,) = (method.seconds for method in methods if method.name == METHOD)
    return seconds
