"""RunStream: circuits that come one after the other, and what there is to tell of each."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import cast

from quantcloud.api.context import principal
from quantcloud.api.convert import circuits as convert
from quantcloud.api.convert.events import LARGE_BYTES
from quantcloud.api.convert.idempotency import idempotency_key
from quantcloud.api.convert.limits import check
from quantcloud.api.errors import Refusal
from quantcloud.api.servicers.watches import Watches
from quantcloud.api.session import BidiSession
from quantcloud.domain.errors import Unauthenticated
from quantcloud.services.circuits import CircuitUseCases
from quantcloud.services.jobs import JobUseCases
from thequantcloud.v1 import circuit_pb2

# Requests that were read, and have not been given their last answer.
UNDER_WAY = 256
# Bytes of requests that are being made jobs of, from which no further one is read: parsed, they may
# take many times as much memory.
_SUBMITTING_BYTES = 256 << 10


class RunStream:
    """One call: takes its requests, carries them out side by side, and answers them."""

    def __init__(
        self, circuits: CircuitUseCases, jobs: JobUseCases, watches: Watches, exchange: BidiSession
    ) -> None:
        self._circuits = circuits
        self._jobs = jobs
        self._watches = watches
        self._exchange = exchange
        self._answers = _Answers(exchange.write)
        self._free = asyncio.Semaphore(UNDER_WAY)
        self._submitting = _Budget(_SUBMITTING_BYTES)

    async def serve(self) -> None:
        """Answer until the last request has its last answer.

        Raises what `BidiSession.read` and `BidiSession.write` do, what a watch of a job does, and
        `Unauthenticated` for a request whose caller may no longer be here.
        """
        error: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._answers.send())
                beating = tasks.create_task(self._beat())
                async with asyncio.TaskGroup() as requests:
                    await self._take(requests)
                beating.cancel()
                self._answers.end()
        except BaseExceptionGroup as group:
            error = _first(group)
        finally:
            # The call may take long to end.
            self._answers.clear()
        if error is not None:
            # Out here, since it would keep the group, and with it all that was under way.
            raise error

    async def _beat(self) -> None:
        async with aclosing(self._jobs.beats()) as beats:
            async for _ in beats:
                self._answers.beat()

    async def _take(self, tasks: asyncio.TaskGroup) -> None:
        number = 0
        while True:
            await self._free.acquire()
            await self._submitting.room()
            request = await self._exchange.read()
            if request is None:
                return
            number += 1
            size = request.ByteSize()
            self._submitting.take(size)
            tasks.create_task(self._carry_out(number, request, size))
            # The next one may be hours away.
            del request

    async def _carry_out(
        self, number: int, request: circuit_pb2.RunStreamRequest, size: int
    ) -> None:
        try:
            answer = await self._submit(request)
            self._submitting.give_back(size)
            # So may the job's end be, and a client that reads on.
            del request
            if isinstance(answer, Refusal):
                await self._answers.room()
                self._answers.add(convert.error_answer(number, answer.status))
            else:
                await self._watch(number, answer)
        finally:
            self._free.release()

    async def _submit(self, request: circuit_pb2.RunStreamRequest) -> str | Refusal:
        """The job that the request has become, or why it was refused."""
        circuit = request.circuit
        try:
            await self._exchange.allow()
            check(circuit)
            key = await idempotency_key(request.idempotency_key or None, circuit, "idempotency_key")
            return (await self._circuits.run(principal(), convert.submission(circuit), key)).id
        except Unauthenticated:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, the others go on
            return self._exchange.refusal(error)

    async def _watch(self, number: int, job_id: str) -> None:
        async def tell(event: bytes) -> None:
            if len(event) > LARGE_BYTES:
                self._answers.add(await asyncio.to_thread(convert.event_answer, number, event))
            else:
                self._answers.add(convert.event_answer(number, event))

        watch = self._watches.of_run(job_id)
        async with aclosing(watch.updates):
            async for seen in watch.updates:
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


class _Budget:
    """So much of something as may be in use before there is no room for more."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._used = 0
        self._room = asyncio.Event()
        self._room.set()

    async def room(self) -> None:
        """Wait until there is some."""
        await self._room.wait()

    def take(self, amount: int) -> None:
        self._used += amount
        if self._used >= self._most:
            self._room.clear()

    def give_back(self, amount: int) -> None:
        self._used -= amount
        if self._used < self._most:
            self._room.set()


class _Answers:
    """Those on their way: what is there at the same time goes as one message.

    Clients of gRPC take messages of 4 MiB unless they say otherwise.
    """

    def __init__(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        self._write = write
        self._waiting: deque[bytes] = deque()
        # Their bytes: as many as a slow client may have on their way.
        self._bytes = _Budget(LARGE_BYTES)
        self.room = self._bytes.room
        self._ended = False
        self._news = asyncio.Event()
        self.turn = asyncio.Lock()
        """Of who makes answers that may be large: where there is no room, nobody else does."""

    def add(self, response: bytes) -> None:
        """Have a response sent, which may be joined with others."""
        self._waiting.append(response)
        self._bytes.take(len(response))
        self._news.set()

    def clear(self) -> None:
        """Drop what is not sent."""
        self._waiting.clear()

    def beat(self) -> None:
        """Show that the stream lives, unless something is on its way that does."""
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
        self._bytes.give_back(size)
        return b"".join(together) if len(together) > 1 else response
