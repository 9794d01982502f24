"""The standard health service, without its server."""

import asyncio
from typing import Any

import pytest
from grpc_health.v1 import health_pb2

from quantcloud.api.servicers.health import HealthServicer

ANSWER = health_pb2.HealthCheckResponse


class Reader:
    """A client's context in the servicer; `reads` says whether it reads what is written."""

    def __init__(self, *, reads: bool = True) -> None:
        self._reads = reads
        self.writes: asyncio.Queue[Any] = asyncio.Queue()

    async def write(self, answer: Any) -> None:
        self.writes.put_nowait(answer.status)
        if not self._reads:
            await asyncio.Event().wait()


@pytest.mark.parametrize("name", ["", "a.Service", "readiness"])
async def test_a_watcher_that_does_not_read_blocks_no_other(name: str):
    health = HealthServicer(["", "a.Service"])
    stuck, reader = Reader(reads=False), Reader()
    request = health_pb2.HealthCheckRequest(service=name)
    watches = [asyncio.ensure_future(health.Watch(request, each)) for each in (stuck, reader)]
    async with asyncio.timeout(10):
        await stuck.writes.get()
        assert await reader.writes.get() == ANSWER.NOT_SERVING
        for serving, status in ((True, ANSWER.SERVING), (False, ANSWER.NOT_SERVING)):
            health.set_ready(ready=serving)
            assert await reader.writes.get() == status
            assert (await health.Check(request, reader)).status == status
    for watch in watches:
        watch.cancel()


async def test_an_unknown_service_is_not_found_but_can_be_watched():
    health, reader = HealthServicer([""]), Reader()
    watch = asyncio.ensure_future(
        health.Watch(health_pb2.HealthCheckRequest(service="no.Such"), reader)
    )
    assert await reader.writes.get() == ANSWER.SERVICE_UNKNOWN
    watch.cancel()


async def test_a_server_that_takes_no_jobs_is_alive():
    health, reader = HealthServicer(["", "a.Service"]), Reader()
    for ready in (False, True, False):
        health.set_ready(ready=ready)
        request = health_pb2.HealthCheckRequest(service="liveness")
        assert (await health.Check(request, reader)).status == ANSWER.SERVING
