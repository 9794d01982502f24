"""The handlers of every RPC: each is one of the kinds of calls."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar, cast

import grpc
import grpc.aio
from google.protobuf.message import DecodeError, Message

from quantcloud.aio.deadlines import Deadlines
from quantcloud.api import refusals, uploads
from quantcloud.api.access import AccessControl
from quantcloud.api.calls import BidiStream, Parser, RunCall, ServerStream, UnaryCall
from quantcloud.api.session import Rules
from quantcloud.domain.errors import InvalidArgument

# Its type depends on the method, which is known only when a call comes.
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Request = TypeVar("Request", bound=Message)
# The stream whose servicer marks its last answer.
_RUN_AND_WATCH = "/thequantcloud.v1.CircuitService/RunAndWatch"


class CallHandlers(grpc.GenericRpcHandler):
    """The handlers of every RPC. See `Rules` for `recheck_seconds`.

    If a single request does not arrive within `request_seconds`, it answers DEADLINE_EXCEEDED.

    Servicers are added to it as to a server. gRPC would wait for calls of each registered method
    separately, and ask one handler of each service after the other.
    """

    def __init__(
        self, access: AccessControl, recheck_seconds: float = 10.0, request_seconds: float = 120.0
    ) -> None:
        self._rules = Rules(access, Deadlines(request_seconds), recheck_seconds)
        self._by_path: dict[str, Handler] = {
            uploads.PATH: uploads.handler(self._rules),
            refusals.PATH: refusals.handler(self._rules),
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "Handler | None":
        """Return the handler of a call, or None for an unknown RPC."""
        return self._by_path.get(handler_call_details.method)

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """Add the methods of a servicer."""
        for name, handler in handlers.items():
            path = f"/{service}/{name}"
            self._by_path[path] = self._wrapped(path, handler)

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """Do nothing: generated code adds the same methods in both ways."""

    def _wrapped(self, path: str, handler: Handler) -> Handler:
        """Handle a single request as a stream of requests, which is the same on the wire.

        Otherwise gRPC would not call the handler before the request is complete, which may take
        long, and would keep the request's bytes until the answers end.
        """
        parse = _parser(handler.request_deserializer)
        # gRPC's stubs describe servicers that are not asynchronous.
        servicer = cast("Any", handler.unary_unary or handler.unary_stream or handler.stream_stream)
        # On the wire, one answer is a stream of one answer too.
        if handler.unary_unary is not None or path == _RUN_AND_WATCH:
            call = RunCall if handler.unary_unary is None else UnaryCall
            return grpc.stream_unary_rpc_method_handler(
                call(path, self._rules, parse, servicer).answer,
                request_deserializer=bytes,
                response_serializer=bytes,
            )
        kind = ServerStream if handler.unary_stream is not None else BidiStream
        return grpc.stream_stream_rpc_method_handler(
            kind(path, self._rules, parse, servicer).answer,
            request_deserializer=bytes,
            response_serializer=bytes,
        )


def _parser(own: Callable[[bytes], Request] | None) -> Parser[Request]:
    """Return a parser that raises `InvalidArgument` for invalid bytes.

    If gRPC called the parser itself, it would send the text of the exception to the caller.
    """
    if own is None:
        raise ValueError("a method has no parser")

    def parse(data: bytes) -> Request:
        if cast("object", data) is grpc.aio.EOF:
            raise InvalidArgument("request", "is missing")
        try:
            return own(data)
        except DecodeError as error:
            raise InvalidArgument(
                "request",
                "cannot be read: text must be UTF-8, and messages may be nested 100 deep",
            ) from error

    return parse
