"""The gRPC server: every service of the contract, health and reflection on one port."""

from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from quantcloud.api.access import CONTRACT, AccessControl
from quantcloud.api.interceptor import CallInterceptor
from quantcloud.api.servicers.accounts import AccountServicer, ApiKeyServicer
from quantcloud.api.servicers.circuits import CircuitServicer
from quantcloud.api.servicers.health import HealthServicer
from quantcloud.api.servicers.jobs import JobServicer
from quantcloud.api.servicers.public import BackendServicer, StatusServicer
from quantcloud.api.servicers.watches import Watches
from quantcloud.domain.value_object import value_object
from quantcloud.services.accounts import AccountUseCases
from quantcloud.services.circuits import CircuitUseCases
from quantcloud.services.jobs import JobUseCases
from quantcloud.services.platform import PlatformUseCases
from thequantcloud.v1 import (
    account_pb2_grpc,
    api_key_pb2_grpc,
    backend_pb2_grpc,
    circuit_pb2_grpc,
    job_pb2_grpc,
    status_pb2_grpc,
)

# A body in JSON is hardly longer as protobuf.
_ROOM_BYTES = 2 * 1024 * 1024
_UNLIMITED = -1
# HTTP/2 counts 32 bytes more for each header, and Envoy adds some.
_HEADER_ROOM_BYTES = 4 * 1024

# Calls at once on one connection. Those that a client opens and resets count until they are cleaned
# up, so a client cannot queue more than this for the event loop, which takes all calls in turn.
# Envoy opens another connection when one is full; other clients have to.
MAX_STREAMS = 128
# Calls that may wait for the event loop, about 20 KiB each, however few Envoy lets through.
_MIN_PENDING = 40_000

_OPTIONS = (
    ("grpc.max_send_message_length", _UNLIMITED),
    # Two servers on one port would share its calls in silence.
    ("grpc.so_reuseport", 0),
    ("grpc.max_concurrent_streams", MAX_STREAMS),
    # It would count calls whose end the client has seen already, and refuse the next ones for them.
    ("grpc.http.overload_protection", 0),
    # Clients may ping, and the server does, while there are no calls.
    ("grpc.keepalive_permit_without_calls", 1),
    # However long nothing is sent otherwise.
    ("grpc.http2.max_pings_without_data", 0),
    # gRPC remembers with a header's name that its value could not be read, and refuses later calls
    # that refer to the name. Envoy makes calls for everyone: so no names are remembered.
    ("grpc.http2.hpack_table_size.decoder", 0),
    # Or gRPC would take in megabytes of each request that nobody reads yet. Of one that is read it
    # takes in all that is left.
    ("grpc.http2.bdp_probe", 0),
)

SERVICE_NAMES = tuple(
    service.full_name
    for module in CONTRACT
    for service in module.DESCRIPTOR.services_by_name.values()
)


@value_object
class UseCases:
    """All that the servicers call."""

    platform: PlatformUseCases
    accounts: AccountUseCases
    circuits: CircuitUseCases
    jobs: JobUseCases


class _AnyMethod:
    """Adds services to a server that takes calls of whichever method.

    For each method that it knows beforehand gRPC would wait for calls apart, and begin to wait on
    all of them again with each call.
    """

    def __init__(self, server: grpc.aio.Server) -> None:
        self.add_generic_rpc_handlers = server.add_generic_rpc_handlers

    def add_registered_method_handlers(self, service: str, handlers: object) -> None:
        """What is meant to be left out."""


class GrpcServer:
    """The server on its port. What Envoy lets through of bodies, headers and requests, it takes.

    Calls whose client vanished without a word end within two times `keepalive_seconds`, and those
    whose single request does not arrive after `request_seconds`. A client may ping every
    `ping_seconds`, with or without calls; the connection of one that pings more often is closed.
    `max_requests` is what Envoy lets through of each of its two kinds; at least as many calls may
    wait for the event loop. Raises `OSError` where the port is taken.
    """

    def __init__(
        self,
        use_cases: UseCases,
        access: AccessControl,
        *,
        max_body_bytes: int = 8 * 1024 * 1024,
        max_header_kib: int = 12,
        recheck_seconds: float = 10.0,
        keepalive_seconds: float = 20.0,
        request_seconds: float = 120.0,
        ping_seconds: float = 5.0,
        max_requests: int = 20_000,
    ) -> None:
        # gRPC answers calls beyond this with CANCELLED, as if their clients had hung up.
        pending = max(_MIN_PENDING, 2 * max_requests)
        keepalive = round(keepalive_seconds * 1000)
        self._health = HealthServicer(("", *SERVICE_NAMES))
        self._server = grpc.aio.server(
            interceptors=[CallInterceptor(access, recheck_seconds, request_seconds)],
            options=(
                *_OPTIONS,
                ("grpc.keepalive_time_ms", keepalive),
                ("grpc.keepalive_timeout_ms", keepalive),
                # How long a ping may go unanswered; the one above does not shorten it.
                ("grpc.http2.ping_timeout_ms", keepalive),
                ("grpc.http2.min_ping_interval_without_data_ms", round(ping_seconds * 1000)),
                # Below the first of these limits none is refused, and above the second all are.
                ("grpc.server.max_pending_requests", pending),
                ("grpc.server.max_pending_requests_hard_limit", pending),
                ("grpc.max_receive_message_length", max_body_bytes + _ROOM_BYTES),
                ("grpc.max_metadata_size", max_header_kib * 1024 + _HEADER_ROOM_BYTES),
            ),
        )
        server: Any = _AnyMethod(self._server)
        watches = Watches(use_cases.jobs)
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
            CircuitServicer(use_cases.circuits, use_cases.jobs, watches), server
        )
        job_pb2_grpc.add_JobServiceServicer_to_server(JobServicer(use_cases.jobs, watches), server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        # It looks at what it is added to.
        reflection.enable_server_reflection(
            (*SERVICE_NAMES, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name,
             reflection.SERVICE_NAME),
            self._server,
        )  # fmt: skip

    async def start(self, host: str, port: int) -> int:
        """Serve on `host`; the port, which is any free one where `port` is 0."""
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            bound = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise OSError(
                f"cannot serve gRPC on {address}: the port is taken, or the address is not ours"
            ) from error
        await self._server.start()
        self._health.tell(ready=True)
        return bound

    def tell(self, ready: bool) -> None:  # noqa: FBT001  # a listener's signature
        """Tell load balancers whether to send jobs."""
        self._health.tell(ready=ready)

    async def stop(self, grace: float) -> None:
        """Take no more calls, and end those that have not ended after `grace` seconds."""
        await self._server.stop(grace)
