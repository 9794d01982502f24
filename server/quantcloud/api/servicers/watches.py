"""The messages of every RPC that watches."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime

from quantcloud.aio.cooperative import Yielder
from quantcloud.api.context import principal
from quantcloud.api.convert import events
from quantcloud.api.convert.events import NO_RESULT, EventMessages, Result
from quantcloud.api.large import with_field
from quantcloud.api.servicers.batcher import Batcher
from quantcloud.domain.job import JobEvent
from quantcloud.services.jobs import JobUseCases
from quantcloud.watching.update import AccountUpdate, JobUpdate
from thequantcloud.v1 import job_pb2

Batch = Batcher[tuple[job_pb2.JobEvent, int]]
"""Messages of events, each with its event's cursor."""


class Watches:
    """Makes the messages of watches. All servicers share one, and so its cache of messages."""

    def __init__(self, jobs: JobUseCases) -> None:
        self._jobs = jobs
        self._make = EventMessages(jobs.result_of, jobs.small_results_of)

    def of_job(self, updates: AsyncGenerator[JobUpdate], *, with_result: bool) -> "JobMessages":
        """Return the messages of a watch of one job."""
        return JobMessages(self._jobs, self._make, updates, with_result=with_result)

    def of_run(self, job_id: str) -> "JobMessages":
        """Return the messages of the caller's own run, with its result: see `RunAndWatch`."""
        updates = self._jobs.watch(principal(), job_id, after_sequence=None, brief=True)
        return self.of_job(updates, with_result=True)

    async def responses(
        self, update: AccountUpdate, *, with_result: bool
    ) -> AsyncGenerator[job_pb2.WatchJobsResponse]:
        """Yield an update of a watch of all jobs: in one message if its results are available and
        it fits.
        """
        if not update.events:
            cursor = self._jobs.cursor(update.cursor)
            yield job_pb2.WatchJobsResponse(cursor=cursor, checkpoint=True)
            return
        results: Mapping[int, Result] = {}
        if with_result:
            results = await self._make.fetch([each.event for each in update.events])
        batch = Batch()
        yielder = Yielder()
        for event, position in update.events:
            result = self._available(event, results) if with_result else NO_RESULT
            if result is None:
                # Messages that are ready do not wait for this result, nor take memory meanwhile.
                if batch:
                    yield await self._response(batch.take())
                result = await self._make.result(event)
            message = await self._make.change(event, position, result)
            batch.add((message, event.cursor), message.ByteSize())
            # They may be large. Free them before a slow client reads the next message.
            del message, result
            if batch.is_full:
                yield await self._response(batch.take())
            await yielder.yield_if_due()
        while batch:
            yield await self._response(batch.take())

    def _available(self, event: JobEvent, results: Mapping[int, Result]) -> Result | None:
        """Return the event's result if it needs no reading, else None."""
        return results.get(event.cursor) or self._make.available_result(event)

    async def _response(
        self, batch: Sequence[tuple[job_pb2.JobEvent, int]]
    ) -> job_pb2.WatchJobsResponse:
        response = job_pb2.WatchJobsResponse(cursor=self._jobs.cursor(batch[-1][1]))
        return await with_field(response, "events", [message for message, _ in batch])


class JobMessages:
    """The messages of a watch of one job. Close `updates` at its end.

    It does not wrap `updates` in a generator, which would take 0.4 KiB more per watch.
    """

    __slots__ = ("_job", "_jobs", "_latest", "_make", "_with_result", "updates")

    def __init__(
        self,
        jobs: JobUseCases,
        make: EventMessages,
        updates: AsyncGenerator[JobUpdate],
        *,
        with_result: bool,
    ) -> None:
        self.updates = updates
        self._jobs = jobs
        self._make = make
        self._with_result = with_result
        # The last event's job, which checkpoints repeat, and time, which none precedes.
        self._job = b""
        self._latest: datetime | None = None

    async def message(self, update: JobUpdate) -> job_pb2.JobEvent:
        """Return the message of an update."""
        event = update.event
        if event is not None:
            self._job, self._latest = self._make.job(event), event.occurred_at
        if event is None or update.checkpoint:
            now = self._jobs.now()
            return events.checkpoint(update, max(now, self._latest or now), self._job)
        result = await self._make.result(event) if self._with_result else NO_RESULT
        return await self._make.change(event, update.queue_position, result)
