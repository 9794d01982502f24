"""Reading, watching and cancelling jobs."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from datetime import datetime

from quantcloud.auth.limits.open_streams import OpenStreams
from quantcloud.auth.principal import Principal
from quantcloud.auth.tokens.tickets import Ticket, Tickets, check_opens, path_of, watched_job
from quantcloud.domain.account import Tier, TierLimits
from quantcloud.domain.cursors import Listing
from quantcloud.domain.errors import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    OutOfRange,
    Unavailable,
)
from quantcloud.domain.event_filter import EventFilter
from quantcloud.domain.job import Job, JobCircuit, JobEvent, JobResult, JobStatus
from quantcloud.domain.job_filter import JobFilter
from quantcloud.domain.outlook import Wait
from quantcloud.domain.page import Page
from quantcloud.services.paging import Listings
from quantcloud.services.queues import Waits
from quantcloud.storage import Store
from quantcloud.watching.feed import EventFeed
from quantcloud.watching.update import AccountUpdate, JobUpdate

# The statuses in which a sweep that has not completed has points that are done.
_WITH_POINTS = frozenset(
    {JobStatus.RUNNING, JobStatus.CANCELLED, JobStatus.TIMEOUT, JobStatus.FAILED}
)


class JobUseCases:
    """What users do with jobs."""

    def __init__(
        self,
        store: Store,
        feed: EventFeed,
        streams: OpenStreams,
        clock: Callable[[], datetime],
        limits: Callable[[Tier], TierLimits],
        *,
        tickets: Tickets,
        waits: Waits | None = None,
    ) -> None:
        self._store = store
        self._listings = Listings(store.cursors, Listing.JOBS)
        self._feed = feed
        self._streams = streams
        self._clock = clock
        self._limits = limits
        self._tickets = tickets
        self._waits = waits

    async def get(
        self, principal: Principal, job_id: str, *, wait_seconds: int | None = None
    ) -> Job:
        """Return a job when its status changes or after `wait_seconds`, whichever is first.

        Raises `NotFound`, or `TooManyStreams` if the account has as many waits and watches open as
        it may.
        """
        if not wait_seconds:
            return await self._store.jobs.get(principal.account_id, job_id)
        job: Job | None = None
        watching = self._feed.watch_job(principal.account_id, job_id, None)
        with self._streams.watches.taken(principal.account_id):
            async with aclosing(watching) as watch:
                # If the server is about to stop, the job as it is now is an answer.
                with suppress(TimeoutError, Unavailable):
                    async with asyncio.timeout(wait_seconds):
                        async for update in watch:
                            if update.event is not None:
                                changed, job = job is not None, update.event.job
                                if changed:
                                    break
        return job or await self._store.jobs.get(principal.account_id, job_id)

    async def is_unfinished(self, principal: Principal, job_id: str) -> bool:
        """Return whether the job exists and has not ended."""
        try:
            job = await self._store.jobs.get(principal.account_id, job_id)
        except NotFound:
            return False
        return not job.status.is_terminal

    async def waits(self, jobs: Sequence[Job]) -> Mapping[str, Wait]:
        """Return why the queued ones of `jobs` wait, by id, where known."""
        return {} if self._waits is None else await self._waits.of(jobs)

    async def list(
        self,
        principal: Principal,
        *,
        limit: int | None,
        offset: int | None,
        page_token: str | None,
        wanted: JobFilter,
    ) -> tuple[Page[Job], str | None]:
        """Return a page of the jobs that `wanted` selects, newest first, and the next page's token.

        Raises `InvalidArgument`.
        """
        part = self._listings.window(limit, offset, page_token)
        if offset and not wanted.has_index:
            raise InvalidArgument(
                "offset", "cannot be combined with these filters; send page_token instead"
            )
        page = await self._store.jobs.list(principal.account_id, **part._asdict(), wanted=wanted)
        return page, self._listings.next_page_token(page)

    async def result(
        self,
        principal: Principal,
        job_id: str,
        *,
        offset: int | None = None,
        limit: int | None = None,
    ) -> JobResult:
        """Return a completed job's result; that of a sweep has points from `offset` on.

        A sweep that runs, was cancelled or timed out has as a result the points that are done. So
        has one that failed, if there are any.
        Raises `NotFound`, `FailedPrecondition` if the job has no result, `InvalidArgument` if the
        job has no such points, or `OutOfRange` if the result has been removed.
        """
        job = await self._store.jobs.get(principal.account_id, job_id)
        if job.points is None and (offset is not None or limit is not None):
            field = "point_limit" if offset is None else "point_offset"
            raise InvalidArgument(field, "is only for a job with points")
        result = await self._store.jobs.result(
            principal.account_id, job_id, offset=offset or 0, limit=limit
        )
        gone = result is None and job.status is JobStatus.COMPLETED
        if result is None and job.points is not None and job.status in _WITH_POINTS:
            result = await self._store.jobs.sweep_so_far(job, offset or 0, limit)
            if job.status is not JobStatus.FAILED:
                gone = result is None
            elif result is not None and result.sweep is not None and not result.sweep.done:
                # The error says more than no points would.
                result = None
        if gone:
            raise OutOfRange(
                f"the result of job {job_id} is no longer kept",
                reason="RESULT_REMOVED",
                metadata={"id": job_id},
            )
        if result is None:
            because = f": {job.error_message}" if job.error_message else ""
            raise FailedPrecondition(
                f"job {job_id} has no result, its status is '{job.status}'{because}",
                reason="JOB_HAS_NO_RESULT",
                metadata={"status": str(job.status)},
            )
        return result

    async def circuit(self, principal: Principal, job_id: str) -> JobCircuit:
        """Return a job's circuit. Raises `NotFound`, or `OutOfRange` if it has been removed."""
        job = await self._store.jobs.get(principal.account_id, job_id)
        found = await self._store.jobs.circuit(job)
        if found is None:
            raise OutOfRange(
                f"the circuit of job {job_id} is no longer kept",
                reason="CIRCUIT_REMOVED",
                metadata={"id": job_id},
            )
        return found

    async def cancel(self, principal: Principal, job_id: str) -> None:
        """Cancel a job. Raises `NotFound`, or `FailedPrecondition` if it ended otherwise."""
        await self._store.jobs.cancel(
            principal.account_id,
            job_id,
            self._clock(),
            job_seconds=self._limits(principal.account.tier).job_seconds,
        )

    def watch(
        self, principal: Principal, job_id: str, *, after_sequence: int | None, brief: bool = False
    ) -> AsyncGenerator[JobUpdate]:
        """Yield each change of one job, up to its last.

        Raises `Unauthenticated` for a ticket of another watch, and the errors of
        `EventFeed.watch_job`.
        """
        check_opens(principal, job_id)
        return self._feed.watch_job(principal.account_id, job_id, after_sequence, brief=brief)

    def watch_all(
        self,
        principal: Principal,
        *,
        after_cursor: str | None,
        wanted: EventFilter,
    ) -> AsyncGenerator[AccountUpdate]:
        """Yield the account's changes that `wanted` selects.

        Raises `Unauthenticated` for a ticket of another watch, `InvalidArgument` and the errors of
        `EventFeed.watch_account`.
        """
        check_opens(principal, None)
        position: int | None = None
        if after_cursor:
            (position,) = self._store.cursors.read("after_cursor", Listing.EVENTS, after_cursor)
        return self._feed.watch_account(principal.account_id, position, wanted)

    async def create_ticket(self, principal: Principal, path: str) -> Ticket:
        """Return a ticket that opens the watch at `path`.

        Raises `InvalidArgument` if no watch has this path, or `NotFound` if its job does not exist.
        """
        job_id = watched_job(path)
        if job_id is not None:
            await self._store.jobs.get(principal.account_id, job_id)
        return self._tickets.issue(principal, path_of(job_id))

    def cursor(self, position: int) -> str:
        """Return the cursor of an event, as clients see it."""
        return self._store.cursors.write(Listing.EVENTS, position)

    def checkpoints(self) -> AsyncGenerator[None]:
        """Yield when a stream needs a checkpoint. Raises the errors of `EventFeed.checkpoints`."""
        return self._feed.checkpoints()

    def now(self) -> datetime:
        """Return the time to put on a message that is sent now."""
        return self._clock()

    async def result_of(self, event: JobEvent) -> JobResult | None:
        """Return the job's result if `event` is its completion, else None."""
        if event.job.status is not JobStatus.COMPLETED:
            return None
        return event.result or await self._store.jobs.result(event.job.account_id, event.job.id)

    async def small_results_of(self, events: Sequence[JobEvent]) -> Sequence[JobResult]:
        """Return the small results of completed jobs. `events` are completions of one account."""
        job_ids = [event.job.id for event in events]
        return await self._store.jobs.small_results(events[0].job.account_id, job_ids)
