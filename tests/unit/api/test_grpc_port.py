"""The gRPC port without credentials: many concurrent calls, calls that are reset, and pings."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import grpc
import grpc.aio

from support.clients.http2 import (
    CANCEL,
    GOAWAY,
    MAX_CONCURRENT_STREAMS,
    PING,
    RST_STREAM,
    SETTINGS,
    Frame,
    RawConnection,
    answers_to_pings,
    frame,
    headers,
)
from thequantcloud.v1 import job_pb2, job_pb2_grpc
from unit.api.service import PATIENCE_SECONDS, Start

CALL = (
    (":method", "POST"), (":scheme", "http"), (":path", "/thequantcloud.v1.JobService/GetJob"),
    (":authority", "x"), ("te", "trailers"), ("content-type", "application/grpc"),
)  # fmt: skip


def first(frames: Iterator[Frame], kinds: set[int]) -> Frame:
    return next(got for got in frames if got.kind in kinds)


async def test_the_server_announces_its_limit_of_calls_per_connection(start: Start):
    async with start() as (_, port):
        with RawConnection(f"127.0.0.1:{port}") as connection:
            announced = await asyncio.to_thread(first, connection.frames(), {SETTINGS})
    pairs = [announced.payload[at : at + 6] for at in range(0, len(announced.payload), 6)]
    settings = {int.from_bytes(p[:2], "big"): int.from_bytes(p[2:], "big") for p in pairs}
    assert settings[MAX_CONCURRENT_STREAMS] == 128


async def test_calls_beyond_what_a_connection_takes_wait_for_their_turn(start: Start):
    """gRPC clients queue them. The server refuses none while it cleans up earlier ones."""
    async with start() as (service, port):
        (job,) = await service.submit()
        request = job_pb2.GetJobRequest(id=job)

        def burst() -> Counter[grpc.StatusCode]:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                ask = job_pb2_grpc.JobServiceStub(channel).GetJob.future
                codes = Counter[grpc.StatusCode]()
                for _ in range(4):
                    calls = [ask(request, metadata=service.metadata) for _ in range(500)]
                    codes.update(call.code() for call in calls)
                return codes

        assert await asyncio.to_thread(burst) == {grpc.StatusCode.OK: 2000}


async def test_calls_that_a_client_opens_and_resets_do_not_disturb_others(start: Start):
    """The test opens more calls than gRPC queues by default, before the event loop reads any."""
    async with start() as (service, port):
        (job,) = await service.submit()
        address = f"127.0.0.1:{port}"
        reset = CANCEL.to_bytes(4, "big")
        async with grpc.aio.insecure_channel(address) as channel:
            await channel.channel_ready()
            with ExitStack() as connections:
                for _ in range(50):
                    connections.enter_context(RawConnection(address)).send(
                        b"".join(
                            headers(stream, 0, CALL) + frame(RST_STREAM, 0, stream, reset)
                            for stream in range(1, 400, 2)
                        )
                    )
                got = await job_pb2_grpc.JobServiceStub(channel).GetJob(
                    job_pb2.GetJobRequest(id=job), metadata=service.metadata
                )
            assert got.job_id == job


async def test_connections_beyond_the_limit_are_closed(start: Start):
    async with start(max_connections=3, handshake_seconds=3600.0) as (_, port):
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert [await reader.read() for reader, _ in silent[3:]] == [b"", b""]
        for _, writer in silent:
            writer.close()


async def test_silent_connections_end(start: Start):
    async with start(max_connections=3, handshake_seconds=0.1) as (_, port):
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*(reader.read() for reader, _ in silent))
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            await asyncio.wait_for(channel.channel_ready(), PATIENCE_SECONDS)
        for _, writer in silent:
            writer.close()


async def test_a_client_may_ping_while_it_has_no_calls(start: Start):
    """By default it may ping every 5 s: gRPC clients ping every 10 s, and delays may vary that."""
    async with start(ping_seconds=0.05) as (_, port):
        patient = await asyncio.to_thread(answers_to_pings, f"127.0.0.1:{port}", 8, 0.06)
        assert patient == {PING}
    async with start() as (_, port):
        hasty = await asyncio.to_thread(answers_to_pings, f"127.0.0.1:{port}", 8, 0.0)
        assert GOAWAY in hasty
