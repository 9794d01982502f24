"""The gRPC server: every service of the contract, health and reflection on one port."""

from dataclasses import dataclass

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as aio_health
from grpc_reflection.v1alpha import reflection

from quantcloud.auth.authenticator import Authenticator
from quantcloud.services.accounts import AccountUseCases
from quantcloud.services.circuits import CircuitUseCases
from quantcloud.services.jobs import JobUseCases
from quantcloud.services.platform import PlatformUseCases
from quantcloud.transport.interceptor import CONTRACT, CallInterceptor
from quantcloud.transport.servicers.accounts import AccountServicer, ApiKeyServicer
from quantcloud.transport.servicers.circuits import CircuitServicer
from quantcloud.transport.servicers.jobs import JobServicer
from quantcloud.transport.servicers.public import BackendServicer, StatusServicer
from thequantcloud.v1 import (
    account_pb2_grpc,
    api_key_pb2_grpc,
    backend_pb2_grpc,
    circuit_pb2_grpc,
    job_pb2_grpc,
    status_pb2_grpc,
)

# A circuit may be 8 MiB, and its request carries a little more than it.
MAXIMUM_REQUEST_BYTES = 10 * 1024 * 1024
_UNLIMITED = -1
_KEEPALIVE_MILLISECONDS = 20_000

_OPTIONS = (
    ("grpc.max_receive_message_length", MAXIMUM_REQUEST_BYTES),
    ("grpc.max_send_message_length", _UNLIMITED),
    # Envoy lets headers of 12 KiB pass; HTTP/2 counts 32 bytes more for each.
    ("grpc.max_metadata_size", 16 * 1024),
    # Two servers on one port would share its calls in silence.
    ("grpc.so_reuseport", 0),
    # Watches whose client vanished without a word end within two of these.
    ("grpc.keepalive_time_ms", _KEEPALIVE_MILLISECONDS),
    ("grpc.keepalive_timeout_ms", _KEEPALIVE_MILLISECONDS),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)

SERVICE_NAMES = tuple(
    service.full_name
    for module in CONTRACT
    for service in module.DESCRIPTOR.services_by_name.values()
)


@dataclass(frozen=True, slots=True)
class UseCases:
    """All that the servicers call."""

    platform: PlatformUseCases
    accounts: AccountUseCases
    circuits: CircuitUseCases
    jobs: JobUseCases


class GrpcServer:
    """The server on its port. Raises `OSError` where the port is taken."""

    def __init__(self, use_cases: UseCases, authenticator: Authenticator) -> None:
        self._health = aio_health.HealthServicer()
        self._server = grpc.aio.server(
            interceptors=[CallInterceptor(authenticator)], options=_OPTIONS
        )
        server = self._server
        status_pb2_grpc.add_StatusServiceServicer_to_server(
            StatusServicer(use_cases.platform), server
        )
        backend_pb2_grpc.add_BackendServiceServicer_to_server(
            BackendServicer(use_cases.platform), server
        )
        api_key_pb2_grpc.add_ApiKeyServiceServicer_to_server(
            ApiKeyServicer(use_cases.accounts), server
        )
        account_pb2_grpc.add_AccountServiceServicer_to_server(
            AccountServicer(use_cases.accounts), server
        )
        circuit_pb2_grpc.add_CircuitServiceServicer_to_server(
            CircuitServicer(use_cases.circuits), server
        )
        job_pb2_grpc.add_JobServiceServicer_to_server(JobServicer(use_cases.jobs), server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection(
            (*SERVICE_NAMES, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name,
             reflection.SERVICE_NAME),
            server,
        )  # fmt: skip

    async def start(self, host: str, port: int) -> int:
        """Serve on `host`; the port, which is any free one where `port` is 0."""
        try:
            bound = self._server.add_insecure_port(f"{host}:{port}")
        except RuntimeError as error:
            raise OSError(f"cannot serve gRPC on {host}:{port}: is the port taken?") from error
        await self._server.start()
        for name in ("", *SERVICE_NAMES):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return bound

    async def drain(self) -> None:
        """Tell load balancers to send nothing more."""
        await self._health.enter_graceful_shutdown()

    async def stop(self, grace: float) -> None:
        """Take no more calls, and end those that have not ended after `grace` seconds."""
        await self._server.stop(grace)
