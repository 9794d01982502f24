"""RunStream: runs a stream of circuits and sends the events of each."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import cast

from quantcloud.aio import offload
from quantcloud.aio.offload import Work
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

# The most requests that have been read but not fully answered.
MAX_UNFINISHED = 256
# The most bytes of requests that are being submitted. Beyond this, none is read, because a parsed
# request may take many times as much memory.
_SUBMITTING_BYTES = 256 << 10


class RunStream:
    """One call. Reads requests, runs them concurrently, and answers them."""

    def __init__(
        self, circuits: CircuitUseCases, jobs: JobUseCases, watches: Watches, session: BidiSession
    ) -> None:
        self._circuits = circuits
        self._jobs = jobs
        self._watches = watches
        self._session = session
        self._answers = _Answers(session.write)
        self._free = asyncio.Semaphore(MAX_UNFINISHED)
        self._submitting = _Budget(_SUBMITTING_BYTES)

    async def serve(self) -> None:
        """Serve requests until the last one has its last answer.

        Raises the errors of `BidiSession.read`, `BidiSession.write` and the watch of a job, and
        `Unauthenticated` if the caller's credentials are no longer valid at a request.
        """
        error: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._answers.send())
                keepalives = tasks.create_task(self._send_keepalives())
                async with asyncio.TaskGroup() as requests:
                    await self._read_requests(requests)
                keepalives.cancel()
                self._answers.end()
        except BaseExceptionGroup as group:
            error = _first(group)
        finally:
            # Free the memory: the call may take long to end.
            self._answers.clear()
        if error is not None:
            # Raised outside of `except`, where it would keep the group and its tracebacks in
            # memory.
            raise error

    async def _send_keepalives(self) -> None:
        async with aclosing(self._jobs.checkpoints()) as checkpoints:
            async for _ in checkpoints:
                self._answers.keepalive()

    async def _read_requests(self, tasks: asyncio.TaskGroup) -> None:
        number = 0
        while True:
            await self._free.acquire()
            await self._submitting.room()
            request = await self._session.read()
            if request is None:
                return
            number += 1
            size = request.ByteSize()
            self._submitting.take(size)
            tasks.create_task(self._run(number, request, size))
            # Free its memory: the next one may be hours away.
            del request

    async def _run(self, number: int, request: circuit_pb2.RunStreamRequest, size: int) -> None:
        try:
            answer = await self._submit(request)
            self._submitting.release(size)
            # The end of the job, or room for an answer, may also be hours away.
            del request
            if isinstance(answer, Refusal):
                await self._answers.room()
                self._answers.add(convert.error_answer(number, answer.status))
            else:
                await self._watch(number, answer)
        finally:
            self._free.release()

    async def _submit(self, request: circuit_pb2.RunStreamRequest) -> str | Refusal:
        """Return the id of the request's job, or why the request was refused."""
        circuit = request.circuit
        try:
            await self._session.allow()
            check(circuit)
            key = await idempotency_key(request.idempotency_key or None, circuit, "idempotency_key")
            return (await self._circuits.run(principal(), convert.submission(circuit), key)).id
        except Unauthenticated:
            raise
        except Exception as error:  # noqa: BLE001  # the other requests continue
            return self._session.refusal(error)

    async def _watch(self, number: int, job_id: str) -> None:
        async def write(event: bytes) -> None:
            cost = Work.COPY.cost(len(event))
            self._answers.add(await offload.run(cost, convert.event_answer, number, event))

        watch = self._watches.of_run(job_id)
        async with aclosing(watch.updates):
            async for update in watch.updates:
                async with self._answers.lock:
                    await self._answers.room()
                    await watch.send(update, write)
                del update


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error that cancelled the other tasks."""
    error = group.exceptions[0]
    if isinstance(error, BaseExceptionGroup):
        return _first(cast("BaseExceptionGroup[BaseException]", error))
    return error


class _Budget:
    """Counts an amount in use. There is room while it is below `most`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._used = 0
        self._room = asyncio.Event()
        self._room.set()

    async def room(self) -> None:
        """Wait until there is room."""
        await self._room.wait()

    def take(self, amount: int) -> None:
        self._used += amount
        if self._used >= self._most:
            self._room.clear()

    def release(self, amount: int) -> None:
        self._used -= amount
        if self._used < self._most:
            self._room.set()


class _Answers:
    """The queue of answers to send. Joins waiting answers into one message.

    By default, gRPC clients accept messages of up to 4 MiB.
    """

    def __init__(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        self._write = write
        self._waiting: deque[bytes] = deque()
        # Limits the bytes that wait for a slow client.
        self._bytes = _Budget(LARGE_BYTES)
        self.room = self._bytes.room
        self._ended = False
        self._news = asyncio.Event()
        self.lock = asyncio.Lock()
        """Hold it to make an answer that may be large. So only one task waits for room with one."""

    def add(self, response: bytes) -> None:
        """Queue a response, which may be joined with others."""
        self._waiting.append(response)
        self._bytes.take(len(response))
        self._news.set()

    def clear(self) -> None:
        """Drop all unsent responses."""
        self._waiting.clear()

    def keepalive(self) -> None:
        """Queue a keepalive, unless a response is waiting."""
        if not self._waiting:
            self.add(b"")

    def end(self) -> None:
        """Let `send` return once everything is sent. Add nothing after this."""
        self._ended = True
        self._news.set()

    async def send(self) -> None:
        """Send responses until `end`."""
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
        self._bytes.release(size)
        return b"".join(together) if len(together) > 1 else response
