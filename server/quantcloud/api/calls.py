"""The three kinds of calls. Each gets its requests, calls a servicer, and sends its answers.

A servicer is a plain gRPC servicer: it knows nothing of admission, limits, headers and errors.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

import grpc.aio
from google.protobuf.message import Message

from quantcloud.api.context import Context
from quantcloud.api.large import LARGE_BYTES, encoded
from quantcloud.api.session import Rules, Session

Request = TypeVar("Request", bound=Message)
Servicer = TypeVar("Servicer")
Parser = Callable[[bytes], Request]


@dataclass
class _Call(Generic[Request, Servicer]):
    """A method: its path, what holds for all calls, its parser, and its servicer's method."""

    path: str
    rules: Rules
    parse: Parser[Request]
    servicer: Servicer


class UnaryCall(_Call[Request, Callable[[Request, Context], Awaitable[Message]]]):
    """One request, one answer."""

    async def answer(self, _: object, context: Context) -> bytes:
        """Answer a call."""
        async with Session(self.path, context, self.rules) as session:
            await session.admit()
            request = await session.request(self.parse)
            data = await encoded(await self.servicer(request, context), over_rest=session.over_rest)
            await session.send_headers()
        return data


class ServerStream(_Call[Request, Callable[[Request, Context], AsyncGenerator[Message]]]):
    """One request, many answers."""

    # Many watchers of one job get the same message, one after the other. The last message, whether
    # it was encoded for REST, and its bytes.
    _last: tuple[Message | None, bool, bytes] = None, False, b""

    async def answer(self, _: object, context: Context) -> None:
        """Answer a call."""
        async with Session(self.path, context, self.rules) as session:
            await session.admit()
            session.count_stream()
            request = await session.request(self.parse)
            answers = self.servicer(request, context)
            # Free its memory: the stream may last for hours. So may the pause after an answer.
            del request
            # Not `aclosing`, which takes 0.2 KiB per stream. There may be very many.
            try:
                async for message in answers:
                    if session.only_headers:
                        await session.send_headers(now=True)
                        break
                    data = await self._encoded(message, over_rest=session.over_rest)
                    del message
                    await session.write(data)
                    del data
            finally:
                await answers.aclose()

    async def _encoded(self, message: Message, *, over_rest: bool) -> bytes:
        last, was_over_rest, data = self._last
        if message is not last or over_rest is not was_over_rest:
            data = await encoded(message, over_rest=over_rest)
            if len(data) <= LARGE_BYTES:
                self._last = message, over_rest, data
        return data


class RunCall(_Call[Request, Callable[[Request, Context], AsyncGenerator[Message]]]):
    """One request, some answers, of which the servicer marks the last with `Caller.at_end`.

    It returns the last answer, so that gRPC sends it together with the status. To send the status
    by itself would take the event loop, Envoy and the client one more turn each.
    """

    async def answer(self, _: object, context: Context) -> bytes:
        """Answer a call."""
        async with Session(self.path, context, self.rules) as session:
            await session.admit()
            session.count_stream()
            request = await session.request(self.parse)
            async with aclosing(self.servicer(request, context)) as answers:
                del request
                async for message in answers:
                    data = await encoded(message, over_rest=session.over_rest)
                    del message
                    if session.at_end:
                        await session.before_answer()
                        return data
                    await session.write(data)
                    del data
        raise AssertionError("a stream ended without its last message")


class BidiStream(
    _Call[Request, Callable[[AsyncIterator[Request], Context], AsyncGenerator[Message]]]
):
    """Many requests, many answers."""

    async def answer(self, _: object, context: Context) -> None:
        """Answer a call. It counts as open until the caller has received its end."""
        async with Session(self.path, context, self.rules) as session:
            await session.admit()
            session.count_stream()
            # They tell the caller that it was admitted. Envoy waits two minutes for them.
            await session.send_headers(now=True)
            async with aclosing(self.servicer(_Requests(context, self.parse), context)) as answers:
                async for message in answers:
                    await session.write(await encoded(message, over_rest=session.over_rest))
                    del message


class _Requests(AsyncIterator[Request]):
    """The requests of a call. Unlike a generator, it holds none of them in memory."""

    def __init__(self, context: Context, parse: Parser[Request]) -> None:
        self._context, self._parse = context, parse

    async def __anext__(self) -> Request:
        data = await self._context.read()
        if cast("object", data) is grpc.aio.EOF:
            raise StopAsyncIteration
        return self._parse(data)
