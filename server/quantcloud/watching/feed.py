"""The event feed: every change of a job, once and in order, to whoever watches.

A watcher first subscribes and then reads the log, so that nothing falls between the two. Events
reach it from memory as they are committed; where it fell behind, or a sequence is missing, it
reads on from the log. So its memory is bounded, and a slow reader holds nobody up.
"""

from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from dataclasses import replace

from quantcloud.domain.errors import Unavailable
from quantcloud.domain.event_filter import EVERYTHING, EventFilter
from quantcloud.domain.job import JobEvent
from quantcloud.watching.account_watch import AccountWatch
from quantcloud.watching.job_watch import JobWatch
from quantcloud.watching.keepalive import Keepalives
from quantcloud.watching.queues import QueueMonitor
from quantcloud.watching.sources import EventLog, Sources
from quantcloud.watching.subscription import Subscription, in_turns
from quantcloud.watching.update import AccountUpdate, JobUpdate

# A result that is larger is not handed over in memory, where slow readers would keep it.
_LARGEST_RESULT = 256
# What no job is called.
_NO_JOB = ""


class EventFeed:
    """Hands committed events to watchers. Belongs to one event loop."""

    def __init__(self, log: EventLog, queues: QueueMonitor, checkpoint_seconds: float) -> None:
        self._sources = Sources(log, queues, Keepalives(checkpoint_seconds))

    @property
    def watchers(self) -> int:
        """How many watches are open."""
        return len(self._sources.by_job) + len(self._sources.by_account)

    def publish(self, events: Sequence[JobEvent]) -> None:
        """Take events that were just committed, in the order of their commits."""
        sources = self._sources
        told: dict[Subscription, None] = {}
        for group in _by_job(events):
            job = group[0].job
            sources.recent.add(*group)
            for about in (sources.by_job.about(job.id), sources.by_account.about(job.account_id)):
                for subscription in about:
                    if subscription.put(*group):
                        told[subscription] = None
            sources.queues.notice(*group)
        in_turns(Subscription.wake, told)

    def close(self) -> None:
        """End every watch with `Unavailable`; later ones end at once."""
        because = Unavailable(
            "the server is shutting down; resume where this watch ended", reason="SERVER_DRAINING"
        )
        self._sources.by_job.close(because)
        self._sources.by_account.close(because)

    def interrupt(self) -> None:
        """End every watch there is with `Unavailable`: what happens cannot be heard of now."""
        because = Unavailable(
            "the database does not answer at the moment; resume where this watch ended",
            reason="STORE_UNAVAILABLE",
        )
        self._sources.by_job.interrupt(because)
        self._sources.by_account.interrupt(because)

    async def beats(self) -> AsyncGenerator[None]:
        """One each time that a watch which is told nothing would be sent a checkpoint. Never ends.

        Raises `Unavailable` when the feed closes.
        """
        subscription, sources = Subscription(), self._sources
        sources.by_job.add(_NO_JOB, subscription)
        try:
            while True:
                sources.quiet.heard(subscription)
                while not subscription.quiet:
                    await subscription.sleep()
                yield
        finally:
            sources.by_job.forget(_NO_JOB, subscription)
            sources.quiet.forget(subscription)

    def watch_job(
        self, account_id: str, job_id: str, after_sequence: int | None, *, brief: bool = False
    ) -> AsyncGenerator[JobUpdate]:
        """The latest event, or every event after `after_sequence`; then each as it happens.

        A `brief` watch begins with the latest event, waits a moment for others before it is sent
        one, and is sent only the last of those that came together. Ends after the event of
        a terminal status. Raises `NotFound`, `InvalidArgument` for a sequence that the job has not
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
        """The account's events after `after_cursor`, or from now on, that are wanted. Never ends.

        Without a cursor a checkpoint comes first: where to resume, should nothing happen for a
        while. Raises `InvalidArgument` for a cursor that no event had, and `Unavailable` when the
        feed closes.
        """
        return AccountWatch(self._sources, account_id, wanted).updates(after_cursor)


async def _only(event: JobEvent) -> AsyncGenerator[JobUpdate]:
    """What is to be seen of a job that has ended."""
    yield JobUpdate(event.sequence, event)


def _by_job(events: Iterable[JobEvent]) -> Iterator[list[JobEvent]]:
    """The events, those of one job that follow each other together; without large results."""
    group: list[JobEvent] = []
    job_id = ""
    for published in events:
        event = published
        if event.result is not None and event.result.size > _LARGEST_RESULT:
            event = replace(event, result=None)
        if group and event.job.id != job_id:
            yield group
            group = []
        job_id = event.job.id
        group.append(event)
    if group:
        yield group
