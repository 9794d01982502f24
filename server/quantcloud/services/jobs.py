"""Looking at jobs, watching them, cancelling them."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime

from quantcloud.auth.principal import Principal
from quantcloud.domain.errors import FailedPrecondition, InvalidArgument, Unavailable
from quantcloud.domain.job import Job, JobEvent, JobResult, JobStatus
from quantcloud.domain.page import Page
from quantcloud.services.paging import window
from quantcloud.storage import Store
from quantcloud.watching.feed import Checkpoint, EventFeed

MAXIMUM_WAIT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a watcher is sent: an event with what belongs to it, or a checkpoint."""

    sequence: int
    cursor: int
    occurred_at: datetime
    job: Job | None
    queue_position: int | None = None
    result: JobResult | None = None
    checkpoint: bool = False


class JobUseCases:
    """What users do with jobs."""

    def __init__(self, store: Store, feed: EventFeed, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._feed = feed
        self._clock = clock

    async def get(
        self, principal: Principal, job_id: str, *, wait_seconds: int | None = None
    ) -> Job:
        """A job, once its status changes or after `wait_seconds`, whichever comes first.

        Raises `NotFound`, or `InvalidArgument` for a wait of more than `MAXIMUM_WAIT_SECONDS`.
        """
        if not wait_seconds:
            return await self._store.jobs.get(principal.account_id, job_id)
        if not 0 < wait_seconds <= MAXIMUM_WAIT_SECONDS:
            raise InvalidArgument(
                "wait_seconds", f"must be 0 to {MAXIMUM_WAIT_SECONDS}, is {wait_seconds}"
            )
        job: Job | None = None
        async with aclosing(self._feed.watch_job(principal.account_id, job_id, None)) as events:
            # Where the server is about to stop, what is known of the job is as good an answer.
            with suppress(TimeoutError, Unavailable):
                async with asyncio.timeout(wait_seconds):
                    async for event in events:
                        if isinstance(event, JobEvent):
                            changed, job = job is not None, event.job
                            if changed:
                                break
        return job or await self._store.jobs.get(principal.account_id, job_id)

    async def list(
        self,
        principal: Principal,
        *,
        limit: int | None,
        offset: int | None,
        status: JobStatus | None,
    ) -> Page[Job]:
        """The account's jobs of that status, or of any, newest first."""
        part = window(limit, offset)
        return await self._store.jobs.list(
            principal.account_id, limit=part.limit, offset=part.offset, status=status
        )

    async def result(self, principal: Principal, job_id: str) -> JobResult:
        """A completed job's result. Raises `NotFound`, or `FailedPrecondition` before its end."""
        job = await self._store.jobs.get(principal.account_id, job_id)
        result = await self._store.jobs.result(principal.account_id, job_id)
        if result is None:
            because = f": {job.error_message}" if job.error_message else ""
            raise FailedPrecondition(
                f"job {job_id} has no result, its status is '{job.status}'{because}",
                reason="JOB_HAS_NO_RESULT",
                metadata={"status": str(job.status)},
            )
        return result

    async def cancel(self, principal: Principal, job_id: str) -> None:
        """Cancel a job. Raises `NotFound`, or `FailedPrecondition` where it has ended otherwise."""
        await self._store.jobs.cancel(principal.account_id, job_id, self._clock())

    async def watch(
        self,
        principal: Principal,
        job_id: str,
        *,
        after_sequence: int | None,
        with_result: bool,
    ) -> AsyncGenerator[Sighting]:
        """Every change of one job, until its last."""
        if after_sequence is not None and after_sequence < 0:
            raise InvalidArgument("after_sequence", f"must be 0 or more, is {after_sequence}")
        events = self._feed.watch_job(principal.account_id, job_id, after_sequence)
        told: int | None = None
        async with aclosing(events):
            async for seen in events:
                moved = seen.queue_position if isinstance(seen, Checkpoint) else None
                if moved is not None and moved == told:
                    continue
                sighting = await self._sighting(seen, with_result=with_result)
                told = sighting.queue_position
                yield sighting

    async def watch_all(
        self,
        principal: Principal,
        *,
        after_cursor: str | None,
        statuses: Collection[JobStatus],
        with_result: bool,
    ) -> AsyncGenerator[Sighting]:
        """Every change of every job of the account that brings it to one of `statuses`."""
        cursor = _parse_cursor(after_cursor) if after_cursor else None
        events = self._feed.watch_account(principal.account_id, cursor, statuses)
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Checkpoint):
                    yield Sighting(0, event.cursor, self._clock(), None, checkpoint=True)
                else:
                    yield await self._sighting(event, with_result=with_result)

    async def _position(self, job: Job) -> int | None:
        """Where a job stands in its queue, None where this event is not its latest any more."""
        latest = await self._store.jobs.get(job.account_id, job.id)
        if latest.sequence != job.sequence:
            return None
        return await self._store.jobs.queue_position(job)

    async def _sighting(self, seen: JobEvent | Checkpoint, *, with_result: bool) -> Sighting:
        position: int | None = None
        if isinstance(seen, Checkpoint):
            event, position, checkpoint = seen.event, seen.queue_position, True
        else:
            event, checkpoint = seen, False
        if event is None:
            raise AssertionError("a watch of one job has always sent an event")
        job = event.job
        if position is None and job.status is JobStatus.QUEUED:
            position = await self._position(job)
        result = None
        if with_result and job.status is JobStatus.COMPLETED:
            result = await self._store.jobs.result(job.account_id, job.id)
        return Sighting(
            sequence=event.sequence,
            cursor=event.cursor,
            occurred_at=self._clock() if checkpoint else event.occurred_at,
            job=job,
            queue_position=position,
            result=result,
            checkpoint=checkpoint,
        )


def _parse_cursor(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:  # noqa: PLR2004  # fits 64 bits
        raise InvalidArgument("after_cursor", "is no cursor that an event carried")
    return int(text)
