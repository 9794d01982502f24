"""The interceptor of every RPC: admission, request ids, errors, JSON nulls and the access log."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from typing import Any, Protocol, TypeAlias

import grpc
import grpc.aio
from google.protobuf.message import DecodeError, Message

from quantcloud.aio.deadlines import Deadlines
from quantcloud.api import uploads
from quantcloud.api.access import AccessControl
from quantcloud.api.context import Context
from quantcloud.api.convert.limits import check
from quantcloud.api.errors import request_timeout
from quantcloud.api.json_nulls import add_json_nulls
from quantcloud.api.session import BidiSession, Session, StreamSession
from quantcloud.domain.errors import InvalidArgument

# Infrastructure services. Their specifications let anyone call them.
HEALTH_SERVICE = "/grpc.health.v1."
REFLECTION_SERVICES = "/grpc.reflection."

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
Parser: TypeAlias = Callable[[bytes], Any]


class Answers(Protocol):
    """The answers of a watch: its updates, and how to send one."""

    updates: AsyncGenerator[Any]

    async def send(self, update: Any, write: Callable[[bytes], Awaitable[None]], /) -> None: ...


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps every RPC of the contract.

    Logs an exception that is not a domain error with its request id, and answers INTERNAL. During
    a stream, it checks the credentials again before an answer if the last check is at least
    `recheck_seconds` old. If a single request does not arrive within `request_seconds`, it
    answers DEADLINE_EXCEEDED.
    """

    def __init__(
        self, access: AccessControl, recheck_seconds: float = 10.0, request_seconds: float = 120.0
    ) -> None:
        self._access = access
        self._recheck_seconds = recheck_seconds
        self._deadlines = Deadlines(request_seconds)
        # The wrapped handlers by path.
        self._handlers: dict[str, Handler] = {
            uploads.PATH: uploads.handler(access, self._deadlines),
        }

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
        """Handle a single request as a stream of requests, which is the same on the wire.

        Otherwise gRPC would not call the handler before the request is complete, which may take
        long, and would keep the request's bytes until the answers end.
        """
        if path.startswith(REFLECTION_SERVICES):
            return self._reflection(path, handler)
        behaviour: Any = handler.unary_unary or handler.unary_stream or handler.stream_stream
        health, parse = path.startswith(HEALTH_SERVICE), _parser(handler)
        if handler.unary_unary is not None:
            # Monitors ask for the health, so it has no limit.
            admit = _admit_all if health else self._access.admit
            return grpc.stream_unary_rpc_method_handler(
                self._unary(path, parse, behaviour, admit),
                request_deserializer=bytes,
                response_serializer=_serialize,
            )
        if health:
            make = self._health_watch
        else:
            make = self._stream if handler.stream_stream is None else self._bidi
        return grpc.stream_stream_rpc_method_handler(
            make(path, parse, behaviour),
            request_deserializer=bytes,
            response_serializer=_serialize,
        )

    async def _request(self, context: Context, parse: Parser) -> Any:
        """Return the only request of a call, parsed and within its limits.

        Raises `Refusal` if it does not arrive in time, `TooManyStreams` if too many other requests
        of the caller are unfinished, and `InvalidArgument`.
        """
        owner, arriving = self._access.owner(context), self._access.arriving
        if not arriving.try_acquire(owner):
            await arriving.acquire(owner)
        try:
            data = await self._deadlines.wait(context.read())
        except TimeoutError:
            raise request_timeout() from None
        finally:
            arriving.release(owner)
        request = parse(data)
        check(request)
        return request

    def _unary(
        self,
        path: str,
        parse: Parser,
        behaviour: Callable[[Any, Context], Awaitable[Any]],
        admit: Callable[[str, Context], Awaitable[None]],
    ) -> Any:
        async def answer(_: object, context: Context) -> Message:
            session = Session(path, context)
            try:
                await admit(path, context)
                response = await behaviour(await self._request(context, parse), context)
                await session.send_headers()
            except Exception as error:  # every error ends the call
                await session.abort(error)
                raise AssertionError from error  # `abort` always raises
            session.close(grpc.StatusCode.OK)
            return response

        return answer

    def _stream(
        self, path: str, parse: Parser, behaviour: Callable[[Any, Context], Awaitable[Answers]]
    ) -> Any:
        async def answer(_: object, context: Context) -> None:
            session = StreamSession(path, context, self._access, self._recheck_seconds)
            try:
                await session.admit()
                self._access.open_watch()
                try:
                    watch = await behaviour(await self._request(context, parse), context)
                    try:
                        async for update in watch.updates:
                            await watch.send(update, session.write)
                            # Free its memory: the next one may be hours away.
                            del update
                    finally:
                        await watch.updates.aclose()
                finally:
                    self._access.close_watch()
            except asyncio.CancelledError:
                session.close(grpc.StatusCode.CANCELLED)
                raise
            except Exception as error:  # noqa: BLE001  # every error ends the call
                await session.abort(error)
            session.close(grpc.StatusCode.OK)

        return answer

    def _bidi(
        self, path: str, parse: Parser, behaviour: Callable[[BidiSession, Context], Awaitable[None]]
    ) -> Any:
        async def answer(_: object, context: Context) -> None:
            session = BidiSession(path, context, self._access, self._recheck_seconds, parse)
            # Counts the stream until the caller has received its end.
            with ExitStack() as counted:
                try:
                    await session.admit()
                    counted.enter_context(self._access.circuit_stream())
                    await session.open()
                    await behaviour(session, context)
                except asyncio.CancelledError:
                    session.close(grpc.StatusCode.CANCELLED)
                    raise
                except Exception as error:  # noqa: BLE001  # every error ends the call
                    await session.abort(error)
                session.close(grpc.StatusCode.OK)

        return answer

    def _reflection(self, path: str, handler: "grpc.RpcMethodHandler[Any, Any]") -> Any:
        behaviour: Any = handler.stream_stream

        async def answer(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
            session = Session(path, context)
            try:
                await self._access.admit_anonymous(context)
                with self._access.anonymous_stream(context):
                    async for response in behaviour(requests, context):
                        yield response
            except Exception as error:  # noqa: BLE001  # every error ends the call
                await session.abort(error)
            session.close(grpc.StatusCode.OK)

        return grpc.stream_stream_rpc_method_handler(
            answer,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _health_watch(
        self, path: str, parse: Parser, behaviour: Callable[[Any, Context], Awaitable[Any]]
    ) -> Any:
        async def answer(_: object, context: Context) -> None:
            session = Session(path, context)
            try:
                with self._access.anonymous_stream(context):
                    await behaviour(await self._request(context, parse), context)
            except Exception as error:  # noqa: BLE001  # every error ends the call
                await session.abort(error)

        return answer


async def _admit_all(_path: str, _context: Context) -> None:
    """Admit any call."""


def _parser(handler: "grpc.RpcMethodHandler[Any, Any]") -> Parser:
    """Return the handler's parser, which raises `InvalidArgument` for invalid bytes.

    If gRPC called the parser itself, it would send the text of the exception to the caller.
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
    add_json_nulls(message)
    return message.SerializeToString()
