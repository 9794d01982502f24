"""A client whose calls a test answers one by one, over grpcio-testing's channel."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import Any, TypeVar

import grpc
import grpc_testing
import pytest
from google.protobuf.descriptor import MethodDescriptor

from quantcloud.client.network import transport
from thequantcloud.v1 import account_pb2, api_key_pb2, circuit_pb2, job_pb2

T = TypeVar("T")
_SECONDS = 10
"""How long a call may be missing before the test fails."""
_OK = grpc.StatusCode.OK
_METHODS = {
    method.name: method
    for module in (account_pb2, api_key_pb2, circuit_pb2, job_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}


class Call:
    """One call of the client, with its metadata and, unless it is a stream of them, its request."""

    def __init__(self, channel: grpc_testing.Channel, method: MethodDescriptor) -> None:
        self._answers_once = not method.server_streaming
        if method.client_streaming:
            metadata, self._rpc = channel.take_stream_stream(method)
        elif method.server_streaming:
            metadata, self.request, self._rpc = channel.take_unary_stream(method)
        else:
            metadata, self.request, self._rpc = channel.take_unary_unary(method)
        self.metadata = dict(metadata)

    def receive(self) -> Any:
        """Return the next request of a stream."""
        return later(self._rpc.take_request).result(_SECONDS)

    def send(self, message: Any) -> None:
        """Send a message of a stream."""
        self._rpc.send_response(message)

    def end(self, response: Any = None, status: grpc.Status | None = None) -> None:
        """End the call with its response, or with a status."""
        answer = (response,) if self._answers_once else ()
        code, details, trailing = _OK, "", ()
        if status is not None:
            code, details = status.code, status.details
            trailing = tuple(status.trailing_metadata or ())
        self._rpc.terminate(*answer, trailing, code, details)


class Answered:
    """Answers the calls of clients. `pauses` are the seconds between attempts, which none waits."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.pauses: list[float] = []
        self._channel = grpc_testing.channel([], grpc_testing.strict_real_time())
        patch.setattr(grpc, "insecure_channel", lambda *_, **__: self._channel)

        async def pause(_: Any, seconds: float) -> None:
            self.pauses.append(seconds)

        patch.setattr(transport.Blocking, "sleep", pause)

    def call(self, name: str) -> Call:
        """Wait for the next call of an RPC."""
        return later(lambda: Call(self._channel, _METHODS[name])).result(_SECONDS)


def later(work: Callable[[], T]) -> Future[T]:
    """Do work in a thread of its own. One that never ends does not keep the tests from ending."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001  # the test gets it
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future
