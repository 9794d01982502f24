"""The watch of all jobs of an account."""

from collections.abc import AsyncGenerator, Sequence
from typing import Final

from quantcloud.domain.cursors import INVALID_CURSOR
from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.event_filter import EventFilter
from quantcloud.domain.job import JobEvent, JobStatus
from quantcloud.watching.sources import PAGE, Sources
from quantcloud.watching.subscription import AccountSubscription
from quantcloud.watching.update import AccountUpdate, PlacedEvent

LARGEST_GROUP: Final = 64
"""The most events in one update."""


class AccountWatch:
    """Reads the updates of one watcher of an account."""

    def __init__(self, sources: Sources, account_id: str, wanted: EventFilter) -> None:
        self._sources = sources
        self._account_id, self._filter = account_id, wanted
        self._subscription = AccountSubscription(wanted.of_each_job)
        self._cursor = 0
        self._behind = False

    async def updates(self, after_cursor: int | None) -> AsyncGenerator[AccountUpdate]:
        """See `EventFeed.watch_account`."""
        subscription, sources = self._subscription, self._sources
        sources.by_account.add(self._account_id, subscription)
        try:
            await self._begin(after_cursor)
            if after_cursor is None:
                yield AccountUpdate(self._cursor)
            sources.delay_checkpoint(subscription)
            while True:
                while not (self._behind or subscription.has_news):
                    await subscription.sleep()
                fresh, cursor = await self._read_log() if self._behind else self._take()
                last_of = {event.job.id: event for event in fresh}
                group: list[PlacedEvent] = []
                for event in fresh:
                    self._cursor = event.cursor
                    if self._filter.wants(event):
                        group.append(await self._placed(event, last_of[event.job.id]))
                    if group and (event is fresh[-1] or len(group) == LARGEST_GROUP):
                        yield AccountUpdate(self._cursor, group)
                        sources.delay_checkpoint(subscription)
                        group = []
                self._cursor = max(self._cursor, cursor)
                # Free their memory: the next ones may be hours away.
                event = None
                del fresh, last_of, group
                if not (self._behind or subscription.has_events):
                    self._cursor = max(self._cursor, subscription.passed)
                if subscription.checkpoint_due:
                    yield AccountUpdate(self._cursor)
                    sources.delay_checkpoint(subscription)
        finally:
            sources.by_account.forget(self._account_id, subscription)
            sources.checkpoints.stop(subscription)

    async def _begin(self, after_cursor: int | None) -> None:
        if self._filter.batch_id is not None:
            await self._sources.log.check_batch(self._account_id, self._filter.batch_id)
        latest = await self._sources.log.latest_cursor(self._account_id)
        if after_cursor is not None and not 0 <= after_cursor <= latest:
            raise InvalidArgument(
                "after_cursor",
                "must be a cursor of this account; this one lies beyond the account's last event",
                reason=INVALID_CURSOR,
            )
        self._cursor = latest if after_cursor is None else after_cursor
        self._behind = self._cursor < latest

    async def _read_log(self) -> tuple[Sequence[JobEvent], int]:
        """Return the next events of the log, and the cursor up to which they are complete."""
        found = await self._sources.log.account_after(
            self._account_id, self._cursor, PAGE, self._filter.of_each_job
        )
        self._behind = found.more
        return found.events, found.cursor

    def _take(self) -> tuple[Sequence[JobEvent], int]:
        """Return the events from memory, or none if some are missing and the log must be read."""
        events, self._behind = self._subscription.take()
        known = self._cursor
        return () if self._behind else [e for e in events if e.cursor > known], known

    async def _placed(self, event: JobEvent, last: JobEvent) -> PlacedEvent:
        """Return an event with its job's queue position; `last` is its job's last known event."""
        return PlacedEvent(event, await self._position(event) if event is last else None)

    async def _position(self, event: JobEvent) -> int | None:
        """Return a job's queue position; None if it is not queued or has later events."""
        job = event.job
        if job.status is not JobStatus.QUEUED:
            return None
        complete = not (self._behind or self._subscription.has_events)
        if not complete and await self._sources.log.after(
            self._account_id, job.id, event.sequence, 1
        ):
            return None
        return await self._sources.queues.position(job)
