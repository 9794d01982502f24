"""The handlers on a real gRPC server: unexpected exceptions and request ids."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status.rpc_status import GRPC_DETAILS_METADATA_KEY

from quantcloud.api.access import AccessControl
from quantcloud.api.handlers import CallHandlers
from quantcloud.auth.authenticator import Authenticator
from quantcloud.auth.limits.open_streams import OpenStreams
from quantcloud.auth.limits.rate_limits import Counter, RequestLimits
from quantcloud.auth.limits.turns import Turns
from quantcloud.auth.tokens.jwt import Issuer, JwtVerifier
from quantcloud.auth.tokens.tickets import Tickets
from quantcloud.settings import DEFAULT_TIERS
from quantcloud.storage import Store
from thequantcloud.v1 import backend_pb2, backend_pb2_grpc, job_pb2, job_pb2_grpc
from unit.api.service import Start

SECRET_TEXT = "the password is hunter2"


class Broken(backend_pb2_grpc.BackendServiceServicer):
    """Raises an unexpected exception."""

    async def ListBackends(self, request, context):  # noqa: N802  # the contract's name
        raise RuntimeError(SECRET_TEXT)

    async def GetBackend(self, request, context):  # noqa: N802  # the contract's name
        return backend_pb2.Backend(name=request.name)


@pytest.fixture
async def channel(tmp_path: Path) -> AsyncIterator[grpc.aio.Channel]:
    store = await Store.open(tmp_path / "quantcloud.db")
    verifier = JwtVerifier(Issuer("s" * 32, "authenticated"))

    def now() -> datetime:
        return datetime.now(UTC)

    tickets = Tickets("s" * 32, now)
    authenticator = Authenticator(verifier, store.accounts, store.api_keys, tickets, now)
    limits = RequestLimits(Counter(now), DEFAULT_TIERS.__getitem__, anonymous=0, failed_logins=0)
    nobody: Any = None
    gate = AccessControl(authenticator, limits, OpenStreams(100), "p" * 32, Turns(nobody))
    handlers = CallHandlers(gate)
    backend_pb2_grpc.add_BackendServiceServicer_to_server(Broken(), handlers)
    job_pb2_grpc.add_JobServiceServicer_to_server(job_pb2_grpc.JobServiceServicer(), handlers)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((handlers,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as opened:
        yield opened
    await server.stop(None)
    await store.close()


async def failure(channel: grpc.aio.Channel, request_id: str) -> grpc.aio.AioRpcError:
    stub = backend_pb2_grpc.BackendServiceStub(channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.ListBackends(
            backend_pb2.ListBackendsRequest(), metadata=(("x-request-id", request_id),)
        )
    return caught.value


async def test_an_unexpected_exception_is_internal_with_only_the_request_id(
    channel: grpc.aio.Channel,
):
    error = await failure(channel, "request-7")
    assert error.code() is grpc.StatusCode.INTERNAL
    request_id = (error.details() or "").removeprefix("internal error; request id ")
    assert len(request_id) == 32
    packed = dict(error.trailing_metadata())[GRPC_DETAILS_METADATA_KEY]
    (detail,) = status_pb2.Status.FromString(packed).details
    info = error_details_pb2.ErrorInfo()
    assert detail.Unpack(info)
    assert (info.reason, dict(info.metadata)) == ("INTERNAL", {"request_id": request_id})
    assert SECRET_TEXT not in str(error)
    assert SECRET_TEXT.encode() not in packed


async def test_an_rpc_without_a_servicer_needs_credentials(
    channel: grpc.aio.Channel,
):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await job_pb2_grpc.JobServiceStub(channel).GetJob(job_pb2.GetJobRequest(id="x"))
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_valid_call_passes(channel: grpc.aio.Channel):
    stub = backend_pb2_grpc.BackendServiceStub(channel)
    assert (await stub.GetBackend(backend_pb2.GetBackendRequest(name="b"))).name == "b"


async def test_a_request_that_cannot_be_read_is_invalid_and_says_why(
    channel: grpc.aio.Channel,
):
    call = channel.unary_unary("/thequantcloud.v1.BackendService/GetBackend")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(b"\x0a\x02\xff\xfe")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == (
        "request: cannot be read: text must be UTF-8, and messages may be nested 100 deep"
    )


@pytest.mark.parametrize(
    "method",
    [
        "/thequantcloud.v1.JobService/GetJob",
        "/thequantcloud.v1.JobService/WatchJob",
        "/thequantcloud.v1.CircuitService/RunAndWatch",
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Watch",
    ],
)
async def test_a_call_whose_request_never_arrives_ends(start: Start, method: str):
    async with (
        start(request_seconds=0.2) as (service, port),
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        call = channel.stream_stream(method)(metadata=service.metadata)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert caught.value.details() == "request: took too long to arrive"
        # A request that has arrived may take longer.
        health = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        await health.read()
        later = asyncio.Event()
        asyncio.get_running_loop().call_later(0.4, later.set)
        await later.wait()
        service.server.set_ready(ready=False)
        assert (await health.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        health.cancel()
