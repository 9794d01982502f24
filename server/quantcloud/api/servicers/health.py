"""The standard health service, which load balancers ask (`grpc.health.v1`)."""

import asyncio
from collections.abc import Collection
from typing import Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from quantcloud.api.context import Context

LIVENESS: Final = "liveness"
READINESS: Final = "readiness"


class HealthServicer(health_pb2_grpc.HealthServicer):
    """Answers for `liveness`, for `readiness`, and for the services called `names`.

    `liveness` is SERVING whenever there is an answer: the process works. A server that is not alive
    is to be started again. All others are SERVING while this server can take jobs. One that cannot
    is to be sent none, and to be left alone.

    The servicer that comes with the protocol holds a lock while it writes to a watcher: one that
    reads nothing holds up every other, and the end of the server.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset({*names, READINESS})
        self._ready = health_pb2.HealthCheckResponse.NOT_SERVING
        self._changed = asyncio.Event()

    def tell(self, *, ready: bool) -> None:
        """Change the state, and let watchers know."""
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

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Context) -> None:
        """The state now, and each that comes."""
        while True:
            changed = self._changed
            await context.write(self._answer(request.service))
            await changed.wait()
