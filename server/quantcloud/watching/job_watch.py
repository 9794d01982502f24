"""The watch of one job."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.job import JobEvent, JobStatus
from quantcloud.watching.sources import PAGE, Sources
from quantcloud.watching.subscription import Subscription
from quantcloud.watching.update import JobUpdate

_NOTHING: Sequence[JobEvent] = ()
# How long a brief watch waits for the end of a run before it sends the start.
_BRIEF_WAIT_SECONDS = 0.05


class JobWatch:
    """Reads the updates of one watcher of a job. There may be very many, so it stores no event."""

    __slots__ = (
        "_account_id", "_behind", "_brief", "_ended", "_job_id", "_known", "_queue",
        "_queue_position", "_sequence", "_sources", "_subscription",
    )  # fmt: skip

    def __init__(self, sources: Sources, account_id: str, job_id: str, *, brief: bool) -> None:
        self._sources = sources
        self._brief = brief
        self._account_id, self._job_id = account_id, job_id
        self._subscription = Subscription()
        self._sequence = 0
        self._behind = self._ended = False
        # The job's latest event, if the watcher got it from an earlier watch.
        self._known: JobEvent | None = None
        # The backend that the job is queued for, and the queue position that was sent last.
        self._queue: str | None = None
        self._queue_position: int | None = None

    async def updates(self, after_sequence: int | None) -> AsyncGenerator[JobUpdate]:
        """See `EventFeed.watch_job`."""
        subscription, sources = self._subscription, self._sources
        sources.by_job.add(self._job_id, subscription)
        try:
            fresh = await (self._begin_briefly() if self._brief else self._begin(after_sequence))
            # The time to a checkpoint starts when the watch starts.
            sent = True
            while True:
                for event in fresh[-1:] if self._brief else fresh:
                    self._apply(event)
                    if self._queue is not None and event is fresh[-1]:
                        self._queue_position = await self._read_position(event)
                    yield JobUpdate(event.sequence, event, queue_position=self._queue_position)
                    sent = True
                if self._ended:
                    return
                if sent:
                    sources.delay_checkpoint(subscription)
                # Free its memory: the next one may be hours away.
                fresh, event, sent = _NOTHING, None, False
                # Inline, because a separate coroutine would take memory for every watch.
                while not (self._behind or subscription.has_news):
                    await subscription.sleep()
                if self._behind:
                    fresh = await self._read_log()
                elif subscription.has_events:
                    fresh = self._take()
                elif await self._wants_checkpoint():
                    yield JobUpdate(
                        self._sequence, self._known, checkpoint=True,
                        queue_position=self._queue_position,
                    )  # fmt: skip
                    self._known, sent = None, True
        finally:
            self._close()

    def _close(self) -> None:
        self._sources.by_job.forget(self._job_id, self._subscription)
        self._sources.checkpoints.stop(self._subscription)
        if self._queue is not None:
            self._sources.queues.leave(self._subscription, self._queue)

    async def _begin(self, after_sequence: int | None) -> Sequence[JobEvent]:
        recent = self._sources.recent.after(self._account_id, self._job_id, after_sequence)
        if recent is not None:
            return recent
        if after_sequence is None:
            return (await self._sources.log.latest(self._account_id, self._job_id),)
        self._sequence = after_sequence
        if fresh := await self._read_log():
            return fresh
        latest = await self._sources.log.latest(self._account_id, self._job_id)
        if latest.sequence < after_sequence:
            raise InvalidArgument(
                "after_sequence", f"must be at most {latest.sequence}, the job's latest"
            )
        if latest.sequence > after_sequence:  # committed between the two reads
            return await self._read_log()
        self._apply(latest)
        self._known = latest
        return _NOTHING

    async def _begin_briefly(self) -> Sequence[JobEvent]:
        """Return the latest event, or the events that follow it within `_BRIEF_WAIT_SECONDS`."""
        fresh = await self._begin(None)
        if fresh[-1].job.status.is_terminal:
            return fresh
        subscription, loop = self._subscription, asyncio.get_running_loop()
        over = loop.time() + _BRIEF_WAIT_SECONDS
        timer = loop.call_at(over, subscription.wake)
        try:
            while not (self._behind or fresh[-1].job.status.is_terminal or loop.time() >= over):
                self._apply(fresh[-1])
                if subscription.has_events:
                    fresh = self._take() or fresh
                else:
                    await subscription.sleep()
        finally:
            timer.cancel()
        return fresh

    async def _read_log(self) -> Sequence[JobEvent]:
        fresh = await self._sources.log.after(self._account_id, self._job_id, self._sequence, PAGE)
        self._behind = len(fresh) == PAGE
        return fresh

    def _take(self) -> Sequence[JobEvent]:
        """Return the events from memory, or none if some are missing and the log must be read."""
        events, missed = self._subscription.take()
        fresh = [event for event in events if event.sequence > self._sequence]
        first, last = self._sequence + 1, self._sequence + len(fresh)
        if missed or (fresh and (fresh[0].sequence, fresh[-1].sequence) != (first, last)):
            self._behind = True
            return _NOTHING
        return fresh

    def _apply(self, event: JobEvent) -> None:
        """Update the state of the watch to `event`."""
        job = event.job
        self._sequence = event.sequence
        self._ended = job.status.is_terminal
        # The known queue position is out of date.
        self._known = self._queue_position = self._subscription.position = None
        queue = job.backend if job.status is JobStatus.QUEUED else None
        if queue == self._queue:
            return
        if self._queue is not None:
            self._sources.queues.leave(self._subscription, self._queue)
        if queue is not None:
            self._sources.queues.follow(self._subscription, queue, self._job_id)
        self._queue = queue

    async def _wants_checkpoint(self) -> bool:
        """Whether a checkpoint is due. Also updates the job's queue position."""
        subscription = self._subscription
        moved, subscription.position = subscription.position, None
        if not subscription.checkpoint_due and moved == self._queue_position:
            return False
        self._queue_position = moved or self._queue_position
        if self._queue_position is None and self._queue is not None and self._known is not None:
            self._queue_position = await self._read_position(self._known)
        return True

    async def _read_position(self, event: JobEvent) -> int | None:
        """Return a queued job's position; None if later events follow `event`."""
        if self._subscription.has_events or (
            self._behind
            and await self._sources.log.after(self._account_id, self._job_id, event.sequence, 1)
        ):
            return None
        position = await self._sources.queues.position(event.job)
        return None if self._subscription.has_events else position
