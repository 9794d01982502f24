"""Converts events to bytes of messages, once for all watchers.

The messages of one event may differ in the queue position and in whether they have the result, and
its checkpoints differ in their time. So each watch builds its messages from cached parts. Fields of
a message may be in any order: https://protobuf.dev/programming-guides/encoding/#order.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, Generic, NamedTuple, TypeAlias, TypeVar

import structlog

from quantcloud.aio import offload
from quantcloud.aio.cooperative import Yielder
from quantcloud.api.convert import jobs as convert
from quantcloud.api.convert.values import timestamp
from quantcloud.api.encoding import VARINT, delimited, struct_bytes, tag, timestamp_bytes, varint
from quantcloud.api.json_nulls import nullable
from quantcloud.domain.errors import Damaged, Unavailable
from quantcloud.domain.job import JobEvent, JobResult, JobStatus
from quantcloud.watching.update import JobUpdate
from thequantcloud.v1 import job_pb2

_NO_POSITION, NO_RESULT, _NO_ERROR = (
    nullable(job_pb2.JobEvent, name).null for name in ("queue_position", "result", "error")
)
_SEQUENCE = tag(job_pb2.JobEvent.SEQUENCE_FIELD_NUMBER, VARINT)
_OCCURRED_AT = tag(job_pb2.JobEvent.OCCURRED_AT_FIELD_NUMBER)
_JOB = tag(job_pb2.JobEvent.JOB_FIELD_NUMBER)
_RESULT = tag(job_pb2.JobEvent.RESULT_FIELD_NUMBER)
_CURSOR = tag(job_pb2.WatchJobsResponse.CURSOR_FIELD_NUMBER)
_EVENTS = tag(job_pb2.WatchJobsResponse.EVENTS_FIELD_NUMBER)
_CHECKPOINT = job_pb2.WatchJobsResponse(checkpoint=True).SerializeToString()
_NO_ERROR_OF_ALL = nullable(job_pb2.WatchJobsResponse, "error").null
LARGE_BYTES: Final = 1 << 20
"""A message of more bytes is sent alone. By default, gRPC clients accept up to 4 MiB."""
_CACHED_EVENTS = 1024
_CACHED_RESULTS = 128
_CACHED_STRUCTS = 256
_CACHED_RESULT_BYTES: Final = 64 << 10
# How many results are read and converted concurrently; each may be large.
_LARGE_CONVERSIONS = 2

log = structlog.stdlib.get_logger(__name__)

Part = TypeVar("Part")
Message: TypeAlias = Sequence[bytes]
"""The bytes of a message in parts. Join them only once, because some are large."""


class EventParts(NamedTuple):
    """The parts that all messages of an event share: the event's own fields, and its job."""

    own: bytes
    job: bytes


class EventMessages:
    """Builds messages of events. Caches the parts that were sent last, a few megabytes.

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
        self._events: _Cache[EventParts] = _Cache(_CACHED_EVENTS)
        self._results: _Cache[bytes] = _Cache(_CACHED_RESULTS)
        # By the id() of the metadata. The value keeps the metadata alive, so its id stays unique.
        self._structs: _Cache[tuple[Mapping[str, object], bytes]] = _Cache(_CACHED_STRUCTS)
        # Results that are being loaded, by the cursor of their event.
        self._loading: dict[int, asyncio.Future[bytes]] = {}
        # Small results that are being loaded together, by the cursor of their event.
        self._fetching: dict[int, asyncio.Future[Mapping[int, bytes]]] = {}
        self._conversions = asyncio.Semaphore(_LARGE_CONVERSIONS)

    def parts(self, event: JobEvent) -> EventParts:
        found = self._events.find(event.cursor)
        if found is not None:
            return found
        metadata = self._struct(event.job.metadata)
        return self._events.put(event.cursor, _parts(event, metadata))

    def _struct(self, metadata: Mapping[str, object]) -> bytes:
        """Return the bytes of a job's metadata. Events of one job often share the object."""
        known, written = self._structs.find(id(metadata)) or (None, b"")
        if known is not metadata:
            written = struct_bytes(metadata)
            self._structs.put(id(metadata), (metadata, written))
        return written

    def available_result(self, event: JobEvent) -> bytes | None:
        """Return the result part of a message if it needs no reading, else None. The part may say
        that there is no result.
        """
        if event.job.status is not JobStatus.COMPLETED:
            return NO_RESULT
        if (found := self._results.find(event.cursor)) is not None:
            return found
        if event.result is not None and offload.fits(convert.conversion_cost(event.result)):
            return self._results.put(event.cursor, _result(event.result))
        return None

    async def result(self, event: JobEvent) -> bytes:
        """Return the result part of a message. The part may say that there is no result.

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

    async def fetch(self, events: Iterable[JobEvent]) -> Mapping[int, bytes]:
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
        found: dict[int, bytes] = {}
        for fetching in {self._fetching[event.cursor] for event in missing}:
            found |= await asyncio.shield(fetching)
        return found

    async def _fetched(self, events: Sequence[JobEvent]) -> Mapping[int, bytes]:
        cursors = {event.job.id: event.cursor for event in events}
        found: dict[int, bytes] = {}
        yielder = Yielder()
        try:
            for result in await self._load_small(events):
                cursor = cursors[result.job_id]
                found[cursor] = self._results.put(cursor, _result(result))
                await yielder.yield_if_due()
        except (Unavailable, Damaged):
            pass
        except Exception:
            log.exception("small results could not be read together")
        for cursor in cursors.values():
            del self._fetching[cursor]
        return found

    async def _loaded(self, event: JobEvent) -> bytes:
        async with self._conversions:
            result = await self._load(event)
            if result is None:
                # Retention has removed the result.
                return self._results.put(event.cursor, NO_RESULT)
            part = await offload.run(convert.conversion_cost(result), _result, result)
        if len(part) <= _CACHED_RESULT_BYTES:
            self._results.put(event.cursor, part)
        return part


class _Cache(Generic[Part]):
    """The parts that were used last, by a number such as their event's cursor."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: OrderedDict[int, Part] = OrderedDict()

    def find(self, cursor: int) -> Part | None:
        found = self._parts.get(cursor)
        if found is not None:
            self._parts.move_to_end(cursor)
        return found

    def put(self, cursor: int, part: Part) -> Part:
        self._parts[cursor] = part
        if len(self._parts) > self._limit:
            self._parts.popitem(last=False)
        return part


def change(parts: EventParts, position: int | None, result: bytes = NO_RESULT) -> Message:
    """Return the message of an event."""
    return parts.own, parts.job, _position(position), result


def checkpoint(update: JobUpdate, at: datetime, job: bytes) -> bytes:
    """Return the message of a checkpoint sent at `at`; `job` is a part of `EventParts`."""
    own = job_pb2.JobEvent(sequence=update.sequence, occurred_at=timestamp(at), checkpoint=True)
    rest = job + _position(update.queue_position) + NO_RESULT + _NO_ERROR
    return own.SerializeToString() + rest


def response(cursor: str, changes: Iterable[Message]) -> bytes:
    """Return a `WatchJobsResponse` with these messages of events; without any, a checkpoint."""
    parts = [_CURSOR, delimited(cursor.encode()), _NO_ERROR_OF_ALL]
    head = len(parts)
    for message in changes:
        parts += _EVENTS, varint(sum(map(len, message))), *message
    if len(parts) == head:
        parts.append(_CHECKPOINT)
    return b"".join(parts)


def _parts(event: JobEvent, metadata: bytes) -> EventParts:
    own = (
        _SEQUENCE, varint(event.sequence), _OCCURRED_AT, timestamp_bytes(event.occurred_at),
        _NO_ERROR,
    )  # fmt: skip
    job = convert.job_bytes(event.job, metadata)
    return EventParts(b"".join(own), _JOB + delimited(job))


def _position(position: int | None) -> bytes:
    if position is None:
        return _NO_POSITION
    return job_pb2.JobEvent(queue_position=position).SerializeToString()


def _result(result: JobResult) -> bytes:
    return convert.result_field(_RESULT, result)
