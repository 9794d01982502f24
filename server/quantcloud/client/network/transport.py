"""How the client calls: over gRPC's blocking channel, or over its asyncio channel.

Both transports have the same methods. Each failed call raises `grpc.RpcError`, and `timeout` is in
seconds.

The client is written once, as coroutines. Over `Blocking`, each await is over before it returns, so
`drive` runs such a coroutine to its end without an event loop.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from functools import wraps
from queue import SimpleQueue
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar

import grpc
import grpc.aio

from quantcloud.client.errors import NotPossible
from quantcloud.client.network.connection import Connection

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")
Metadata = tuple[tuple[str, str], ...]

# The server allows a ping every 5 seconds. A network that drops packets is noticed after both.
_KEEPALIVE_MS, _PING_TIMEOUT_MS = 10_000, 20_000
_RECONNECT_MS = (("initial", 200), ("min", 1_000), ("max", 2_000))
_UNLIMITED = -1  # a result may be large


def _options() -> Sequence[tuple[str, int]]:
    return (
        ("grpc.max_receive_message_length", _UNLIMITED),
        ("grpc.max_send_message_length", _UNLIMITED),
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", _PING_TIMEOUT_MS),
        # For gRPC's own pings. While one has no answer, gRPC sends no ping for the keepalive.
        ("grpc.http2.ping_timeout_ms", _PING_TIMEOUT_MS),
        ("grpc.http2.max_pings_without_data", 0),
        *((f"grpc.{name}_reconnect_backoff_ms", pause) for name, pause in _RECONNECT_MS),
    )


def _open(connection: Connection, module: Any) -> Any:
    """Open a channel with `grpc` or `grpc.aio`."""
    if not connection.tls:
        return module.insecure_channel(connection.address, options=_options())
    credentials = grpc.ssl_channel_credentials(
        connection.ca, connection.client_key, connection.client_certificate
    )
    return module.secure_channel(connection.address, credentials, options=_options())


def _closed() -> NotPossible:
    # gRPC crashes at some calls over a closed channel.
    return NotPossible(
        "the client is closed",
        hint="ask for results within its `with` block, or make another client",
    )


class Blocking:
    """A transport that blocks the thread that calls."""

    def __init__(self, connection: Connection) -> None:
        # Not at the first call, because several threads may make it at once.
        self._channel: grpc.Channel = _open(connection, grpc)
        self._is_closed = False

    def channel(self) -> Any:
        if self._is_closed:
            raise _closed()
        return self._channel

    async def call(
        self, method: Any, request: Any, metadata: Metadata, timeout: float | None
    ) -> Any:
        return method(request, metadata=metadata, timeout=timeout)

    async def stream(
        self, method: Any, request: Any, metadata: Metadata, timeout: float | None
    ) -> AsyncGenerator[Any]:
        call = method(request, metadata=metadata, timeout=timeout)
        try:
            for message in call:
                yield message
        finally:
            call.cancel()

    async def duplex(self, method: Any, metadata: Metadata) -> "_BlockingDuplex":
        return _BlockingDuplex(method, metadata)

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    async def close(self) -> None:
        self._is_closed = True
        self._channel.close()


class _BlockingDuplex:
    """A stream of requests and of responses."""

    def __init__(self, method: Any, metadata: Metadata) -> None:
        self._requests: SimpleQueue[Any] = SimpleQueue()
        self._call = method(iter(self._requests.get, None), metadata=metadata)

    async def write(self, request: Any) -> None:
        self._requests.put(request)

    async def read(self) -> Any | None:
        """Return the next response, or None at the end."""
        return next(self._call, None)

    async def close(self) -> None:
        self._requests.put(None)
        self._call.cancel()


class Concurrent:
    """A transport of the event loop that uses it. It connects again in another one."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._loop: asyncio.AbstractEventLoop | None = None
        self._channel: grpc.aio.Channel | None = None
        self._is_closed = False

    def channel(self) -> Any:
        if self._is_closed:
            raise _closed()
        # Not in __init__, because a channel belongs to the loop that runs when it is made.
        loop = asyncio.get_running_loop()
        if self._channel is None or self._loop is not loop:
            self._loop, self._channel = loop, _open(self._connection, grpc.aio)
        return self._channel

    async def call(
        self, method: Any, request: Any, metadata: Metadata, timeout: float | None
    ) -> Any:
        return await method(request, metadata=metadata, timeout=timeout)

    async def stream(
        self, method: Any, request: Any, metadata: Metadata, timeout: float | None
    ) -> AsyncGenerator[Any]:
        call = method(request, metadata=metadata, timeout=timeout)
        try:
            async for message in call:
                yield message
        finally:
            call.cancel()

    async def duplex(self, method: Any, metadata: Metadata) -> "_ConcurrentDuplex":
        return _ConcurrentDuplex(method(metadata=metadata))

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        self._is_closed = True
        if self._channel is not None and self._loop is asyncio.get_running_loop():
            await self._channel.close()


class _ConcurrentDuplex:
    def __init__(self, call: Any) -> None:
        self._call = call

    async def write(self, request: Any) -> None:
        # A stream that has ended: the next `read` raises its status.
        with suppress(asyncio.InvalidStateError, grpc.RpcError):
            await self._call.write(request)

    async def read(self) -> Any | None:
        message = await self._call.read()
        return None if message is grpc.aio.EOF else message

    async def close(self) -> None:
        self._call.cancel()


Transport: TypeAlias = Blocking | Concurrent
Duplex: TypeAlias = _BlockingDuplex | _ConcurrentDuplex


def blocking(
    method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Any, P], T]:
    """Return a method for a class that blocks: it runs `method` of its object `_async`."""
    return making(lambda found: found, method)


def making(
    made: Callable[[T], R], method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]]
) -> Callable[Concatenate[Any, P], R]:
    """Return a method like `blocking`, which passes the result to `made`."""

    @wraps(method)
    def call(self: Any, *args: P.args, **named: P.kwargs) -> R:
        return made(drive(method(self._async, *args, **named)))

    return call


def iterating(
    method: Callable[Concatenate[Any, P], AsyncGenerator[T]],
) -> Callable[Concatenate[Any, P], Iterator[T]]:
    """Return a method for a class that blocks: it yields what that of `_async` yields."""

    @wraps(method)
    def call(self: Any, *args: P.args, **named: P.kwargs) -> Iterator[T]:
        return iterate(method(self._async, *args, **named))

    return call


def drive(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine over `Blocking` to its end."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    work.close()
    raise RuntimeError("a call over a blocking transport waited for an event loop")


def iterate(items: AsyncGenerator[T]) -> Iterator[T]:
    """Yield what an asynchronous generator over `Blocking` yields."""
    try:
        while True:
            try:
                item = drive(_next(items))
            except StopAsyncIteration:
                return
            yield item
    finally:
        drive(items.aclose())


async def _next(items: AsyncIterator[T]) -> T:
    return await anext(items)
