"""The standard health service, without its server."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from grpc_health.v1 import health_pb2

from quantcloud.api.servicers.health import HealthServicer

ANSWER = health_pb2.HealthCheckResponse


NO_CONTEXT: Any = None


def status(answers: AsyncIterator[Any]) -> asyncio.Task[Any]:
    """Return a task that reads the next answer."""

    async def read() -> Any:
        return (await anext(answers)).status

    return asyncio.ensure_future(read())


@pytest.mark.parametrize("name", ["", "a.Service", "readiness"])
async def test_a_watcher_that_does_not_read_blocks_no_other(name: str):
    health = HealthServicer(["", "a.Service"])
    request = health_pb2.HealthCheckRequest(service=name)
    stuck, reader = (health.Watch(request, NO_CONTEXT) for _ in range(2))
    async with asyncio.timeout(10):
        for first in (stuck, reader):
            assert await status(first) == ANSWER.NOT_SERVING
        for serving, expected in ((True, ANSWER.SERVING), (False, ANSWER.NOT_SERVING)):
            following = status(reader)
            await asyncio.sleep(0)
            health.set_ready(ready=serving)
            assert await following == expected
            assert (await health.Check(request, NO_CONTEXT)).status == expected


async def test_an_unknown_service_is_not_found_but_can_be_watched():
    watch = HealthServicer([""]).Watch(health_pb2.HealthCheckRequest(service="no.Such"), NO_CONTEXT)
    assert await status(watch) == ANSWER.SERVICE_UNKNOWN


async def test_a_server_that_takes_no_jobs_is_alive():
    health = HealthServicer(["", "a.Service"])
    for ready in (False, True, False):
        health.set_ready(ready=ready)
        request = health_pb2.HealthCheckRequest(service="liveness")
        assert (await health.Check(request, NO_CONTEXT)).status == ANSWER.SERVING
