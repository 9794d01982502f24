"""RunStream: circuits that come one after the other, and what there is to tell of each."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import cast

from quantcloud.services.circuits import CircuitUseCases
from quantcloud.services.jobs import JobUseCases
from quantcloud.transport.call import principal
from quantcloud.transport.convert import circuits as convert
from quantcloud.transport.convert.events import LARGE_BYTES
from quantcloud.transport.convert.idempotency import idempotency_key
from quantcloud.transport.entry import Exchange
from quantcloud.transport.servicers.watches import Watches
from thequantcloud.v1 import circuit_pb2

# Requests that were read, and have not been given their last answer.
UNDER_WAY = 256
# Bytes of a request from which it becomes a job before another is read: many would be much memory.
_LARGE_REQUEST = 64 << 10


class RunStream:
    """One call: takes its requests, carries them out side by side, and answers them."""

    def __init__(
        self, circuits: CircuitUseCases, jobs: JobUseCases, watches: Watches, exchange: Exchange
    ) -> None:
        self._circuits = circuits
        self._jobs = jobs
        self._watches = watches
        self._exchange = exchange
        self._answers = _Answers(exchange.write)
        self._free = asyncio.Semaphore(UNDER_WAY)

    async def serve(self) -> None:
        """Answer until the last request has its last answer.

        Raises what `Exchange.read` and `Exchange.write` do, and what a watch of a job does.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._answers.send())
                beating = tasks.create_task(self._beat())
                async with asyncio.TaskGroup() as requests:
                    await self._take(requests)
                beating.cancel()
                self._answers.end()
        except BaseExceptionGroup as group:
            raise _first(group) from None

    async def _beat(self) -> None:
        async with aclosing(self._jobs.beats()) as beats:
            async for _ in beats:
                self._answers.beat()

    async def _take(self, tasks: asyncio.TaskGroup) -> None:
        number = 0
        while True:
            await self._free.acquire()
            request = await self._exchange.read()
            if request is None:
                return
            number += 1
            stored = asyncio.Event() if request.ByteSize() >= _LARGE_REQUEST else None
            tasks.create_task(self._carry_out(number, request, stored))
            # The next one may be hours away.
            del request
            if stored is not None:
                await stored.wait()

    async def _carry_out(
        self, number: int, request: circuit_pb2.RunStreamRequest, stored: asyncio.Event | None
    ) -> None:
        try:
            job_id = await self._submit(number, request)
            # So may the job's end be.
            del request
            if stored is not None:
                stored.set()
            if job_id is not None:
                await self._watch(number, job_id)
        finally:
            self._free.release()

    async def _submit(self, number: int, request: circuit_pb2.RunStreamRequest) -> str | None:
        """The job that the request has become; None where it was refused, and told so."""
        circuit = request.circuit
        try:
            await self._exchange.count()
            key = await idempotency_key(request.idempotency_key or None, circuit, "idempotency_key")
            return (await self._circuits.run(principal(), convert.submission(circuit), key)).id
        except Exception as error:  # noqa: BLE001  # whatever it is, the others go on
            refusal = self._exchange.refusal(error)
        await self._answers.room()
        self._answers.add(convert.error_answer(number, refusal.status))
        return None

    async def _watch(self, number: int, job_id: str) -> None:
        async def tell(event: bytes) -> None:
            if len(event) > LARGE_BYTES:
                self._answers.add(await asyncio.to_thread(convert.event_answer, number, event))
            else:
                self._answers.add(convert.event_answer(number, event))

        sightings = self._jobs.watch(principal(), job_id, after_sequence=None, brief=True)
        watch = self._watches.watch(sightings, with_result=True)
        async with aclosing(sightings):
            async for seen in sightings:
                async with self._answers.turn:
                    await self._answers.room()
                    await watch.send(seen, tell)
                del seen


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What the others were called off for."""
    error = group.exceptions[0]
    if isinstance(error, BaseExceptionGroup):
        return _first(cast("BaseExceptionGroup[BaseException]", error))
    return error


class _Answers:
    """Those on their way: what is there at the same time goes as one message.

    Clients of gRPC take messages of 4 MiB unless they say otherwise.
    """

    def __init__(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        self._write = write
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self.turn = asyncio.Lock()
        """Of who makes answers that may be large: where there is no room, nobody else does."""

    async def room(self) -> None:
        """Wait while as much is on its way as a slow client may have there."""
        await self._room.wait()

    def add(self, response: bytes) -> None:
        """Have a response sent, which may be joined with others."""
        self._waiting.append(response)
        self._size += len(response)
        if self._size >= LARGE_BYTES:
            self._room.clear()
        self._news.set()

    def beat(self) -> None:
        """Show that the stream lives, where nothing else does."""
        if not self._waiting:
            self.add(b"")

    def end(self) -> None:
        """Nothing is added any more."""
        self._ended = True
        self._news.set()

    async def send(self) -> None:
        """Send what is added, until the end."""
        while self._waiting or not self._ended:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                await self._write(self._next())

    def _next(self) -> bytes:
        response = self._waiting.popleft()
        size = len(response)
        together = [response]
        while self._waiting and size + len(self._waiting[0]) <= LARGE_BYTES:
            together.append(self._waiting.popleft())
            size += len(together[-1])
        self._size -= size
        if self._size < LARGE_BYTES:
            self._room.set()
        return b"".join(together) if len(together) > 1 else response
