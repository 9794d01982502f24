"""Runs circuits: submits them and sends the events of their jobs."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Final, NamedTuple, cast

from google.rpc.status_pb2 import Status

from quantcloud.api.context import IDEMPOTENCY_KEY, principal
from quantcloud.api.convert import circuits as convert
from quantcloud.api.convert.idempotency import idempotency_key
from quantcloud.api.convert.limits import check
from quantcloud.api.large import LARGE_BYTES, with_field
from quantcloud.api.servicers.batcher import Batcher
from quantcloud.api.servicers.watches import JobMessages, Watches
from quantcloud.api.session import session
from quantcloud.domain.errors import Unauthenticated
from quantcloud.domain.job import Job
from quantcloud.services.circuits import CircuitUseCases
from quantcloud.services.jobs import JobUseCases
from thequantcloud.v1 import circuit_pb2, job_pb2

MAX_UNFINISHED: Final = 256
"""The most requests of a stream that have been read but not fully answered."""
# The most bytes of requests that are being submitted. Beyond this, none is read, because a parsed
# request may take many times as much memory.
_SUBMITTING_BYTES: Final = 256 << 10


class Runs:
    """Runs circuits of the caller, with one call each or many on one stream."""

    def __init__(self, circuits: CircuitUseCases, jobs: JobUseCases, watches: Watches) -> None:
        self._circuits = circuits
        self._watches = watches
        self.checkpoints = jobs.checkpoints

    async def submit(
        self, circuit: circuit_pb2.RunCircuitRequest, key: str | None, field: str = IDEMPOTENCY_KEY
    ) -> Job:
        """Submit a circuit; `field` is where the idempotency key came. Raises domain errors."""
        idempotency = await idempotency_key(key, circuit, field)
        submission = await convert.submission(circuit)
        return await self._circuits.run(principal(), submission, idempotency)

    def watch(self, job: Job) -> JobMessages:
        """Return the messages of a job that was just submitted."""
        return self._watches.of_run(job.id)

    async def stream(
        self, requests: AsyncIterator[circuit_pb2.RunStreamRequest]
    ) -> AsyncGenerator[circuit_pb2.RunStreamResponse]:
        """Run a stream of circuits and yield the answers, until the last request is answered.

        Raises the errors of `requests`, of a job's watch, and `Unauthenticated` if the caller's
        credentials are no longer valid at a request.
        """
        stream = _Stream(self)
        # A task of its own: if a request fails, its task group cancels the task that waits for it.
        working = asyncio.create_task(stream.work(requests))
        working.add_done_callback(stream.answers.end)
        try:
            async for batch in stream.answers:
                yield await _response(batch)
                del batch
            await working
        finally:
            # Free the memory: the call may take long to end.
            stream.answers.clear()
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


class _Stream:
    """One stream: reads requests and runs them concurrently."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._session = session()
        self.answers = _Answers()
        self._free = asyncio.Semaphore(MAX_UNFINISHED)
        self._submitting = _Budget(_SUBMITTING_BYTES)

    async def work(self, requests: AsyncIterator[circuit_pb2.RunStreamRequest]) -> None:
        """Serve requests until the last one has its last answer. See `Runs.stream`."""
        error: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                keepalives = tasks.create_task(self._send_keepalives())
                async with asyncio.TaskGroup() as runs:
                    await self._read(requests, runs)
                keepalives.cancel()
        except BaseExceptionGroup as group:
            error = _first(group)
        if error is not None:
            # Raised outside of `except`, where it would keep the group and its tracebacks in
            # memory.
            raise error

    async def _send_keepalives(self) -> None:
        async with aclosing(self._runs.checkpoints()) as checkpoints:
            async for _ in checkpoints:
                self.answers.keepalive()

    async def _read(
        self, requests: AsyncIterator[circuit_pb2.RunStreamRequest], tasks: asyncio.TaskGroup
    ) -> None:
        number = 0
        while True:
            await self._free.acquire()
            await self._submitting.room()
            request = await anext(requests, None)
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
            submitted = await self._submit(request)
            self._submitting.release(size)
            # The end of the job, or room for an answer, may also be hours away.
            del request
            if isinstance(submitted, Status):
                await self.answers.room()
                self.answers.add(number, submitted)
            else:
                await self._watch(number, submitted)
        finally:
            self._free.release()

    async def _submit(self, request: circuit_pb2.RunStreamRequest) -> Job | Status:
        """Return the request's job, or why the request was refused."""
        try:
            await self._session.allow()
            check(request.circuit)
            key = request.idempotency_key or None
            return await self._runs.submit(request.circuit, key, "idempotency_key")
        except Unauthenticated:
            raise
        except Exception as error:  # noqa: BLE001  # the other requests continue
            return self._session.refusal(error).status

    async def _watch(self, number: int, job: Job) -> None:
        messages = self._runs.watch(job)
        del job
        async with aclosing(messages.updates) as updates:
            async for update in updates:
                # A message may be large, so only one task waits for room with one.
                async with self.answers.lock:
                    await self.answers.room()
                    self.answers.add(number, await messages.message(update))
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


class _Answer(NamedTuple):
    """What happened to a request: an event of its job, or why it was refused."""

    number: int
    outcome: job_pb2.JobEvent | Status

    async def message(self) -> circuit_pb2.RunStreamAnswer:
        answer = circuit_pb2.RunStreamAnswer(request=self.number)
        if isinstance(self.outcome, Status):
            answer.error.CopyFrom(self.outcome)
            return answer
        return await with_field(answer, "event", [self.outcome])


async def _response(answers: Sequence[_Answer]) -> circuit_pb2.RunStreamResponse:
    messages = [await answer.message() for answer in answers]
    return await with_field(circuit_pb2.RunStreamResponse(), "answers", messages)


class _Answers:
    """The answers that wait to be sent. As an iterator, it yields batches, empty as a keepalive."""

    def __init__(self) -> None:
        self._batcher = Batcher[_Answer]()
        # Limits the bytes that wait for a slow client.
        self._bytes = _Budget(LARGE_BYTES)
        self.room = self._bytes.room
        self._keepalive = self._ended = False
        self._news = asyncio.Event()
        self.lock = asyncio.Lock()

    def add(self, number: int, outcome: job_pb2.JobEvent | Status) -> None:
        """Add an answer."""
        size = outcome.ByteSize()
        self._batcher.add(_Answer(number, outcome), size)
        self._bytes.take(size)
        self._news.set()

    def keepalive(self) -> None:
        """Send a keepalive, unless an answer is waiting."""
        self._keepalive = True
        self._news.set()

    def clear(self) -> None:
        """Drop all unsent answers."""
        self._batcher.clear()

    def end(self, work: "asyncio.Task[None]") -> None:
        """End once everything is sent, or now if the work failed."""
        if work.cancelled() or work.exception() is not None:
            self.clear()
        self._ended = True
        self._news.set()

    def __aiter__(self) -> AsyncIterator[Sequence[_Answer]]:
        return self

    async def __anext__(self) -> Sequence[_Answer]:
        while not (self._batcher or self._keepalive or self._ended):
            self._news.clear()
            await self._news.wait()
        self._keepalive = False
        if self._batcher:
            before = self._batcher.size
            batch = self._batcher.take()
            self._bytes.release(before - self._batcher.size)
            return batch
        if self._ended:
            raise StopAsyncIteration
        return ()
