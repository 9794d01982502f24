"""Events as the bytes of messages, made once for all watchers.

The messages of one event differ in its place in the queue and in whether they have its result, its
checkpoints in their time: so each watch puts its messages together of parts. Fields may stand in
any order in a message: https://protobuf.dev/programming-guides/encoding/#order.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, Generic, NamedTuple, TypeAlias, TypeVar

import structlog

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
# Bytes that another thread copies: it does so without the interpreter, which the event loop has.
LARGE_BYTES: Final = 1 << 20
_KEPT_EVENTS = 1024
_KEPT_RESULTS = 128
_KEPT_STRUCTS = 256
_KEPT_RESULT_BYTES: Final = 64 << 10
# Results that are read and converted at a time; each may be large.
_LARGE_CONVERSIONS = 2

log = structlog.stdlib.get_logger(__name__)

Part = TypeVar("Part")
Message: TypeAlias = Sequence[bytes]
"""The bytes of a message in parts, which are to be joined once: some are large."""


class EventParts(NamedTuple):
    """What all messages of an event share: what is its own, and its job."""

    own: bytes
    job: bytes


class EventMessages:
    """Makes the messages; keeps the parts of what was sent last, some megabytes of them.

    `load` reads the result of a completed job's last event, and `load_small` those of several,
    where they are small.
    """

    def __init__(
        self,
        load: Callable[[JobEvent], Awaitable[JobResult | None]],
        load_small: Callable[[Sequence[JobEvent]], Awaitable[Iterable[JobResult]]],
    ) -> None:
        self._load = load
        self._load_small = load_small
        self._events: _Kept[EventParts] = _Kept(_KEPT_EVENTS)
        self._results: _Kept[bytes] = _Kept(_KEPT_RESULTS)
        # By the identity of the metadata, which is kept with its bytes: no other has it meanwhile.
        self._structs: _Kept[tuple[Mapping[str, object], bytes]] = _Kept(_KEPT_STRUCTS)
        # Results on their way, by the cursor of their event.
        self._loading: dict[int, asyncio.Future[bytes]] = {}
        # Those that are read together.
        self._fetching: dict[int, asyncio.Future[Mapping[int, bytes]]] = {}
        self._turn = asyncio.Semaphore(_LARGE_CONVERSIONS)

    def parts(self, event: JobEvent) -> EventParts:
        found = self._events.find(event.cursor)
        if found is not None:
            return found
        metadata = self._struct(event.job.metadata)
        return self._events.keep(event.cursor, _parts(event, metadata))

    def _struct(self, metadata: Mapping[str, object]) -> bytes:
        """The bytes of a job's metadata, which one event after the other often shares."""
        known, written = self._structs.find(id(metadata)) or (None, b"")
        if known is not metadata:
            written = struct_bytes(metadata)
            self._structs.keep(id(metadata), (metadata, written))
        return written

    def result_at_hand(self, event: JobEvent) -> bytes | None:
        """The part of a message that is the result, or that there is none; None where it is to be
        waited for.
        """
        if event.job.status is not JobStatus.COMPLETED:
            return NO_RESULT
        if (found := self._results.find(event.cursor)) is not None:
            return found
        if event.result is not None and not convert.is_large(event.result):
            return self._results.keep(event.cursor, _result(event.result))
        return None

    async def result(self, event: JobEvent) -> bytes:
        """The part of a message that is the result; of an event that has none, that it has none.

        However many ask for a result that is not here, it is read and converted once.
        """
        if (found := self.result_at_hand(event)) is not None:
            return found
        fetching = self._fetching.get(event.cursor)
        # A watcher that goes away does not end it for the others.
        if fetching is not None and (found := (await asyncio.shield(fetching)).get(event.cursor)):
            return found
        loading = self._loading.get(event.cursor)
        if loading is None:
            loading = asyncio.ensure_future(self._loaded(event))
            self._loading[event.cursor] = loading
            loading.add_done_callback(lambda _: self._loading.pop(event.cursor))
        return await asyncio.shield(loading)

    async def fetch(self, events: Iterable[JobEvent]) -> Mapping[int, bytes]:
        """The small results of an account's events, by cursor, that are neither here nor with them.

        They are read together, once for all who ask. What is not small, or cannot be read, is not
        among them: `result` reads it, or says why not.
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
                found[cursor] = self._results.keep(cursor, _result(result))
                await yielder.yield_if_due()
        except (Unavailable, Damaged):
            pass
        except Exception:
            log.exception("small results could not be read together")
        for cursor in cursors.values():
            del self._fetching[cursor]
        return found

    async def _loaded(self, event: JobEvent) -> bytes:
        async with self._turn:
            result = await self._load(event)
            if result is None:
                # It was removed.
                return self._results.keep(event.cursor, NO_RESULT)
            if convert.is_large(result):
                part = await asyncio.to_thread(_result, result)
            else:
                part = _result(result)
        if len(part) <= _KEPT_RESULT_BYTES:
            self._results.keep(event.cursor, part)
        return part


class _Kept(Generic[Part]):
    """The parts that were used last, by their event's cursor, say."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: OrderedDict[int, Part] = OrderedDict()

    def find(self, cursor: int) -> Part | None:
        found = self._parts.get(cursor)
        if found is not None:
            self._parts.move_to_end(cursor)
        return found

    def keep(self, cursor: int, part: Part) -> Part:
        self._parts[cursor] = part
        if len(self._parts) > self._limit:
            self._parts.popitem(last=False)
        return part


def change(parts: EventParts, position: int | None, result: bytes = NO_RESULT) -> Message:
    """The message of an event."""
    return parts.own, parts.job, _position(position), result


def checkpoint(seen: JobUpdate, at: datetime, job: bytes) -> bytes:
    """The message of a checkpoint that is sent at `at`; `job` is a part of `EventParts`."""
    own = job_pb2.JobEvent(sequence=seen.sequence, occurred_at=timestamp(at), checkpoint=True)
    rest = job + _position(seen.queue_position) + NO_RESULT + _NO_ERROR
    return own.SerializeToString() + rest


def response(cursor: str, changes: Iterable[Message]) -> bytes:
    """The message of WatchJobs that has these messages of events; without any, a checkpoint."""
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
