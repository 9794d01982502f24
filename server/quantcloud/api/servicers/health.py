"""The standard health service for load balancers (`grpc.health.v1`)."""

import asyncio
from collections.abc import AsyncGenerator, Collection
from typing import Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from quantcloud.api.context import Context

LIVENESS: Final = "liveness"
READINESS: Final = "readiness"


class HealthServicer(health_pb2_grpc.HealthServicer):
    """Answers for `liveness`, for `readiness`, and for the services called `names`.

    `liveness` is always SERVING: if there is an answer, the process works. Restart a server that
    does not answer. The others are SERVING while this server can take jobs. If they are not, send
    it no jobs, but do not restart it.

    grpcio's own health servicer holds a lock while it writes to a watcher. So a watcher that does
    not read blocks all others, and the server's shutdown.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset({*names, READINESS})
        self._ready = health_pb2.HealthCheckResponse.NOT_SERVING
        self._changed = asyncio.Event()

    def set_ready(self, *, ready: bool) -> None:
        """Change the state and notify watchers."""
        answer = health_pb2.HealthCheckResponse
        self._ready = answer.SERVING if ready else answer.NOT_SERVING
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _answer(self, name: str) -> health_pb2.HealthCheckResponse:
        answer = health_pb2.HealthCheckResponse
        if name == LIVENESS:
            return answer(status=answer.SERVING)
        return answer(status=self._ready if name in self._names else answer.SERVICE_UNKNOWN)

    async def Check(
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> health_pb2.HealthCheckResponse:
        answer = self._answer(request.service)
        if answer.status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN:
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such service")
        return answer

    async def Watch(
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> AsyncGenerator[health_pb2.HealthCheckResponse]:
        """Yield the current state, and then each new one."""
        while True:
            changed = self._changed
            yield self._answer(request.service)
            await changed.wait()
