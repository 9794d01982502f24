"""The sources that watches read from."""

from collections.abc import Sequence
from dataclasses import field
from typing import Protocol

from quantcloud.aio.timers import Timers
from quantcloud.domain.event_filter import EventFilter, Stretch
from quantcloud.domain.job import JobEvent
from quantcloud.domain.value_object import value_object
from quantcloud.watching.queues import QueueMonitor
from quantcloud.watching.recent import RecentEvents
from quantcloud.watching.subscription import Subscription, Subscriptions

# How many events one read of the log returns at most.
PAGE = 256


class EventLog(Protocol):
    """The stored events."""

    async def latest(self, account_id: str, job_id: str) -> JobEvent: ...

    async def after(
        self, account_id: str, job_id: str, sequence: int, limit: int
    ) -> Sequence[JobEvent]: ...

    async def account_after(
        self, account_id: str, cursor: int, limit: int, wanted: EventFilter
    ) -> Stretch: ...

    async def check_batch(self, account_id: str, batch_id: str) -> None: ...

    async def latest_cursor(self, account_id: str) -> int: ...


@value_object
class Sources:
    """The log, the caches in memory, and the subscriptions to new events."""

    log: EventLog
    queues: QueueMonitor
    checkpoints: Timers[Subscription]
    recent: RecentEvents = field(default_factory=RecentEvents)
    by_job: Subscriptions = field(default_factory=Subscriptions)
    by_account: Subscriptions = field(default_factory=Subscriptions)

    def delay_checkpoint(self, subscription: Subscription) -> None:
        """Ask a watch that sent an update, or began, for a checkpoint only after its full time."""
        subscription.checkpoint_due = False
        self.checkpoints.start(subscription)
