"""The cost of very many watches, and how soon a change reaches its watchers."""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc.aio

from benchmarks.clients.http2 import Connection
from benchmarks.figures import Finding, Target, percentile, ratio, spread
from benchmarks.memory import mebibytes
from benchmarks.workloads import BELL
from support.server import Server
from thequantcloud.v1 import circuit_pb2, circuit_pb2_grpc, job_pb2, job_pb2_grpc

WATCHES = 10_000
# The server accepts 128 calls on one connection.
CONNECTIONS = 100
# Watches to open at a time, so that the client does not measure its own queue.
OPENED_AT_ONCE = 100
UNARY_CALLS = 100
# Changes per second, changes per round, and the number of rounds.
BUSY_PER_SECOND, BUSY_EVENTS, BUSY_ROUNDS = 500.0, 1250, 3
QUIET_PER_SECOND, QUIET_EVENTS = 50.0, 40
# The changes of a job that are sent to all of its watchers.
STATUSES = ("analyzing", "routing", "failed")
_WATCH = "/thequantcloud.v1.JobService/WatchJob"
_TESTS = Path(__file__).parents[2]


async def run(rounds: int) -> list[Finding]:
    findings = await _open(rounds)
    async with _watched() as server:
        findings.append(await _over_grpc(server, rounds))
        findings.append(await _over_sse(server, rounds))
        findings.append(await _many_jobs(server))
        findings.append(await _one_job(server))
    return findings


class _Watchers:
    """Very many watches on a hundred connections."""

    def __init__(self, connections: Sequence[Connection]) -> None:
        self._connections = connections
        self._watches: list[tuple[Connection, int]] = []

    async def open(self, jobs: Sequence[str]) -> None:
        """Watch each of `jobs`, and wait until each watch has its first event."""
        for number in range(0, len(jobs), OPENED_AT_ONCE):
            some = jobs[number : number + OPENED_AT_ONCE]
            connection = self._connections[number // OPENED_AT_ONCE % len(self._connections)]
            streams = [
                connection.request(job_pb2.WatchJobRequest(id=job).SerializeToString())
                for job in some
            ]
            await connection.received(streams, 1)
            self._watches += [(connection, stream) for stream in streams]

    async def arrivals(self, which: slice, event: int) -> list[float]:
        """Return when event number `event`, from 0, arrived at each watch of `which`."""
        some = self._watches[which]
        for connection, stream in some:
            await connection.received([stream], event + 1)
        return [connection.arrivals[stream][event] for connection, stream in some]


@asynccontextmanager
async def _watchers(address: str, token: str) -> AsyncGenerator[_Watchers]:
    connections = [await Connection.open(address, _WATCH, token) for _ in range(CONNECTIONS)]
    try:
        yield _Watchers(connections)
    finally:
        for connection in connections:
            connection.close()


async def _open(rounds: int) -> list[Finding]:
    """Measure a server with very many watches of a waiting job: its memory, and other calls."""
    settings = {
        # No job runs.
        "QUANTCLOUD_TIERS": json.dumps({"enterprise": {"max_concurrent_jobs": 0}}),
        "QUANTCLOUD_MAX_WATCHES": str(WATCHES),
    }
    with tempfile.TemporaryDirectory(prefix="quantcloud-bench-") as folder:
        server = Server(Path(folder) / "data", "--workers", "1", "--no-envoy", **settings)
        with server:
            token = server.token(tier="enterprise")
            async with grpc.aio.insecure_channel(server.endpoints.grpc) as channel:
                metadata = (("authorization", f"Bearer {token}"),)
                request = circuit_pb2.RunCircuitRequest(qasm=BELL, backend="aer_simulator")
                submit = circuit_pb2_grpc.CircuitServiceStub(channel).RunCircuit
                job = (await submit(request, metadata=metadata)).job_id
                stub = job_pb2_grpc.JobServiceStub(channel)

                async def p50() -> float:
                    times = []
                    for _ in range(UNARY_CALLS):
                        began = time.perf_counter()
                        await stub.GetJob(job_pb2.GetJobRequest(id=job), metadata=metadata)
                        times.append((time.perf_counter() - began) * 1e3)
                    return percentile(times, 50)

                await p50()
                without = [await p50() for _ in range(rounds)]
                async with _watchers(server.endpoints.grpc, token) as watchers:
                    await watchers.open([job] * WATCHES)
                    with_all = [await p50() for _ in range(rounds)]
                    memory = mebibytes(server.process.pid)
    return [
        Finding(
            "watching memory",
            f"memory of the serving process with {WATCHES} open watches of one job; "
            "pages that it shares with its workers count in part",
            spread([memory], "MiB"),
            Target("<=", 320),
        ),
        ratio(
            "watching unary",
            f"GetJob, one at a time: p50 with {WATCHES} open watches / without",
            ours=with_all,
            bare=without,
            unit="ms",
            target=Target("<=", 2),
        ),
    ]


class _Server:
    """The process of `benchmarks.programs.watched`."""

    def __init__(self, process: asyncio.subprocess.Process, addresses: dict[str, str]) -> None:
        self._process = process
        self.grpc, self.http, self.token = (
            addresses["grpc"], addresses["http"], addresses["token"],
        )  # fmt: skip
        self.metadata = (("authorization", f"Bearer {self.token}"),)

    async def ask(self, what: str, *arguments: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([what, *arguments]).encode() + b"\n")
        return json.loads(await self._process.stdout.readline())


@asynccontextmanager
async def _watched() -> AsyncGenerator[_Server]:
    # It logs each of very many calls, as the service does.
    with tempfile.TemporaryFile() as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "benchmarks.programs.watched",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
            limit=1 << 24,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(_TESTS), *sys.path])},
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            addresses = await process.stdout.readline()
            assert addresses, os.pread(log.fileno(), 1 << 16, 0).decode()
            yield _Server(process, json.loads(addresses))
        finally:
            process.stdin.close()
            await process.wait()


async def _over_grpc(server: _Server, rounds: int) -> Finding:
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        stub = job_pb2_grpc.JobServiceStub(channel)

        async def watch(job: str, stack: AsyncExitStack) -> Any:
            call = stub.WatchJob(job_pb2.WatchJobRequest(id=job), metadata=server.metadata)
            stack.callback(call.cancel)
            await call.read()
            return call.read

        medians = [await _quiet(server, watch) for _ in range(rounds + 1)][1:]
    return Finding(
        "watching grpc",
        "from a change's commit to its watcher over gRPC: p50",
        spread(medians, "ms"),
        Target("<=", 1.5),
    )


async def _over_sse(server: _Server, rounds: int) -> Finding:
    async def watch(job: str, stack: AsyncExitStack) -> Any:
        host, _, port = server.http.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        stack.callback(writer.close)
        writer.write(
            f"GET /v1/jobs/{job}/events HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {server.token}\r\n\r\n".encode()
        )

        async def event() -> None:
            while b"data:" not in await reader.readline():
                pass

        await event()
        return event

    medians = [await _quiet(server, watch) for _ in range(rounds + 1)][1:]
    return Finding(
        "watching sse",
        "from a change's commit to its watcher over SSE through Envoy: p50",
        spread(medians, "ms"),
        Target("<=", 3),
    )


async def _quiet(server: _Server, watch: Any) -> float:
    """Return the median milliseconds from commit to arrival, for one change at a time."""
    jobs = await server.ask("make", QUIET_EVENTS)

    async def arrival(next_event: Any) -> float:
        await next_event()
        return time.monotonic()

    async with AsyncExitStack() as stack:
        waiting = [asyncio.ensure_future(arrival(await watch(job, stack))) for job in jobs]
        commits = await server.ask("advance", jobs, "analyzing", QUIET_PER_SECOND)
        arrivals = await asyncio.gather(*waiting)
    return percentile(_milliseconds(commits, arrivals), 50)


def _milliseconds(commits: Sequence[float], arrivals: Sequence[float]) -> list[float]:
    return [(arrived - at) * 1e3 for at, arrived in zip(commits, arrivals, strict=True)]


async def _many_jobs(server: _Server) -> Finding:
    jobs = await server.ask("make", WATCHES)
    tails: list[float] = []
    async with _watchers(server.grpc, server.token) as watchers:
        await watchers.open(jobs)
        for number in range(BUSY_ROUNDS):
            which = slice(number * BUSY_EVENTS, (number + 1) * BUSY_EVENTS)
            commits = await server.ask("advance", jobs[which], "analyzing", BUSY_PER_SECOND)
            arrivals = await watchers.arrivals(which, 1)
            tails.append(percentile(_milliseconds(commits, arrivals), 99))
    return Finding(
        "watching many jobs",
        f"{WATCHES} watchers of as many jobs, {BUSY_PER_SECOND:g} changes a second: "
        "p99 from a change's commit to its watcher",
        spread(tails, "ms"),
        Target("<=", 20),
    )


async def _one_job(server: _Server) -> Finding:
    (job,) = await server.ask("make", 1)
    seconds: list[float] = []
    async with _watchers(server.grpc, server.token) as watchers:
        await watchers.open([job] * WATCHES)
        for event, status in enumerate(STATUSES, start=1):
            (commit,) = await server.ask("advance", [job], status, BUSY_PER_SECOND)
            seconds.append(max(await watchers.arrivals(slice(None), event)) - commit)
    return Finding(
        "watching one job",
        f"from a change's commit until the last of {WATCHES} watchers of the job has it",
        spread(seconds, "s"),
        Target("<=", 1),
    )
