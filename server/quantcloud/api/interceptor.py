"""The one interceptor: admission, request ids, errors, nulls and the access log of every RPC."""

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
from quantcloud.api.errors import too_late
from quantcloud.api.json_nulls import add_json_nulls
from quantcloud.api.session import BidiSession, Session, StreamSession
from quantcloud.domain.errors import InvalidArgument

# Infrastructure that anyone may ask, as its own specifications have it.
HEALTH_SERVICE = "/grpc.health.v1."
REFLECTION_SERVICES = "/grpc.reflection."

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
Parser: TypeAlias = Callable[[bytes], Any]


class Answers(Protocol):
    """What a call that watches is answered: what there is to see, and how each is sent."""

    updates: AsyncGenerator[Any]

    async def send(self, seen: Any, write: Callable[[bytes], Awaitable[None]], /) -> None: ...


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps every RPC of the contract.

    An exception that is no domain error is logged with its request id and told as INTERNAL. While
    a stream lasts its caller's credentials are looked at again, before the first answer that comes
    `recheck_seconds` after they were looked at last. A single request that has not arrived within
    `request_seconds` is DEADLINE_EXCEEDED.
    """

    def __init__(
        self, access: AccessControl, recheck_seconds: float = 10.0, request_seconds: float = 120.0
    ) -> None:
        self._access = access
        self._recheck_seconds = recheck_seconds
        self._deadlines = Deadlines(request_seconds)
        # By their path, as they are wrapped.
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
        """Take what is a single request as a stream of them, which is the same on the wire: gRPC
        calls nobody before a single request is there, however long that takes, and keeps its bytes
        for as long as the answers last.
        """
        if path.startswith(REFLECTION_SERVICES):
            return self._reflection(path, handler)
        behaviour: Any = handler.unary_unary or handler.unary_stream or handler.stream_stream
        health, parse = path.startswith(HEALTH_SERVICE), _parser(handler)
        if handler.unary_unary is not None:
            # What watches over a server asks for its health, and is not limited.
            admit = _admit_all if health else self._access.admit
            return grpc.stream_unary_rpc_method_handler(
                self._unary(path, parse, behaviour, admit),
                request_deserializer=bytes,
                response_serializer=_serialize,
            )
        if health:
            make = self._health_watch
        else:
            make = self._stream if handler.stream_stream is None else self._exchange
        return grpc.stream_stream_rpc_method_handler(
            make(path, parse, behaviour),
            request_deserializer=bytes,
            response_serializer=_serialize,
        )

    async def _request(self, context: Context) -> Any:
        """The bytes of the request, or `EOF`.

        Raises `Refusal` where they do not arrive, and `TooManyStreams` where others of the caller
        do not.
        """
        whose, arriving = self._access.whose(context), self._access.arriving
        if not arriving.take_at_once(whose):
            await arriving.take(whose)
        try:
            return await self._deadlines.wait(context.read())
        except TimeoutError:
            raise too_late() from None
        finally:
            arriving.give_back(whose)

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
                request = parse(await self._request(context))
                check(request)
                response = await behaviour(request, context)
                await session.send_headers()
            except Exception as error:  # all of them end here
                await session.abort(error)
                raise AssertionError from error  # abort has raised
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
                    request = parse(await self._request(context))
                    check(request)
                    watch = await behaviour(request, context)
                    del request
                    try:
                        async for seen in watch.updates:
                            await watch.send(seen, session.write)
                            # The next one may be hours away.
                            del seen
                    finally:
                        await watch.updates.aclose()
                finally:
                    self._access.close_watch()
            except asyncio.CancelledError:
                session.close(grpc.StatusCode.CANCELLED)
                raise
            except Exception as error:  # noqa: BLE001  # all of them end here
                await session.abort(error)
            session.close(grpc.StatusCode.OK)

        return answer

    def _exchange(
        self, path: str, parse: Parser, behaviour: Callable[[BidiSession, Context], Awaitable[None]]
    ) -> Any:
        async def answer(_: object, context: Context) -> None:
            session = BidiSession(path, context, self._access, self._recheck_seconds, parse)
            # Counted until the caller has heard of its end.
            with ExitStack() as counted:
                try:
                    await session.admit()
                    counted.enter_context(self._access.stream_of_circuits())
                    await session.open()
                    await behaviour(session, context)
                except asyncio.CancelledError:
                    session.close(grpc.StatusCode.CANCELLED)
                    raise
                except Exception as error:  # noqa: BLE001  # all of them end here
                    await session.abort(error)
                session.close(grpc.StatusCode.OK)

        return answer

    def _reflection(self, path: str, handler: "grpc.RpcMethodHandler[Any, Any]") -> Any:
        behaviour: Any = handler.stream_stream

        async def answer(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
            session = Session(path, context)
            try:
                await self._access.admit_anyone(context)
                with self._access.stream_of_anyone(context):
                    async for response in behaviour(requests, context):
                        yield response
            except Exception as error:  # noqa: BLE001  # all of them end here
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
                with self._access.stream_of_anyone(context):
                    await behaviour(parse(await self._request(context)), context)
            except Exception as error:  # noqa: BLE001  # all of them end here
                await session.abort(error)

        return answer


async def _admit_all(_path: str, _context: Context) -> None:
    """Let a call in."""


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
    add_json_nulls(message)
    return message.SerializeToString()
