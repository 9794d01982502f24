"""Watchers on a real gRPC server: those that go away, that vanish, and that do not read."""

import asyncio
import signal
import sys
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import grpc.aio
import jwt
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from quantcloud.auth.authenticator import Authenticator
from quantcloud.auth.jwt import Issuer, JwtVerifier
from quantcloud.auth.open_streams import OpenStreams
from quantcloud.auth.rate_limits import Counter, RequestLimits
from quantcloud.circuits import examine
from quantcloud.domain.account import Tier
from quantcloud.domain.job import Change, Job, JobStatus, OptimizationTarget
from quantcloud.services.jobs import JobUseCases
from quantcloud.settings import DEFAULT_TIERS
from quantcloud.storage import NewJob, Store
from quantcloud.transport.gate import Gate
from quantcloud.transport.server import GrpcServer, UseCases
from quantcloud.watching.feed import EventFeed
from quantcloud.watching.queues import QueueMonitor
from quantcloud.watching.sighting import Sighting
from support.circuits import BELL
from thequantcloud.v1 import job_pb2, job_pb2_grpc

ADA, SECRET = "ada", "a-secret-for-tests-that-is-long-enough-for-hs256"
ANALYSIS = examine(BELL)
# Longer than anything here takes, and short enough to tell what hangs.
PATIENCE_SECONDS = 30
# Streams that an account, and that strangers may have open.
MOST = 4
# As good as never: what ends a watch in less is not the keepalive.
NEVER = 3600.0


def now() -> datetime:
    return datetime.now(UTC)


class CountedJobs(JobUseCases):
    """Tells when a watch that had begun is over."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.ended: asyncio.Queue[None] = asyncio.Queue()

    def watch(self, *arguments: Any, **options: Any) -> AsyncGenerator[Sighting]:
        return self._counted(super().watch(*arguments, **options))

    async def _counted(self, watch: AsyncGenerator[Sighting]) -> AsyncGenerator[Sighting]:
        try:
            async with aclosing(watch):
                async for seen in watch:
                    yield seen
        finally:
            self.ended.put_nowait(None)


class Service:
    """Store, feed and gRPC server; jobs change when a test says so."""

    def __init__(self, store: Store, keepalive_seconds: float) -> None:
        self.store = store
        self.feed = EventFeed(store.events, QueueMonitor(store.jobs, 0.0), NEVER)
        store.subscribe(self.feed.publish)
        streams = OpenStreams(MOST, of_address=MOST)
        self.jobs = CountedJobs(store, self.feed, streams, now, DEFAULT_TIERS.__getitem__)
        verifier = JwtVerifier(Issuer(SECRET, "authenticated"))
        gate = Gate(
            Authenticator(verifier, store.accounts, store.api_keys, now),
            RequestLimits(Counter(now), DEFAULT_TIERS.__getitem__, anonymous=0, failed_logins=0),
            streams,
            "p" * 32,
        )
        nobody = cast("Any", None)
        use_cases = UseCases(nobody, nobody, nobody, self.jobs)
        self.server = GrpcServer(use_cases, gate, keepalive_seconds=keepalive_seconds)
        claims = {"sub": ADA, "aud": "authenticated", "exp": int(time.time()) + 3600}
        self.token = jwt.encode(claims, SECRET, "HS256")
        self.metadata = (("authorization", f"Bearer {self.token}"),)

    async def submit(self, number: int = 1) -> list[str]:
        new = [
            NewJob(
                Job(
                    id=str(uuid.uuid4()), account_id=ADA, status=JobStatus.SUBMITTED, shots=1,
                    optimize_for=OptimizationTarget.BALANCED, submitted_at=now(), seed=1,
                ),
                BELL,
                ANALYSIS,
                [Change(JobStatus.ANALYZING, now()), Change(JobStatus.ROUTING, now())],
            )
            for _ in range(number)
        ]  # fmt: skip
        await self.store.jobs.create_all(new, max_waiting=None)
        return [each.job.id for each in new]


Start = Callable[..., Any]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts one server, with what it takes beside a store."""

    @asynccontextmanager
    async def serving(keepalive_seconds: float = NEVER) -> AsyncGenerator[tuple[Service, int]]:
        store = await Store.open(tmp_path / "quantcloud.db")
        await store.accounts.ensure(ADA, email=None, name=None, at=now(), tier=Tier.ENTERPRISE)
        service = Service(store, keepalive_seconds)
        port = await service.server.start("127.0.0.1", 0)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                yield service, port
        finally:
            await service.server.stop(0)
            await store.close()

    return serving


class DeadWire:
    """A TCP proxy that at some time forwards nothing more, and closes nothing."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._pipes: list[asyncio.Task[None]] = []
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> int:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        return self._server.sockets[0].getsockname()[1]

    async def __aexit__(self, *_: object) -> None:
        self.cut()
        for writer in self._writers:
            writer.close()
        self._server.close()

    def cut(self) -> None:
        for pipe in self._pipes:
            pipe.cancel()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += [writer, far_writer]
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            self._pipes.append(asyncio.ensure_future(self._forward(source, sink)))

    async def _forward(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            sink.write(data)


async def test_a_watcher_on_a_dead_wire_ends_by_keepalive(start: Start):
    async with start(keepalive_seconds=0.5) as (service, port):
        (job,) = await service.submit()
        wire = DeadWire(port)
        async with wire as through, grpc.aio.insecure_channel(f"127.0.0.1:{through}") as channel:
            stub = job_pb2_grpc.JobServiceStub(channel)
            watch = stub.WatchJob(job_pb2.WatchJobRequest(id=job), metadata=service.metadata)
            await watch.read()
            assert service.feed.watchers == 1
            wire.cut()
            await service.jobs.ended.get()
            assert service.feed.watchers == 0
            watch.cancel()


async def test_a_quiet_watcher_outlives_the_keepalive(start: Start):
    """Pings that are answered end nothing: the job's change comes long after several."""
    async with start(keepalive_seconds=0.1) as (service, port):
        (job,) = await service.submit()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = job_pb2_grpc.JobServiceStub(channel)
            watch = stub.WatchJob(job_pb2.WatchJobRequest(id=job), metadata=service.metadata)
            await watch.read()
            later = asyncio.get_running_loop().call_later
            cancelled = asyncio.Event()
            later(1, cancelled.set)
            await cancelled.wait()
            await service.store.jobs.cancel(ADA, job, now())
            assert (await watch.read()).job.status == job_pb2.Job.cancelled


CLIENT = """
import sys, grpc
from thequantcloud.v1 import job_pb2, job_pb2_grpc
address, token, job = sys.argv[1:]
with grpc.insecure_channel(address) as channel:
    request = job_pb2.WatchJobRequest(id=job)
    metadata = (("authorization", f"Bearer {token}"),)
    for event in job_pb2_grpc.JobServiceStub(channel).WatchJob(request, metadata=metadata):
        print(event.sequence, flush=True)
"""


@pytest.mark.parametrize("how", ["cancel", "close", "kill"])
async def test_a_client_that_goes_away_is_forgotten(start: Start, how: str):
    async with start() as (service, port):
        (job,) = await service.submit()
        address = f"127.0.0.1:{port}"
        if how == "kill":
            client = await asyncio.create_subprocess_exec(
                sys.executable, "-c", CLIENT, address, service.token, job,
                stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            assert client.stdout is not None
            assert await client.stdout.readline() == b"3\n"
            client.send_signal(signal.SIGKILL)
            await client.wait()
        else:
            channel = grpc.aio.insecure_channel(address)
            stub = job_pb2_grpc.JobServiceStub(channel)
            watch = stub.WatchJob(job_pb2.WatchJobRequest(id=job), metadata=service.metadata)
            await watch.read()
            if how == "cancel":
                watch.cancel()
            else:
                await channel.close()
        await service.jobs.ended.get()
        assert service.feed.watchers == 0
        if how == "cancel":
            await channel.close()


async def refusal(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    return caught.value


async def opened(open_watch: Callable[[], Any]) -> Any:
    """A watch that is begun once there is room for it."""
    while True:
        watch = open_watch()
        try:
            await watch.read()
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        else:
            return watch


async def test_an_account_has_so_many_watches_open_and_each_that_ends_makes_room(start: Start):
    async with start() as (service, port):
        (job, *ending) = await service.submit(1 + MOST)
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        stub = job_pb2_grpc.JobServiceStub(channel)

        def watch(id_: str = job) -> Any:
            return stub.WatchJob(job_pb2.WatchJobRequest(id=id_), metadata=service.metadata)

        # Each way to end: refused before its first answer, at its job's end, hung up.
        for _ in range(MOST + 1):
            assert (await refusal(watch("none"))).code() is grpc.StatusCode.NOT_FOUND
        watches = [await opened(lambda id_=id_: watch(id_)) for id_ in ending]
        refused = await refusal(watch())
        assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert refused.details() == (
            f"too many watches of this account: {MOST} may be open at once; close some"
        )
        # A call that waits for a change is one of them.
        waits = job_pb2.GetJobRequest(id=job, wait_seconds=1)
        with pytest.raises(grpc.aio.AioRpcError) as waiting:
            await stub.GetJob(waits, metadata=service.metadata)
        assert waiting.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        await stub.GetJob(job_pb2.GetJobRequest(id=job), metadata=service.metadata)
        for each in ending:
            await service.store.jobs.cancel(ADA, each, now())
        for each in watches:
            assert (await each.read()).job.status == job_pb2.Job.cancelled
            assert await each.read() is grpc.aio.EOF
        watches = [await opened(watch) for _ in range(MOST)]
        watches.pop().cancel()
        watches.append(await opened(lambda: stub.WatchJobs(
            job_pb2.WatchJobsRequest(), metadata=service.metadata)))  # fmt: skip
        await channel.close()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as again:
            stub = job_pb2_grpc.JobServiceStub(again)
            for _ in range(MOST):
                watches.append(await opened(watch))
            for each in watches[MOST:]:
                each.cancel()


async def test_strangers_have_so_many_streams_open(start: Start):
    async with start() as (_, port), grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        health = health_pb2_grpc.HealthStub(channel)
        reflection = reflection_pb2_grpc.ServerReflectionStub(channel)

        def watch() -> Any:
            return health.Watch(health_pb2.HealthCheckRequest())

        watches = [await opened(watch) for _ in range(MOST - 1)]
        asked = reflection.ServerReflectionInfo()
        await asked.write(reflection_pb2.ServerReflectionRequest(list_services=""))
        await asked.read()
        for refused in (watch(), reflection.ServerReflectionInfo()):
            error = await refusal(refused)
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "without credentials from this address" in (error.details() or "")
        await health.Check(health_pb2.HealthCheckRequest())
        asked.cancel()
        watches.append(await opened(watch))
        for each in watches:
            each.cancel()


async def test_who_does_not_read_holds_nobody_up_and_costs_little(start: Start):
    """Thousands of events come while one of two watchers reads none; later it reads them all."""
    # A window that does not grow, so that what is not read stays at the server.
    narrow = (("grpc.http2.bdp_probe", 0),)
    async with (
        start() as (service, port),
        grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=narrow) as channel,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as other,
    ):
        everything = job_pb2.WatchJobsRequest(after_cursor="0")
        sluggish, eager = (
            job_pb2_grpc.JobServiceStub(each).WatchJobs(everything, metadata=service.metadata)
            for each in (channel, other)
        )
        jobs: list[str] = []
        read: list[job_pb2.JobEvent] = []
        for _ in range(10):
            jobs += await service.submit(200)
            read += [await eager.read() for _ in range(600)]
        by_account = service.feed._sources.by_account
        held = [len(mailbox._events or ()) for mailbox in by_account.about(ADA)]
        fallen_behind = [mailbox for mailbox in by_account.about(ADA) if mailbox.missed]
        assert len(held) == 2
        assert len(fallen_behind) == 1
        assert max(held) <= 64
        late = [await sluggish.read() for _ in range(len(read))]
        assert [event.cursor for event in late] == [event.cursor for event in read]
        assert [e.job.job_id for e in late if e.sequence == 1] == jobs
        cursors = [int(event.cursor) for event in late]
        assert cursors == sorted(set(cursors))
        for watch in (sluggish, eager):
            watch.cancel()
