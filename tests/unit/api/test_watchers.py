"""Watchers on a real gRPC server that leave, vanish, or do not read."""

import asyncio
import signal
import sys
from typing import Any

import grpc.aio
import pytest

from quantcloud.domain.cursors import Listing
from thequantcloud.v1 import job_pb2, job_pb2_grpc
from unit.api.service import ADA, Start, now


class DeadWire:
    """A TCP proxy that, after `cut`, forwards nothing and closes nothing."""

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


async def test_a_watch_on_a_dead_connection_ends_by_keepalive(start: Start):
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


async def test_an_idle_watch_outlives_the_keepalive(start: Start):
    """The job changes long after several pings that the client answered."""
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
from quantcloud.domain.cursors import Listing
from thequantcloud.v1 import job_pb2, job_pb2_grpc
address, token, job = sys.argv[1:]
with grpc.insecure_channel(address) as channel:
    request = job_pb2.WatchJobRequest(id=job)
    metadata = (("authorization", f"Bearer {token}"),)
    for event in job_pb2_grpc.JobServiceStub(channel).WatchJob(request, metadata=metadata):
        print(event.sequence, flush=True)
"""


@pytest.mark.parametrize("how", ["cancel", "close", "kill"])
async def test_the_watch_of_a_client_that_leaves_ends(start: Start, how: str):
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


async def read_events(watch: Any, number: int) -> list[job_pb2.JobEvent]:
    """Read `number` events, in any number of messages."""
    read: list[job_pb2.JobEvent] = []
    while len(read) < number:
        read += (await watch.read()).events
    return read


async def test_a_watcher_that_does_not_read_blocks_no_other_and_costs_little(start: Start):
    """While thousands of events arrive, one of two watchers reads none; later it reads all."""
    # The window does not grow, so unread events stay at the server.
    narrow = (("grpc.http2.bdp_probe", 0),)
    async with (
        start() as (service, port),
        grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=narrow) as channel,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as other,
    ):
        start = service.store.cursors.write(Listing.EVENTS, 0)
        everything = job_pb2.WatchJobsRequest(after_cursor=start)
        sluggish, eager = (
            job_pb2_grpc.JobServiceStub(each).WatchJobs(everything, metadata=service.metadata)
            for each in (channel, other)
        )
        jobs: list[str] = []
        read: list[job_pb2.JobEvent] = []
        for number in range(1, 11):
            jobs += await service.submit(200)
            read += await read_events(eager, 600 * number - len(read))
        by_account = service.feed._sources.by_account
        held = [len(mailbox._events or ()) for mailbox in by_account.about(ADA)]
        fallen_behind = [mailbox for mailbox in by_account.about(ADA) if mailbox.missed]
        assert len(held) == 2
        assert len(fallen_behind) == 1
        assert max(held) <= 64
        late = await read_events(sluggish, len(read))
        assert late == read
        assert [e.job.job_id for e in late if e.sequence == 1] == jobs
        for watch in (sluggish, eager):
            watch.cancel()
