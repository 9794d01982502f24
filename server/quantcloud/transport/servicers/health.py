"""The standard health service, which load balancers ask (`grpc.health.v1`)."""

import asyncio
from collections.abc import Collection

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from quantcloud.transport.call import Context


class HealthServicer(health_pb2_grpc.HealthServicer):
    """Tells the one state of the server for each of the services called `names`, "" among them.

    The servicer that comes with the protocol holds a lock while it writes to a watcher: one that
    reads nothing holds up every other, and the end of the server.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(names)
        self._status = health_pb2.HealthCheckResponse.NOT_SERVING
        self._changed = asyncio.Event()

    def tell(self, *, serving: bool) -> None:
        """Change the state, and let watchers know."""
        answer = health_pb2.HealthCheckResponse
        self._status = answer.SERVING if serving else answer.NOT_SERVING
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def Check(
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> health_pb2.HealthCheckResponse:
        if request.service not in self._names:
            await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such service")
        return health_pb2.HealthCheckResponse(status=self._status)

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Context) -> None:
        """The state now, and each that comes."""
        unknown = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        while True:
            changed = self._changed
            status = self._status if request.service in self._names else unknown
            await context.write(health_pb2.HealthCheckResponse(status=status))
            await changed.wait()
