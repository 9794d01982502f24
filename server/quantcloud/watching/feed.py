"""The event feed: publishes every change of a job to its watchers, once and in order.

A watcher first subscribes and then reads the log, so it misses nothing in between. It gets events
from memory when they are committed. If it falls behind, or a sequence is missing, it reads the log.
So its memory is bounded, and a slow reader blocks no other.
"""

from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from quantcloud.aio.timers import Timers
from quantcloud.domain.errors import Unavailable
from quantcloud.domain.event_filter import EVERYTHING, EventFilter
from quantcloud.domain.job import JobEvent
from quantcloud.domain.news import News
from quantcloud.watching.account_watch import AccountWatch
from quantcloud.watching.job_watch import JobWatch
from quantcloud.watching.queues import QueueMonitor
from quantcloud.watching.sources import EventLog, Sources
from quantcloud.watching.subscription import Subscription, wake_in_batches
from quantcloud.watching.update import AccountUpdate, JobUpdate

# A larger result is not published in memory, because slow readers would keep it there.
_LARGEST_RESULT = 256
# An id that no job has.
_NO_JOB = ""


class EventFeed:
    """Publishes committed events to watchers. Use it from one event loop only."""

    def __init__(self, log: EventLog, queues: QueueMonitor, checkpoint_seconds: float) -> None:
        checkpoints = Timers(checkpoint_seconds, Subscription.ask_checkpoint)
        self._sources = Sources(log, queues, checkpoints)

    @property
    def watchers(self) -> int:
        """The number of open watches."""
        return len(self._sources.by_job) + len(self._sources.by_account)

    def publish(self, events: Sequence[JobEvent]) -> None:
        """Publish events that were just committed, in the order of their commits."""
        sources = self._sources
        notified: dict[Subscription, None] = {}
        for group in _by_job(events):
            job = group[0].job
            sources.recent.add(*group)
            for about in (sources.by_job.about(job.id), sources.by_account.about(job.account_id)):
                for subscription in about:
                    if subscription.put(*group):
                        notified[subscription] = None
            sources.queues.notice(*group)
        wake_in_batches(iter(notified))

    def wants(self, news: News) -> bool:
        """Whether a watch needs the events behind news of another server.

        A watch that begins later reads the log.
        """
        sources = self._sources
        return bool(
            sources.by_job.about(news.job_id)
            or sources.by_account.about(news.account_id)
            or sources.recent.has(news.job_id)
            or sources.queues.follows(news.backend)
        )

    def close(self) -> None:
        """End every watch with `Unavailable`. Later watches end at once."""
        because = Unavailable(
            "the server is shutting down; resume where this watch ended", reason="SERVER_DRAINING"
        )
        self._sources.by_job.close(because)
        self._sources.by_account.close(because)

    def interrupt(self) -> None:
        """End every open watch with `Unavailable`: new events cannot be received now."""
        because = Unavailable(
            "the database does not answer at the moment; resume where this watch ended",
            reason="STORE_UNAVAILABLE",
        )
        self._sources.by_job.interrupt(because)
        self._sources.by_account.interrupt(because)

    async def checkpoints(self) -> AsyncGenerator[None]:
        """Yield whenever a watch without updates would get a checkpoint. Never ends.

        Raises `Unavailable` when the feed closes.
        """
        subscription, sources = Subscription(), self._sources
        sources.by_job.add(_NO_JOB, subscription)
        try:
            while True:
                sources.delay_checkpoint(subscription)
                while not subscription.checkpoint_due:
                    await subscription.sleep()
                yield
        finally:
            sources.by_job.forget(_NO_JOB, subscription)
            sources.checkpoints.stop(subscription)

    def watch_job(
        self, account_id: str, job_id: str, after_sequence: int | None, *, brief: bool = False
    ) -> AsyncGenerator[JobUpdate]:
        """Yield the latest event, or every event after `after_sequence`; then each new event.

        A `brief` watch begins with the latest event, but first waits briefly for later ones. Of
        events that arrive together, it gets only the last. The watch ends after the event of a
        terminal status. Raises `NotFound`, `InvalidArgument` for a sequence that the job has not
        reached, and `Unavailable` when the feed closes.
        """
        if after_sequence is None:
            latest = self._sources.recent.after(account_id, job_id, None)
            if latest is not None and latest[-1].job.status.is_terminal:
                return _only(latest[-1])
        watch = JobWatch(self._sources, account_id, job_id, brief=brief)
        return watch.updates(after_sequence)

    def watch_account(
        self,
        account_id: str,
        after_cursor: int | None,
        wanted: EventFilter = EVERYTHING,
    ) -> AsyncGenerator[AccountUpdate]:
        """Yield the account's wanted events after `after_cursor`, or from now on. Never ends.

        Without a cursor, a checkpoint comes first, so that the watcher has a cursor to resume from.
        Raises `NotFound` if the account has no job of the wanted batch, `InvalidArgument` for a
        cursor beyond the account's last event, and `Unavailable` when the feed closes.
        """
        return AccountWatch(self._sources, account_id, wanted).updates(after_cursor)


async def _only(event: JobEvent) -> AsyncGenerator[JobUpdate]:
    """Yield the last event of a job that has ended."""
    yield JobUpdate(event.sequence, event)


def _by_job(events: Iterable[JobEvent]) -> Iterator[list[JobEvent]]:
    """Group consecutive events of the same job, and remove large results."""
    for _, group in groupby(events, key=lambda event: event.job.id):
        yield [
            event
            if event.result is None or event.result.size <= _LARGEST_RESULT
            else replace(event, result=None)
            for event in group
        ]
