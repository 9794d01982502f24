"""The watch of one job."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.job import JobEvent, JobStatus
from quantcloud.watching.sources import PAGE, Sources
from quantcloud.watching.subscription import Subscription
from quantcloud.watching.update import JobUpdate

_NOTHING: Sequence[JobEvent] = ()
# How long a brief watch waits for a run to end before it tells of its beginning.
_MOMENT_SECONDS = 0.05


class JobWatch:
    """Reads what one watcher of a job is sent; there may be very many, so it keeps no event."""

    __slots__ = (
        "_account_id", "_behind", "_brief", "_ended", "_had", "_job_id", "_place", "_queue",
        "_sequence", "_sources", "_subscription",
    )  # fmt: skip

    def __init__(self, sources: Sources, account_id: str, job_id: str, *, brief: bool) -> None:
        self._sources = sources
        self._brief = brief
        self._account_id, self._job_id = account_id, job_id
        self._subscription = Subscription()
        self._sequence = 0
        self._behind = self._ended = False
        # The job's latest event, where the watcher has it from an earlier watch.
        self._had: JobEvent | None = None
        # The backend for which the job is queued, and the place there that was told last.
        self._queue: str | None = None
        self._place: int | None = None

    async def updates(self, after_sequence: int | None) -> AsyncGenerator[JobUpdate]:
        """As `EventFeed.watch_job`."""
        subscription, quiet = self._subscription, self._sources.quiet
        self._sources.by_job.add(self._job_id, subscription)
        try:
            fresh = await (self._begin_briefly() if self._brief else self._begin(after_sequence))
            # Its watcher has just come.
            sent = True
            while True:
                for event in fresh[-1:] if self._brief else fresh:
                    self._note(event)
                    if self._queue is not None and event is fresh[-1]:
                        self._place = await self._position(event)
                    yield JobUpdate(event.sequence, event, queue_position=self._place)
                    sent = True
                if self._ended:
                    return
                if sent:
                    quiet.heard(subscription)
                # The next one may be hours away.
                fresh, event, sent = _NOTHING, None, False
                # Here, since a coroutine of its own would be kept for every watch.
                while not (self._behind or subscription.has_news):
                    await subscription.sleep()
                if self._behind:
                    fresh = await self._read_on()
                elif subscription.has_events:
                    fresh = self._take()
                elif await self._wants_checkpoint():
                    yield JobUpdate(
                        self._sequence, self._had, checkpoint=True, queue_position=self._place
                    )  # fmt: skip
                    self._had, sent = None, True
        finally:
            self._close()

    def _close(self) -> None:
        self._sources.by_job.forget(self._job_id, self._subscription)
        self._sources.quiet.forget(self._subscription)
        if self._queue is not None:
            self._sources.queues.leave(self._subscription, self._queue)

    async def _begin(self, after_sequence: int | None) -> Sequence[JobEvent]:
        recent = self._sources.recent.after(self._account_id, self._job_id, after_sequence)
        if recent is not None:
            return recent
        if after_sequence is None:
            return (await self._sources.log.latest(self._account_id, self._job_id),)
        self._sequence = after_sequence
        if fresh := await self._read_on():
            return fresh
        latest = await self._sources.log.latest(self._account_id, self._job_id)
        if latest.sequence < after_sequence:
            raise InvalidArgument(
                "after_sequence", f"must be at most {latest.sequence}, the job's latest"
            )
        if latest.sequence > after_sequence:  # it was committed in between
            return await self._read_on()
        self._note(latest)
        self._had = latest
        return _NOTHING

    async def _begin_briefly(self) -> Sequence[JobEvent]:
        """The latest event, or what follows it within a moment."""
        fresh = await self._begin(None)
        if fresh[-1].job.status.is_terminal:
            return fresh
        subscription, loop = self._subscription, asyncio.get_running_loop()
        over = loop.time() + _MOMENT_SECONDS
        timer = loop.call_at(over, subscription.wake)
        try:
            while not (self._behind or fresh[-1].job.status.is_terminal or loop.time() >= over):
                self._note(fresh[-1])
                if subscription.has_events:
                    fresh = self._take() or fresh
                else:
                    await subscription.sleep()
        finally:
            timer.cancel()
        return fresh

    async def _read_on(self) -> Sequence[JobEvent]:
        fresh = await self._sources.log.after(self._account_id, self._job_id, self._sequence, PAGE)
        self._behind = len(fresh) == PAGE
        return fresh

    def _take(self) -> Sequence[JobEvent]:
        """What came from memory; nothing where some of it is missing and the log must be read."""
        events, missed = self._subscription.take()
        fresh = [event for event in events if event.sequence > self._sequence]
        first, last = self._sequence + 1, self._sequence + len(fresh)
        if missed or (fresh and (fresh[0].sequence, fresh[-1].sequence) != (first, last)):
            self._behind = True
            return _NOTHING
        return fresh

    def _note(self, event: JobEvent) -> None:
        """Go by `event` from now on."""
        job = event.job
        self._sequence = event.sequence
        self._ended = job.status.is_terminal
        # What was known of the job's place is of the past.
        self._had = self._place = self._subscription.position = None
        queue = job.backend if job.status is JobStatus.QUEUED else None
        if queue == self._queue:
            return
        if self._queue is not None:
            self._sources.queues.leave(self._subscription, self._queue)
        if queue is not None:
            self._sources.queues.follow(self._subscription, queue, job.id)
        self._queue = queue

    async def _wants_checkpoint(self) -> bool:
        """Whether a checkpoint is due; notes the job's place if it moved."""
        subscription = self._subscription
        moved, subscription.position = subscription.position, None
        if not subscription.quiet and moved == self._place:
            return False
        self._place = moved or self._place
        if self._place is None and self._queue is not None and self._had is not None:
            self._place = await self._position(self._had)
        return True

    async def _position(self, event: JobEvent) -> int | None:
        """Where a queued job stands; None where other events follow this one."""
        if self._subscription.has_events or (
            self._behind
            and await self._sources.log.after(self._account_id, self._job_id, event.sequence, 1)
        ):
            return None
        place = await self._sources.queues.position(event.job)
        return None if self._subscription.has_events else place
