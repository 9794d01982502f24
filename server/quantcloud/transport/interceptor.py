"""The one interceptor: admission, request ids, errors, nulls and the access log of every RPC."""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeAlias

import grpc
import grpc.aio
import structlog
from google.protobuf.message import DecodeError, Message

from quantcloud.domain.errors import DomainError, InvalidArgument
from quantcloud.transport import call
from quantcloud.transport.call import Context
from quantcloud.transport.errors import Refusal, internal, rate_limit_headers, refuse, too_late
from quantcloud.transport.gate import Gate, headers_of
from quantcloud.transport.nulls import add_nulls
from quantcloud.transport.patience import Patience
from quantcloud.transport.servicers.watches import Watch

# Infrastructure that anyone may ask, as its own specifications have it.
HEALTH_SERVICE = "/grpc.health.v1."
REFLECTION_SERVICES = "/grpc.reflection."
_MAXIMUM_REQUEST_ID_LENGTH = 128
# Envoy's transcoder notes it, of a call that came over REST.
_REST_PATH = "x-envoy-original-path"
# How long a client may take to read how its stream ended.
_LAST_EVENT_SECONDS = 1.0

log = structlog.stdlib.get_logger(__name__)
# Asking it costs less than a line that is dropped.
_level = logging.getLogger(__name__)

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
Parser: TypeAlias = Callable[[bytes], Any]


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps every RPC of the contract.

    An exception that is no domain error is logged with its request id and told as INTERNAL. While
    a stream lasts its caller's credentials are looked at again, before the first answer that comes
    `recheck_seconds` after they were looked at last. A request that has not arrived within
    `request_seconds` is DEADLINE_EXCEEDED.
    """

    def __init__(
        self, gate: Gate, recheck_seconds: float = 10.0, request_seconds: float = 120.0
    ) -> None:
        self._gate = gate
        self._recheck_seconds = recheck_seconds
        self._patience = Patience(request_seconds)
        # Those of the contract, by their path, as they are wrapped.
        self._handlers: dict[str, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        path = handler_call_details.method
        wrapped = self._handlers.get(path)
        if wrapped is None:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            wrapped = self._handlers[path] = self._wrap(path, handler)
        return wrapped

    def _wrap(self, path: str, handler: "grpc.RpcMethodHandler[Any, Any]") -> Any:
        """Take what is a single request as a stream of them, which is the same on the wire: gRPC
        calls nobody before a single request is there, however long that takes, and keeps its bytes
        for as long as the answers last.
        """
        if path.startswith(REFLECTION_SERVICES):
            return self._reflection(path, handler)
        behaviour: Any = handler.unary_unary or handler.unary_stream
        health, parse = path.startswith(HEALTH_SERVICE), _parser(handler)
        if handler.unary_unary is not None:
            # What watches over a server asks for its health, and is not limited.
            admit = _admit_all if health else self._gate.admit
            return grpc.stream_unary_rpc_method_handler(
                self._unary(path, parse, behaviour, admit),
                request_deserializer=bytes,
                response_serializer=_serialize,
            )
        make = self._health_watch if health else self._stream
        return grpc.stream_stream_rpc_method_handler(
            make(path, parse, behaviour),
            request_deserializer=bytes,
            response_serializer=_serialize,
        )

    async def _request(self, context: Context) -> Any:
        """The bytes of the request, or `EOF`. Raises `Refusal` where they do not arrive."""
        try:
            return await self._patience.wait(context.read())
        except TimeoutError:
            raise too_late() from None

    def _unary(
        self,
        path: str,
        parse: Parser,
        behaviour: Callable[[Any, Context], Awaitable[Any]],
        admit: Callable[[str, Context], Awaitable[None]],
    ) -> Any:
        async def answer(_: object, context: Context) -> Message:
            entry = _Entry(path, context)
            try:
                await admit(path, context)
                response = await behaviour(parse(await self._request(context)), context)
                await entry.send_headers()
            except Exception as error:  # all of them end here
                await entry.abort(error)
                raise AssertionError from error  # abort has raised
            entry.close(grpc.StatusCode.OK)
            return response

        return answer

    def _stream(
        self, path: str, parse: Parser, behaviour: Callable[[Any, Context], Awaitable[Watch]]
    ) -> Any:
        async def answer(_: object, context: Context) -> None:
            entry = _Stream(path, context, self._gate, self._recheck_seconds)
            try:
                await entry.admit()
                self._gate.open_watch()
                try:
                    watch = await behaviour(parse(await self._request(context)), context)
                    try:
                        async for seen in watch.sightings:
                            await watch.send(seen, entry.write)
                            # The next one may be hours away.
                            del seen
                    finally:
                        await watch.sightings.aclose()
                finally:
                    self._gate.close_watch()
            except asyncio.CancelledError:
                entry.close(grpc.StatusCode.CANCELLED)
                raise
            except Exception as error:  # noqa: BLE001  # all of them end here
                await entry.abort(error)
            entry.close(grpc.StatusCode.OK)

        return answer

    def _reflection(self, path: str, handler: "grpc.RpcMethodHandler[Any, Any]") -> Any:
        behaviour: Any = handler.stream_stream

        async def answer(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
            entry = _Entry(path, context)
            try:
                await self._gate.admit_anyone(context)
                with self._gate.stream_of_anyone(context):
                    async for response in behaviour(requests, context):
                        yield response
            except Exception as error:  # noqa: BLE001  # all of them end here
                await entry.abort(error)
            entry.close(grpc.StatusCode.OK)

        return grpc.stream_stream_rpc_method_handler(
            answer,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _health_watch(
        self, path: str, parse: Parser, behaviour: Callable[[Any, Context], Awaitable[Any]]
    ) -> Any:
        async def answer(_: object, context: Context) -> None:
            entry = _Entry(path, context)
            try:
                with self._gate.stream_of_anyone(context):
                    await behaviour(parse(await self._request(context)), context)
            except Exception as error:  # noqa: BLE001  # all of them end here
                await entry.abort(error)

        return answer


async def _admit_all(_path: str, _context: Context) -> None:
    """Let a call in."""


class _Entry:
    """One call's line in the log, its request id, and what its answer says of the caller's rate."""

    __slots__ = ("_began", "_context", "_path", "_sent")

    def __init__(self, path: str, context: Context) -> None:
        self._path = path
        self._context = context
        # Only the log tells, and there may be very many of these.
        self._began = time.monotonic() if _level.isEnabledFor(logging.DEBUG) else 0.0
        self._sent = False

    async def send_headers(self) -> None:
        """Send the headers of an answer that is no error, once."""
        allowance = call.allowance.get()
        if not self._sent and allowance is not None:
            await self._context.send_initial_metadata(rate_limit_headers(allowance))
        self._sent = True

    async def abort(self, error: Exception) -> None:
        """End the call with the status that the error stands for."""
        if isinstance(error, grpc.aio.AbortError):
            raise error
        if isinstance(error, DomainError):
            refusal = refuse(error)
        elif isinstance(error, Refusal):
            refusal = error
        else:
            request_id = self._request_id()
            log.error(
                "unforeseen exception", method=self._path, request_id=request_id, exc_info=error
            )
            refusal = internal(request_id)
        self.close(refusal.code)
        if self._sent and _REST_PATH in headers_of(self._context):
            # Of server-sent events that have begun the end says nothing.
            with suppress(TimeoutError):
                async with asyncio.timeout(_LAST_EVENT_SECONDS):
                    await self._context.write(refusal.last_event)
        metadata = refusal.metadata
        if not self._sent and (allowance := call.allowance.get()) is not None:
            metadata = (*metadata, *rate_limit_headers(allowance))
        await self._context.abort(refusal.code, refusal.message, metadata)

    def close(self, code: grpc.StatusCode) -> None:
        if _level.isEnabledFor(logging.DEBUG):
            log.debug(
                "call",
                method=self._path,
                code=code.name,
                request_id=self._request_id(),
                milliseconds=round((time.monotonic() - self._began) * 1000, 3),
            )

    def _request_id(self) -> str:
        """The caller's own where it is usable."""
        given = headers_of(self._context).get("x-request-id", "")
        usable = 0 < len(given) <= _MAXIMUM_REQUEST_ID_LENGTH and given.isprintable()
        return given if usable else str(uuid.uuid4())


class _Stream(_Entry):
    """That of a call with many answers, whose caller is looked at again now and then."""

    __slots__ = ("_checked", "_gate", "_recheck_seconds")

    def __init__(self, path: str, context: Context, gate: Gate, recheck_seconds: float) -> None:
        super().__init__(path, context)
        self._gate = gate
        self._recheck_seconds = recheck_seconds
        self._checked = 0.0

    async def admit(self) -> None:
        """Let the call in. Raises what `Gate.admit` does."""
        await self._gate.admit(self._path, self._context)
        self._checked = time.monotonic()

    async def write(self, message: bytes) -> None:
        """Send an answer. Raises `Unauthenticated` where the caller may no longer be here."""
        if time.monotonic() - self._checked >= self._recheck_seconds:
            await self._gate.recheck(self._context)
            self._checked = time.monotonic()
        # Only now: an error that comes before every answer has no headers of its own, which Envoy
        # could not turn into a status any more.
        await self.send_headers()
        await self._context.write(message)


def _parser(handler: "grpc.RpcMethodHandler[Any, Any]") -> Parser:
    """The handler's own parser, which refuses what it cannot read.

    It is not left to gRPC, which would tell the caller of the exception.
    """
    own: Any = handler.request_deserializer

    def parse(data: Any) -> Any:
        if data is grpc.aio.EOF:
            raise InvalidArgument("request", "is missing")
        try:
            return own(data)
        except DecodeError as error:
            raise InvalidArgument(
                "request",
                "cannot be read: text must be UTF-8, and messages may be nested 100 deep",
            ) from error

    return parse


def _serialize(message: Message | bytes) -> bytes:
    if isinstance(message, bytes):
        return message
    add_nulls(message)
    return message.SerializeToString()
