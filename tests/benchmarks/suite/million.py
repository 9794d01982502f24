"""A server with a million jobs in its database compared with one with few."""

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import grpc.aio

from benchmarks.figures import Finding, Target, percentile, ratio
from benchmarks.million import fill
from benchmarks.rounds import interleaved
from benchmarks.service import WORKERS, Client, many, warm_up
from benchmarks.workloads import BELL
from support.server import Server
from thequantcloud.v1 import job_pb2

JOBS = 1_000_000
BACKEND = "local_simulator"
# Few rounds, because filling the database takes long.
ROUNDS = 5
# The number of calls per round and those in flight. Each kind takes a third of a second.
RUNS, RUNS_IN_FLIGHT = 512, 32
CALLS, CALLS_IN_FLIGHT = 1024, 8
# The number of jobs, run on both servers before, that calls read.
READ_JOBS = 100
# The same name on both servers.
USER = "m"


async def run(rounds: int) -> list[Finding]:
    async with _side(0) as empty, _side(JOBS) as full:
        findings: list[Finding] = []
        for name, what in (
            ("run", "Bell jobs, each submitted and watched to its result"),
            ("get", "GetJob"),
            ("list", "ListJobs, a page of 20"),
            ("watch", "WatchJob of a finished job, to its end, with the result"),
        ):
            findings += await _compared(name, what, full, empty, min(rounds, ROUNDS))
    return findings


class _Side:
    """One of the servers, and its jobs that calls read."""

    def __init__(self, client: Client, jobs: list[str]) -> None:
        self._client = client
        self._jobs = jobs
        self._calls: dict[str, Callable[[], Awaitable[object]]] = {
            "run": lambda: client.run(BELL, BACKEND),
            "get": self._get,
            "list": self._list,
            "watch": self._watch,
        }

    async def measured(self, name: str) -> tuple[float, float]:
        """Return the calls per second, and the milliseconds of the median call."""
        number, in_flight = (RUNS, RUNS_IN_FLIGHT) if name == "run" else (CALLS, CALLS_IN_FLIGHT)
        call = self._calls[name]
        times: list[float] = []

        async def timed() -> None:
            began = time.perf_counter()
            await call()
            times.append((time.perf_counter() - began) * 1e3)

        began = time.perf_counter()
        await many(timed, number, in_flight)
        return number / (time.perf_counter() - began), percentile(times, 50)

    async def _get(self) -> None:
        request = job_pb2.GetJobRequest(id=random.choice(self._jobs))
        await self._client.jobs.GetJob(request, metadata=self._client.metadata)

    async def _list(self) -> None:
        page = await self._client.jobs.ListJobs(
            job_pb2.ListJobsRequest(limit=20), metadata=self._client.metadata
        )
        if page.count != 20:
            raise AssertionError(page)

    async def _watch(self) -> None:
        watch = job_pb2.WatchJobRequest(id=random.choice(self._jobs), with_result=True)
        async for event in self._client.jobs.WatchJob(watch, metadata=self._client.metadata):
            if not event.result.counts:
                raise AssertionError(event)


@asynccontextmanager
async def _side(jobs: int) -> AsyncGenerator[_Side]:
    """Start a server whose database has `jobs` more jobs, and warm it up."""
    with tempfile.TemporaryDirectory(prefix="quantcloud-bench-") as folder:
        server = Server(Path(folder) / "data", "--workers", str(WORKERS), "--no-envoy")
        async with AsyncExitStack() as stack:
            if jobs:
                with server:
                    async with _client(server) as client:
                        await client.run(BELL, BACKEND)
                await asyncio.to_thread(fill, server.data_dir / "quantcloud.db", jobs)
            stack.enter_context(server)
            client = await stack.enter_async_context(_client(server))
            await warm_up(client)
            await many(lambda: client.run(BELL, BACKEND), READ_JOBS, RUNS_IN_FLIGHT)
            yield _Side(client, await _run_jobs(client))


@asynccontextmanager
async def _client(server: Server) -> AsyncGenerator[Client]:
    token = server.token(USER, tier="enterprise")
    async with grpc.aio.insecure_channel(server.endpoints.grpc) as channel:
        yield Client(channel, token, server.endpoints)


async def _run_jobs(client: Client) -> list[str]:
    request = job_pb2.ListJobsRequest(limit=READ_JOBS)
    page = await client.jobs.ListJobs(request, metadata=client.metadata)
    return [job.job_id for job in page.jobs]


async def _compared(name: str, what: str, full: _Side, empty: _Side, rounds: int) -> list[Finding]:
    medians: dict[str, list[float]] = {"ours": [], "bare": []}

    def side(key: str, which: _Side) -> Callable[[], Awaitable[float]]:
        async def measure() -> float:
            rate, median = await which.measured(name)
            medians[key].append(median)
            return rate

        return measure

    rates = await interleaved({"ours": side("ours", full), "bare": side("bare", empty)}, rounds)
    with_many = f"with {JOBS} jobs in the database / with few"
    return [
        ratio(
            f"million {name} rate",
            f"{what}: how many a second {with_many}",
            ours=rates["ours"],
            bare=rates["bare"],
            unit="/s",
            target=Target(">=", 0.85),
        ),
        ratio(
            f"million {name} p50",
            f"{what}: p50 {with_many}",
            ours=medians["ours"][-rounds:],
            bare=medians["bare"][-rounds:],
            unit="ms",
            target=Target("<=", 1.15),
        ),
    ]
