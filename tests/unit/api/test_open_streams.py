"""Limits of open streams on a real gRPC server, with and without credentials."""

from collections.abc import Callable
from typing import Any

import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from thequantcloud.v1 import job_pb2, job_pb2_grpc
from unit.api.service import ADA, MOST, Start, now


async def refusal(call: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    return caught.value


async def opened(open_watch: Callable[[], Any]) -> Any:
    """Return a watch that begins as soon as there is room for it."""
    while True:
        watch = open_watch()
        try:
            await watch.read()
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        else:
            return watch


async def test_an_accounts_open_watches_are_limited_and_each_end_makes_room(start: Start):
    async with start() as (service, port):
        (job, *ending) = await service.submit(1 + MOST)
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        stub = job_pb2_grpc.JobServiceStub(channel)

        def watch(id_: str = job) -> Any:
            return stub.WatchJob(job_pb2.WatchJobRequest(id=id_), metadata=service.metadata)

        # Each way to end: refused before the first answer, end of the job, cancelled.
        for _ in range(MOST + 1):
            assert (await refusal(watch("none"))).code() is grpc.StatusCode.NOT_FOUND
        watches = [await opened(lambda id_=id_: watch(id_)) for id_ in ending]
        refused = await refusal(watch())
        assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert refused.details() == (
            f"too many watches of this account: {MOST} may be open at once; close some"
        )
        # A call that waits for a change counts too.
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


async def test_open_streams_without_credentials_are_limited(start: Start):
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
