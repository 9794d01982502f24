"""The event feed: every change of a job, once and in order, to whoever watches.

A watcher first subscribes and then reads the log, so that nothing falls between the two. Events
reach it from memory as they are committed; where it fell behind, or a sequence is missing, it
reads on from the log. So its memory is bounded, and a slow reader holds nobody up.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from quantcloud.domain.errors import InvalidArgument, Unavailable
from quantcloud.domain.job import JobEvent, JobStatus
from quantcloud.watching.queues import QueueMonitor

_PENDING = 64
_PAGE = 256


class EventLog(Protocol):
    """Where events are kept."""

    async def latest(self, account_id: str, job_id: str) -> JobEvent: ...

    async def after(
        self, account_id: str, job_id: str, sequence: int, limit: int
    ) -> Sequence[JobEvent]: ...

    async def account_after(
        self, account_id: str, cursor: int, limit: int
    ) -> Sequence[JobEvent]: ...

    async def latest_cursor(self, account_id: str) -> int: ...


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """No change: a sign of life, or a queue that moved.

    `event` is the last that the watcher of one job was sent, `cursor` where a watch resumes.
    `queue_position` is set where the queue of the job's backend moved.
    """

    event: JobEvent | None
    cursor: int
    queue_position: int | None = None


class _Subscription:
    """What was committed since the watcher last looked; `missed` once that was too much.

    `position` is the job's place in its queue where that changed since.
    """

    __slots__ = ("missed", "pending", "position", "wake")

    def __init__(self) -> None:
        self.pending: deque[JobEvent] = deque()
        self.missed = False
        self.position: int | None = None
        self.wake = asyncio.Event()

    def put(self, event: JobEvent) -> None:
        if len(self.pending) < _PENDING:
            self.pending.append(event)
        else:
            self.missed = True
        self.wake.set()

    def stands_at(self, position: int) -> None:
        self.position = position
        self.wake.set()

    def take(self) -> tuple[list[JobEvent], bool]:
        events, missed = list(self.pending), self.missed
        self.pending.clear()
        self.missed = False
        return events, missed

    def take_position(self) -> int | None:
        position, self.position = self.position, None
        return position


class EventFeed:
    """Hands committed events to watchers. Belongs to one event loop."""

    def __init__(self, log: EventLog, queues: QueueMonitor, checkpoint_seconds: float) -> None:
        self._log = log
        self._queues = queues
        self._checkpoint_seconds = checkpoint_seconds
        self._by_job: defaultdict[str, set[_Subscription]] = defaultdict(set)
        self._by_account: defaultdict[str, set[_Subscription]] = defaultdict(set)
        self._closed = False

    @property
    def watchers(self) -> int:
        """How many watches are open."""
        return sum(
            len(subscriptions)
            for index in (self._by_job, self._by_account)
            for subscriptions in index.values()
        )

    def publish(self, events: Sequence[JobEvent]) -> None:
        """Take events that were just committed, in the order of their commits."""
        for event in events:
            for subscription in self._by_job.get(event.job.id, ()):
                subscription.put(event)
            for subscription in self._by_account.get(event.job.account_id, ()):
                subscription.put(event)
            self._queues.notice(event)

    def close(self) -> None:
        """End every watch with `Unavailable`; later ones end at once."""
        self._closed = True
        for index in (self._by_job, self._by_account):
            for subscriptions in index.values():
                for subscription in subscriptions:
                    subscription.wake.set()

    async def watch_job(
        self, account_id: str, job_id: str, after_sequence: int | None
    ) -> AsyncGenerator[JobEvent | Checkpoint]:
        """The latest event, or every event after `after_sequence`; then each as it happens.

        Ends after the event of a terminal status. Raises `NotFound`, `InvalidArgument` for a
        sequence that the job has not reached, and `Unavailable` when the feed closes.
        """
        subscription = _Subscription()
        self._by_job[job_id].add(subscription)
        latest: JobEvent | None = None
        try:
            latest = await self._log.latest(account_id, job_id)
            if after_sequence is None:
                sent = latest.sequence
                yield latest
            elif after_sequence <= latest.sequence:
                sent = after_sequence
            else:
                raise InvalidArgument(
                    "after_sequence", f"must be at most {latest.sequence}, the job's latest"
                )
            behind = sent < latest.sequence
            deadline = self._next_checkpoint()
            while behind or not latest.job.status.is_terminal:
                if behind:
                    fresh = await self._log.after(account_id, job_id, sent, _PAGE)
                    behind = len(fresh) == _PAGE
                else:
                    self._queues.follow(subscription, latest.job)
                    fresh, behind = await self._wait(subscription, deadline)
                    if not fresh and not behind:
                        position = subscription.take_position()
                        yield Checkpoint(latest, latest.cursor, position)
                        deadline = self._next_checkpoint()
                    if behind or (fresh and fresh[0].sequence > sent + 1):
                        behind = True
                        continue
                for event in fresh:
                    if event.sequence > sent:
                        latest, sent = event, event.sequence
                        # A place in the queue that was read before this event is of the past.
                        subscription.take_position()
                        yield event
                        deadline = self._next_checkpoint()
        finally:
            if latest is not None:
                self._queues.leave(subscription, latest.job)
            _forget(self._by_job, job_id, subscription)

    async def watch_account(
        self,
        account_id: str,
        after_cursor: int | None,
        statuses: Collection[JobStatus] = (),
    ) -> AsyncGenerator[JobEvent | Checkpoint]:
        """Every event of the account's jobs after `after_cursor`, or from now on. Never ends.

        With `statuses` only events that bring a job to one of these. Without a cursor a checkpoint
        comes first: where to resume, should nothing happen for a while. Raises `InvalidArgument`
        for a cursor that no event had, and `Unavailable` when the feed closes.
        """
        subscription = _Subscription()
        self._by_account[account_id].add(subscription)
        try:
            cursor = await self._log.latest_cursor(account_id)
            behind = after_cursor is not None
            if after_cursor is None:
                yield Checkpoint(None, cursor)
            elif after_cursor <= cursor:
                cursor = after_cursor
            else:
                raise InvalidArgument("after_cursor", "is no cursor that an event carried")
            deadline = self._next_checkpoint()
            while True:
                if behind:
                    fresh = await self._log.account_after(account_id, cursor, _PAGE)
                    behind = len(fresh) == _PAGE
                else:
                    fresh, behind = await self._wait(subscription, deadline)
                    if behind:
                        continue
                for event in fresh:
                    if event.cursor > cursor:
                        cursor = event.cursor
                        if not statuses or event.job.status in statuses:
                            yield event
                            deadline = self._next_checkpoint()
                if asyncio.get_running_loop().time() >= deadline:
                    yield Checkpoint(None, cursor)
                    deadline = self._next_checkpoint()
        finally:
            _forget(self._by_account, account_id, subscription)

    def _next_checkpoint(self) -> float:
        """When a watch that is sent something now wants a checkpoint, on the loop's clock."""
        return asyncio.get_running_loop().time() + self._checkpoint_seconds

    async def _wait(
        self, subscription: _Subscription, deadline: float
    ) -> tuple[Sequence[JobEvent], bool]:
        """What came since, and whether some of it was dropped; nothing once `deadline` has come."""
        try:
            async with asyncio.timeout_at(deadline):
                await self._woken(subscription)
        except TimeoutError:
            return (), False
        return subscription.take()

    async def _woken(self, subscription: _Subscription) -> None:
        while not (
            subscription.pending or subscription.missed or subscription.position is not None
        ):
            if self._closed:
                raise Unavailable(
                    "the server is shutting down; resume where this watch ended",
                    reason="SERVER_DRAINING",
                )
            await subscription.wake.wait()
            subscription.wake.clear()


def _forget(
    index: defaultdict[str, set[_Subscription]], key: str, subscription: _Subscription
) -> None:
    index[key].discard(subscription)
    if not index[key]:
        del index[key]
