"""Servicers of asyncio on the server of grpcio-testing, which calls them in threads."""

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Any, Self, TypeVar

import grpc
import grpc_testing
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message

T = TypeVar("T")

PATIENCE_SECONDS = 30


class LoopThread:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE_SECONDS)

    def each(self, messages: AsyncIterator[T]) -> Iterator[T]:
        """Yield what `messages` yields, in one task of the loop."""
        read: queue.Queue[T] = queue.Queue()

        async def copy() -> None:
            async for message in messages:
                read.put(message)

        copying = asyncio.run_coroutine_threadsafe(copy(), self._loop)
        copying.add_done_callback(lambda _: read.put(END))
        while (message := read.get(timeout=PATIENCE_SECONDS)) is not END:
            yield message
        copying.result()


END: Any = object()


class Blocking:
    """The methods of a servicer as functions and generators. `enter` runs before each call."""

    def __init__(self, servicer: object, loop: LoopThread, enter: Callable[[], None]) -> None:
        self._servicer = servicer
        self._loop = loop
        self._enter = enter

    def __getattr__(self, name: str) -> Callable[[Any, Any], Any]:
        method = getattr(self._servicer, name)

        def call(request: Any, context: grpc.ServicerContext) -> Any:
            self._enter()
            answer = method(request if isinstance(request, Message) else _each(request), context)
            if isinstance(answer, AsyncIterator):
                return self._loop.each(answer)
            return self._loop.run(answer)

        return call


async def _each(requests: Iterator[T]) -> AsyncIterator[T]:
    while (request := await asyncio.to_thread(next, requests, END)) is not END:
        yield request


class Calls:
    """Calls a servicer by its descriptor. Each call must end with OK."""

    def __init__(
        self,
        service: ServiceDescriptor,
        servicer: object,
        loop: LoopThread,
        enter: Callable[[], None],
    ) -> None:
        self._service = service
        self._server = grpc_testing.server_from_dictionary(
            {service: Blocking(servicer, loop, enter)}, grpc_testing.strict_real_time()
        )

    def unary(self, name: str, request: Message) -> Any:
        call = self._server.invoke_unary_unary(self._method(name), (), request, None)
        response, _, code, details = call.termination()
        assert code is grpc.StatusCode.OK, details
        return response

    def stream(self, name: str, request: Message) -> Sequence[Any]:
        return _read(self._server.invoke_unary_stream(self._method(name), (), request, None))

    def bidi(self, name: str, requests: Iterable[Message]) -> Sequence[Any]:
        call = self._server.invoke_stream_stream(self._method(name), (), None)
        for request in requests:
            call.send_request(request)
        call.requests_closed()
        return _read(call)

    def _method(self, name: str) -> MethodDescriptor:
        return self._service.methods_by_name[name]


def _read(call: Any) -> Sequence[Any]:
    responses: list[Any] = []
    while True:
        try:
            responses.append(call.take_response())
        except ValueError:  # The stream has ended.
            break
    _, code, details = call.termination()
    assert code is grpc.StatusCode.OK, details
    return responses
