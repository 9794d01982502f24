"""A server in a new folder: the time until healthy, until its first result, and its idle memory."""

import asyncio
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import grpc.aio

from benchmarks.figures import Finding, Target, spread
from benchmarks.memory import with_descendants
from benchmarks.service import WORKERS, Client, warm_up
from benchmarks.workloads import BELL
from support.server import Server, newcomers_token

STARTS = 5
BACKEND = "aer_simulator"
# More than one worker takes at a time. An explorer may not run more.
JOBS = 3


async def run(rounds: int) -> list[Finding]:
    healthy: list[float] = []
    first: list[float] = []
    memory: list[Mapping[int, float]] = []
    number = min(rounds, STARTS)
    for last in (False,) * (number - 1) + (True,):
        with tempfile.TemporaryDirectory(prefix="quantcloud-bench-") as folder:
            server = Server(Path(folder) / "data", "--workers", str(WORKERS))
            began = time.monotonic()
            with server:
                server.get("/health").raise_for_status()
                healthy.append(time.monotonic() - began)
                async with grpc.aio.insecure_channel(server.endpoints.grpc) as channel:
                    client = Client(channel, newcomers_token(), server.endpoints)
                    await client.run(BELL)
                    first.append(time.monotonic() - began)
                    if last:
                        await warm_up(client)
                        # On all workers.
                        await asyncio.gather(*(client.run(BELL, BACKEND) for _ in range(JOBS)))
                        memory.append(with_descendants(server.process.pid))
    (idle,) = memory
    serving = idle[server.process.pid]
    return [
        Finding(
            "start healthy",
            "from the start of `quantcloud serve` in a new folder until GET /health is 200",
            spread(healthy, "s"),
            Target("<=", 2),
        ),
        Finding(
            "start first result",
            "from there until an account that is new has the result of a Bell circuit on the "
            "backend that the router chooses",
            spread(first, "s"),
            Target("<=", 3),
        ),
        Finding(
            "start memory of server",
            "memory of the serving process, idle after a job on each backend",
            spread([serving], "MiB"),
            Target("<=", 160),
        ),
        Finding(
            "start memory of all",
            f"memory of all {len(idle)} processes then: the serving one, the fork server, "
            f"{WORKERS} workers that have every simulator imported, 3 that look at circuits, Envoy",
            spread([sum(idle.values())], "MiB"),
            Target("<=", 700),
        ),
    ]
