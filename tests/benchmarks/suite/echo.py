"""Jobs on the quickest backend over the least that a gRPC server in Python can do: an echo."""

import asyncio
import time

import grpc.aio

from benchmarks.bare import program
from benchmarks.figures import Finding, Target, ratio
from benchmarks.rounds import interleaved
from benchmarks.service import many, serving
from benchmarks.workloads import BELL

BACKEND = "local_simulator"
IN_FLIGHT = 64
# About a second, so that the beginning and the end, when fewer are in flight, count little.
JOBS = 1280
CALLS = 6400


async def run(rounds: int) -> list[Finding]:
    async with (
        serving("--no-envoy") as client,
        program("benchmarks.echo_server") as address,
        grpc.aio.insecure_channel(address) as channel,
    ):
        call = channel.unary_unary("/echo.Echo/Echo")
        message = BELL.encode()

        async def user() -> None:
            for _ in range(CALLS // IN_FLIGHT):
                await call(message)

        async def ours() -> float:
            began = time.perf_counter()
            await many(lambda: client.run_and_watch(BELL, BACKEND), JOBS, IN_FLIGHT)
            return JOBS / (time.perf_counter() - began)

        async def bare() -> float:
            began = time.perf_counter()
            await asyncio.gather(*(user() for _ in range(IN_FLIGHT)))
            return CALLS // IN_FLIGHT * IN_FLIGHT / (time.perf_counter() - began)

        rates = await interleaved({"ours": ours, "bare": bare}, rounds)
    return [
        ratio(
            "echo",
            f"Bell jobs a second on {BACKEND}, {IN_FLIGHT} in flight, each by one RunAndWatch, "
            "watched to its result / unary calls a second of a grpc.aio server that gives back "
            "what it gets",
            ours=rates["ours"],
            bare=rates["bare"],
            unit="/s",
            target=Target(">=", 0.25),
        )
    ]
