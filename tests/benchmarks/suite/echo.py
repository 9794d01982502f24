"""Jobs on the fastest backend compared with a minimal gRPC server in Python: an echo."""

import asyncio
import time
from collections.abc import Awaitable

import grpc.aio

from benchmarks.bare import program
from benchmarks.figures import Finding, Target, ratio
from benchmarks.rounds import interleaved
from benchmarks.service import many, serving
from benchmarks.workloads import BELL

BACKEND = "local_simulator"
IN_FLIGHT = 64
# About a second, so that start and end, with fewer jobs in flight, count little.
JOBS = 1280
CALLS = 6400
JOBS_ARE = f"Bell jobs a second on {BACKEND}, {IN_FLIGHT} in flight"
ECHOES_ARE = "unary calls a second of a grpc.aio server that gives back what it gets"


async def run(rounds: int) -> list[Finding]:
    async with (
        serving("--no-envoy") as client,
        program("benchmarks.programs.echo_server") as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        call = channel.unary_unary("/echo.Echo/Echo")
        message = BELL.encode()

        async def user() -> None:
            for _ in range(CALLS // IN_FLIGHT):
                await call(message)

        async def echoes() -> None:
            await asyncio.gather(*(user() for _ in range(IN_FLIGHT)))

        rates = await interleaved(
            {
                "stream": lambda: _rate(JOBS, client.run_stream(BELL, BACKEND, JOBS, IN_FLIGHT)),
                "calls": lambda: _rate(
                    JOBS, many(lambda: client.run_and_watch(BELL, BACKEND), JOBS, IN_FLIGHT)
                ),
                "bare": lambda: _rate(CALLS // IN_FLIGHT * IN_FLIGHT, echoes()),
            },
            rounds,
        )
    return [
        ratio(
            "echo",
            f"{JOBS_ARE} on one RunStream, each submitted by a message of its own and watched to "
            f"its result / {ECHOES_ARE}",
            ours=rates["stream"],
            bare=rates["bare"],
            unit="/s",
            target=Target(">=", 0.25),
        ),
        ratio(
            "echo calls",
            f"{JOBS_ARE}, each by one RunAndWatch, watched to its result / {ECHOES_ARE}",
            ours=rates["calls"],
            bare=rates["bare"],
            unit="/s",
        ),
    ]


async def _rate(number: int, work: Awaitable[None]) -> float:
    """Return the rate per second, if `work` does `number` of them."""
    began = time.perf_counter()
    await work
    return number / (time.perf_counter() - began)
