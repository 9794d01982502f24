"""Converts events to messages, once for all watchers.

The messages of one event may differ in the queue position and in whether they have the result. So
the job and the result are cached in serialised form: it takes a tenth of the memory of a message,
and to read it is faster than to build a message. The messages that were sent last are cached too.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, Generic, TypeAlias, TypeVar

import structlog

from quantcloud.aio import offload
from quantcloud.aio.cooperative import Yielder
from quantcloud.api.convert import jobs as convert
from quantcloud.api.convert.values import timestamp
from quantcloud.api.large import LargeMessage, with_field
from quantcloud.domain.errors import Damaged, Unavailable
from quantcloud.domain.job import JobEvent, JobResult, JobStatus
from quantcloud.watching.update import JobUpdate
from thequantcloud.v1 import job_pb2

_CACHED_JOBS = 1024
_CACHED_RESULTS = 128
_CACHED_RESULT_BYTES: Final = 64 << 10
_CACHED_MESSAGES = 16
# How many results are read and converted concurrently; each may be large.
_LARGE_CONVERSIONS = 2

log = structlog.stdlib.get_logger(__name__)

Value = TypeVar("Value")
Result: TypeAlias = bytes | LargeMessage
"""A serialised `JobResult`."""
NO_RESULT: Final = b""


class EventMessages:
    """Makes messages of events. Caches what was sent last, a few megabytes.

    `load` reads the result of a completed job's last event. `load_small` reads the results of
    several such events and returns only small ones.
    """

    def __init__(
        self,
        load: Callable[[JobEvent], Awaitable[JobResult | None]],
        load_small: Callable[[Sequence[JobEvent]], Awaitable[Iterable[JobResult]]],
    ) -> None:
        self._load = load
        self._load_small = load_small
        # Jobs and results by the cursor of their event.
        self._jobs: _Cache[bytes] = _Cache(_CACHED_JOBS)
        self._results: _Cache[Result] = _Cache(_CACHED_RESULTS)
        self._messages: _Cache[job_pb2.JobEvent] = _Cache(_CACHED_MESSAGES)
        # Results that are being loaded, by the cursor of their event.
        self._loading: dict[int, asyncio.Future[Result]] = {}
        # Small results that are being loaded together, by the cursor of their event.
        self._fetching: dict[int, asyncio.Future[Mapping[int, Result]]] = {}
        self._conversions = asyncio.Semaphore(_LARGE_CONVERSIONS)

    def job(self, event: JobEvent) -> bytes:
        """Return the event's job as a serialised message."""
        found = self._jobs.find(event.cursor)
        if found is not None:
            return found
        return self._jobs.put(event.cursor, convert.listed(event.job).SerializeToString())

    async def change(
        self, event: JobEvent, position: int | None, result: Result = NO_RESULT
    ) -> job_pb2.JobEvent:
        """Return the message of an event. Watchers share it, so do not change it."""
        key = event.cursor, position, result is not NO_RESULT
        found = self._messages.find(key)
        if found is not None:
            return found
        message = job_pb2.JobEvent(
            sequence=event.sequence,
            occurred_at=timestamp(event.occurred_at),
            queue_position=position,
        )
        message.job.MergeFromString(self.job(event))
        if isinstance(result, LargeMessage):
            return await with_field(message, "result", [result.stand_for(job_pb2.JobResult)])
        if result:
            message.result.MergeFromString(result)
        return self._messages.put(key, message)

    def available_result(self, event: JobEvent) -> Result | None:
        """Return the event's result if it needs no reading, else None. It may be `NO_RESULT`."""
        if event.job.status is not JobStatus.COMPLETED:
            return NO_RESULT
        if (found := self._results.find(event.cursor)) is not None:
            return found
        if event.result is not None and convert.conversion_cost(event.result) <= offload.BUDGET:
            return self._results.put(event.cursor, _small(event.result))
        return None

    async def result(self, event: JobEvent) -> Result:
        """Return the event's result, or `NO_RESULT`.

        If several callers wait for the same result, it is read and converted once.
        """
        if (found := self.available_result(event)) is not None:
            return found
        fetching = self._fetching.get(event.cursor)
        # Shielded: a watcher that leaves must not cancel it for the others.
        if fetching is not None and (found := (await asyncio.shield(fetching)).get(event.cursor)):
            return found
        loading = self._loading.get(event.cursor)
        if loading is None:
            loading = asyncio.ensure_future(self._loaded(event))
            self._loading[event.cursor] = loading
            loading.add_done_callback(lambda _: self._loading.pop(event.cursor))
        return await asyncio.shield(loading)

    async def fetch(self, events: Iterable[JobEvent]) -> Mapping[int, Result]:
        """Read the small results that are neither cached nor in the account's events, by cursor.

        Reads them together, once for all callers. Omits results that are large or cannot be read:
        `result` reads these, or raises the error.
        """
        missing = [
            event
            for event in events
            if event.job.status is JobStatus.COMPLETED
            and event.result is None
            and self._results.find(event.cursor) is None
            and event.cursor not in self._loading
        ]
        new = [event for event in missing if event.cursor not in self._fetching]
        if new:
            fetching = asyncio.ensure_future(self._fetched(new))
            self._fetching |= dict.fromkeys([event.cursor for event in new], fetching)
        found: dict[int, Result] = {}
        for fetching in {self._fetching[event.cursor] for event in missing}:
            found |= await asyncio.shield(fetching)
        return found

    async def _fetched(self, events: Sequence[JobEvent]) -> Mapping[int, Result]:
        cursors = {event.job.id: event.cursor for event in events}
        found: dict[int, Result] = {}
        yielder = Yielder()
        try:
            for result in await self._load_small(events):
                cursor = cursors[result.job_id]
                found[cursor] = self._results.put(cursor, _small(result))
                await yielder.yield_if_due()
        except (Unavailable, Damaged):
            pass
        except Exception:
            log.exception("small results could not be read together")
        for cursor in cursors.values():
            del self._fetching[cursor]
        return found

    async def _loaded(self, event: JobEvent) -> Result:
        async with self._conversions:
            result = await self._load(event)
            if result is None:
                # Retention has removed the result.
                return self._results.put(event.cursor, NO_RESULT)
            message = await convert.result(result)
        if isinstance(message, LargeMessage):
            return message
        data = message.SerializeToString()
        if len(data) <= _CACHED_RESULT_BYTES:
            self._results.put(event.cursor, data)
        return data


class _Cache(Generic[Value]):
    """The values that were used last."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: OrderedDict[Hashable, Value] = OrderedDict()

    def find(self, key: Hashable) -> Value | None:
        found = self._values.get(key)
        if found is not None:
            self._values.move_to_end(key)
        return found

    def put(self, key: Hashable, value: Value) -> Value:
        self._values[key] = value
        if len(self._values) > self._limit:
            self._values.popitem(last=False)
        return value


def checkpoint(update: JobUpdate, at: datetime, job: bytes) -> job_pb2.JobEvent:
    """Return the message of a checkpoint sent at `at`; `job` is of `EventMessages.job`."""
    message = job_pb2.JobEvent(
        sequence=update.sequence,
        occurred_at=timestamp(at),
        checkpoint=True,
        queue_position=update.queue_position,
    )
    if job:
        message.job.MergeFromString(job)
    return message


def _small(result: JobResult) -> bytes:
    return convert.small_result(result).SerializeToString()
