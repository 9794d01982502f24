"""The gRPC server: every service of the contract, health and reflection on one port."""

from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from quantcloud.api.access import CONTRACT, AccessControl
from quantcloud.api.handlers import CallHandlers
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
from quantcloud.services.saved_circuits import SavedCircuitUseCases
from thequantcloud.v1 import (
    account_pb2_grpc,
    api_key_pb2_grpc,
    backend_pb2_grpc,
    circuit_pb2_grpc,
    job_pb2_grpc,
    status_pb2_grpc,
)

# How much longer a JSON body may become as protobuf.
_ROOM_BYTES = 2 * 1024 * 1024
_UNLIMITED = -1
# HTTP/2 counts 32 bytes more for each header, and Envoy adds some headers.
_HEADER_ROOM_BYTES = 4 * 1024

# Concurrent calls on one connection. Calls that a client opens and resets count until they are
# cleaned up. So a client cannot queue more than this for the event loop, which handles calls in
# order. When a connection is full, Envoy opens another one; other clients must do the same.
MAX_STREAMS = 128
# The least number of calls that may wait for the event loop. A call takes about 20 KiB.
_MIN_PENDING = 40_000

_OPTIONS = (
    ("grpc.max_send_message_length", _UNLIMITED),
    # Otherwise two servers on one port would silently share its calls.
    ("grpc.so_reuseport", 0),
    ("grpc.max_concurrent_streams", MAX_STREAMS),
    # It would count calls that have already ended for the client, and refuse new ones instead.
    ("grpc.http.overload_protection", 0),
    # Client and server may ping while there are no calls.
    ("grpc.keepalive_permit_without_calls", 1),
    # No limit on pings while no other data is sent.
    ("grpc.http2.max_pings_without_data", 0),
    # If a header's value is invalid, gRPC caches that with the header's name, and refuses later
    # calls that refer to the name. Envoy makes calls for all clients, so this cache is off.
    ("grpc.http2.hpack_table_size.decoder", 0),
    # Otherwise gRPC would receive megabytes of each request before anything reads it. When a
    # request is read, gRPC receives all of its rest.
    ("grpc.http2.bdp_probe", 0),
)

SERVICE_NAMES = tuple(
    service.full_name
    for module in CONTRACT
    for service in module.DESCRIPTOR.services_by_name.values()
)


@value_object
class UseCases:
    """The use cases that the servicers call."""

    platform: PlatformUseCases
    accounts: AccountUseCases
    circuits: CircuitUseCases
    saved_circuits: SavedCircuitUseCases
    jobs: JobUseCases


class GrpcServer:
    """The gRPC server. It accepts all bodies, headers and requests that Envoy forwards.

    If a client vanishes without closing, its calls end within two times `keepalive_seconds`. If a
    single request does not arrive, its call ends after `request_seconds`. A client may ping every
    `ping_seconds`, with or without calls. If it pings more often, the server closes the connection.
    Envoy forwards up to `max_requests` of each of its two kinds of requests. At least as many
    calls may wait for the event loop. The port closes connections beyond `max_connections`, and
    those that do not speak TLS and HTTP/2 within `handshake_seconds`. A connection is told to end
    after `connection_age_seconds`; its open calls go on.
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
        max_connections: int = 10_000,
        handshake_seconds: float = 20.0,
        connection_age_seconds: float = 3600.0,
    ) -> None:
        # gRPC answers calls beyond this with CANCELLED, as if their clients had cancelled them.
        pending = max(_MIN_PENDING, 2 * max_requests)
        keepalive = round(keepalive_seconds * 1000)
        self._health = HealthServicer(("", *SERVICE_NAMES))
        self._server = grpc.aio.server(
            options=(
                *_OPTIONS,
                ("grpc.keepalive_time_ms", keepalive),
                ("grpc.keepalive_timeout_ms", keepalive),
                # The socket of our own Envoy counts its connections apart.
                ("grpc.max_allowed_incoming_connections", max_connections),
                ("grpc.server_handshake_timeout_ms", round(handshake_seconds * 1000)),
                ("grpc.max_connection_age_ms", round(connection_age_seconds * 1000)),
                # How long a ping may stay unanswered. The option above does not shorten this time.
                ("grpc.http2.ping_timeout_ms", keepalive),
                ("grpc.http2.min_ping_interval_without_data_ms", round(ping_seconds * 1000)),
                # gRPC refuses no calls below the first limit, and all calls above the second.
                ("grpc.server.max_pending_requests", pending),
                ("grpc.server.max_pending_requests_hard_limit", pending),
                ("grpc.max_receive_message_length", max_body_bytes + _ROOM_BYTES),
                ("grpc.max_metadata_size", max_header_kib * 1024 + _HEADER_ROOM_BYTES),
            ),
        )
        server: Any = CallHandlers(access, recheck_seconds, request_seconds)
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
            CircuitServicer(use_cases.circuits, use_cases.saved_circuits, use_cases.jobs, watches),
            server,
        )
        job_pb2_grpc.add_JobServiceServicer_to_server(JobServicer(use_cases.jobs, watches), server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        names = (
            *SERVICE_NAMES,
            health_pb2.DESCRIPTOR.services_by_name["Health"].full_name,
            reflection.SERVICE_NAME,
        )
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(  # pyright: ignore[reportUnknownMemberType]
            reflection.aio.ReflectionServicer(names), server
        )
        self._server.add_generic_rpc_handlers((server,))

    async def start(
        self,
        host: str,
        port: int,
        *,
        credentials: grpc.ServerCredentials | None = None,
        socket: Path | None = None,
    ) -> int:
        """Serve on `host`, with TLS if there are credentials, and without at a Unix socket.

        Return the port: any free one if 0. Raises `OSError` if it is taken.
        """
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            if socket is not None:
                self._server.add_insecure_port(f"unix:{socket}")
            bound = (
                self._server.add_insecure_port(address)
                if credentials is None
                else self._server.add_secure_port(address, credentials)
            )
        except RuntimeError as error:
            raise OSError(
                f"cannot serve gRPC on {address}: the port is taken, or the address is not ours"
            ) from error
        await self._server.start()
        self._health.set_ready(ready=True)
        return bound

    def set_ready(self, ready: bool) -> None:  # noqa: FBT001  # a listener's signature
        """Set whether load balancers may send jobs."""
        self._health.set_ready(ready=ready)

    async def stop(self, grace: float) -> None:
        """Accept no more calls, and end calls that are unfinished after `grace` seconds."""
        await self._server.stop(grace)
