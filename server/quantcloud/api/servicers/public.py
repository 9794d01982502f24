"""StatusService and BackendService, which need no credentials."""

from importlib.metadata import version

from quantcloud import DISTRIBUTION
from quantcloud.api.context import Context
from quantcloud.api.convert import platform as convert
from quantcloud.api.convert.values import timestamp
from quantcloud.domain.errors import Unavailable
from quantcloud.services.platform import PlatformUseCases
from thequantcloud.v1 import backend_pb2, backend_pb2_grpc, status_pb2, status_pb2_grpc


class StatusServicer(status_pb2_grpc.StatusServiceServicer):
    """The service's own state."""

    def __init__(self, platform: PlatformUseCases) -> None:
        self._platform = platform
        self._version = version(DISTRIBUTION)

    async def GetHealth(
        self, request: status_pb2.GetHealthRequest, context: Context
    ) -> status_pb2.GetHealthResponse:
        problem, now = self._platform.health()
        at = timestamp(now)
        if problem is not None:
            # Envoy adds these fields to the body, so that it has those of a healthy answer.
            raise Unavailable(
                problem.message,
                reason=problem.reason,
                metadata={"version": self._version, "timestamp": at.ToJsonString()},
            )
        return status_pb2.GetHealthResponse(status="healthy", version=self._version, timestamp=at)

    async def GetStatus(
        self, request: status_pb2.GetStatusRequest, context: Context
    ) -> status_pb2.GetStatusResponse:
        report = await self._platform.report()
        return status_pb2.GetStatusResponse(
            status=status_pb2.GetStatusResponse.operational
            if report.operational
            else status_pb2.GetStatusResponse.degraded,
            backends=convert.statuses(report.backends),
            active_jobs=report.active_jobs,
            timestamp=timestamp(report.at),
        )


class BackendServicer(backend_pb2_grpc.BackendServiceServicer):
    """The backends that run circuits."""

    def __init__(self, platform: PlatformUseCases) -> None:
        self._platform = platform

    async def ListBackends(
        self, request: backend_pb2.ListBackendsRequest, context: Context
    ) -> backend_pb2.ListBackendsResponse:
        backends = [convert.backend(report) for report in await self._platform.backends()]
        return backend_pb2.ListBackendsResponse(backends=backends, count=len(backends))

    async def GetBackend(
        self, request: backend_pb2.GetBackendRequest, context: Context
    ) -> backend_pb2.Backend:
        return convert.backend(await self._platform.backend(request.name))
