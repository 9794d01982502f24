"""The processor time of metrics and logs, for each job."""

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.figures import Finding, Target, spread
from benchmarks.programs.switched import MODES
from benchmarks.rounds import interleaved
from benchmarks.service import Client, many, serving
from benchmarks.workloads import BELL

BACKEND = "local_simulator"
# Short rounds, because neighbours on the machine change the cost of a job by more than is measured.
JOBS = 50
IN_FLIGHT = 1
# 3 sides, and one round more to warm up: below 20,000 jobs.
MOST_ROUNDS = 100
SECONDS = 10.0
TARGETS = {"metrics": Target("<=", 20), "logs": Target("<=", 30)}


async def run(rounds: int) -> list[Finding]:
    with tempfile.TemporaryDirectory(prefix="quantcloud-bench-") as name:
        folder = Path(name)
        program = ("benchmarks.programs.switched", name)
        async with serving("--no-envoy", program=program) as client:
            sides = {mode: _side(client, folder, mode) for mode in MODES}
            costs = await interleaved(sides, min(14 * rounds, MOST_ROUNDS))
    return [
        Finding(
            f"telemetry {mode}",
            f"microseconds of processor time that {mode} add to a Bell job on {BACKEND}, "
            "with RunAndWatch",
            spread(
                [with_it - without for with_it, without in zip(costs[mode], costs["neither"],
                                                               strict=True)],
                "us",
            ),
            target,
            spread(costs[mode], "us"),
            spread(costs["neither"], "us"),
        )
        for mode, target in TARGETS.items()
    ]  # fmt: skip


def _side(client: Client, folder: Path, mode: str) -> Callable[[], Awaitable[float]]:
    """Return a side whose value is the processor time of a job, in microseconds."""

    async def cost() -> float:
        before = await _turn(folder, mode)
        await many(lambda: client.run_and_watch(BELL, BACKEND), JOBS, IN_FLIGHT)
        return (await _turn(folder, mode) - before) / JOBS / 1000

    return cost


async def _turn(folder: Path, mode: str) -> int:
    """Switch to a mode, and return the nanoseconds of processor time that the server has used."""
    used = folder / "used"
    used.unlink(missing_ok=True)
    (folder / "mode").write_text(mode)
    os.kill(int((folder / "pid").read_text()), signal.SIGUSR1)
    deadline = time.monotonic() + SECONDS
    while not used.exists():
        if time.monotonic() > deadline:
            raise TimeoutError("the server did not switch")
        await asyncio.sleep(0.01)
    return int(used.read_text())
