"""Subscriptions: each is the inbox of one watch."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from quantcloud.domain.errors import Unavailable
from quantcloud.domain.event_filter import EventFilter
from quantcloud.domain.job import JobEvent
from quantcloud.watching.recent import weight

# How many events are buffered for a slow watch; for a watch of an account, the limit of `weight`.
_PENDING = 64
_PENDING_OF_ACCOUNT = 256
BATCH = 128
"""How many subscriptions are notified in one iteration of the event loop."""


class Subscription:
    """What arrived since the watch last read it. There may be very many, so each is small.

    If too many events arrive, they are dropped and `missed` is set: the log has them. `position`
    is the job's queue position if it changed. `checkpoint_due` asks for a checkpoint.
    """

    __slots__ = ("_events", "_waiter", "checkpoint_due", "closed", "missed", "position")

    def __init__(self) -> None:
        self._events: list[JobEvent] | None = None
        self._waiter: asyncio.Future[None] | None = None
        # The error to raise in the watch.
        self.closed: Unavailable | None = None
        self.missed = False
        self.position: int | None = None
        self.checkpoint_due = False

    def put(self, *events: JobEvent) -> bool:
        """Add events, in order. Return whether to wake the watch."""
        if self.missed:
            return True
        if self._events is None:
            self._events = []
        self._events += events
        if len(self._events) > _PENDING:
            self._events, self.missed = None, True
        return True

    def set_position(self, position: int) -> None:
        self.position = position
        self.wake()

    def ask_checkpoint(self) -> None:
        self.checkpoint_due = True
        self.wake()

    def close(self, because: Unavailable) -> None:
        self.closed = because
        self.wake()

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    @property
    def has_events(self) -> bool:
        """Whether events wait, in memory or in the log."""
        return self.missed or self._events is not None

    @property
    def has_news(self) -> bool:
        return self.has_events or self.checkpoint_due or self.position is not None

    def take(self) -> tuple[Sequence[JobEvent], bool]:
        """Return and remove the events, and whether some were dropped."""
        events, missed = self._events or (), self.missed
        self._events, self.missed = None, False
        return events, missed

    def sleep(self) -> asyncio.Future[None]:
        """Return a future that is done at the next `wake`. Raises `Unavailable` if it is closed.

        To miss nothing, check that `has_news` is false and then await this before anything else.
        """
        if self.closed is not None:
            raise self.closed
        self._waiter = asyncio.get_running_loop().create_future()
        return self._waiter


class AccountSubscription(Subscription):
    """A subscription to all jobs of an account. It buffers only wanted events, but `passed` is the
    cursor of the last event of any kind.
    """

    __slots__ = ("_wanted", "_weight", "passed")

    def __init__(self, wanted: EventFilter) -> None:
        super().__init__()
        self._wanted = wanted
        self._weight = 0
        self.passed = 0

    def put(self, *events: JobEvent) -> bool:
        self.passed = events[-1].cursor
        events = tuple(filter(self._wanted.wants, events))
        if self.missed or not events:
            return self.missed
        if self._events is None:
            self._events, self._weight = [], 0
        self._events += events
        self._weight += sum(map(weight, events))
        if self._weight > _PENDING_OF_ACCOUNT:
            self._events, self.missed = None, True
        return True


class Subscriptions:
    """The open subscriptions by the id of their job or account."""

    def __init__(self) -> None:
        self._by_id: defaultdict[str, set[Subscription]] = defaultdict(set)
        self._closed: Unavailable | None = None

    def __len__(self) -> int:
        return sum(map(len, self._by_id.values()))

    def add(self, about: str, subscription: Subscription) -> None:
        subscription.closed = self._closed
        self._by_id[about].add(subscription)

    def forget(self, about: str, subscription: Subscription) -> None:
        self._by_id[about].discard(subscription)
        if not self._by_id[about]:
            del self._by_id[about]

    def about(self, about: str) -> Collection[Subscription]:
        return self._by_id.get(about, ())

    def close(self, because: Unavailable) -> None:
        """Close all open subscriptions, and each later one when it is added."""
        self._closed = because
        self.interrupt(because)

    def interrupt(self, because: Unavailable) -> None:
        """Close all open subscriptions."""
        for subscriptions in self._by_id.values():
            for subscription in subscriptions:
                subscription.close(because)


def wake_in_batches(subscriptions: Iterator[Subscription]) -> None:
    """Wake one batch in each iteration of the event loop, so that other tasks can run between."""
    batch = tuple(islice(subscriptions, BATCH))
    for subscription in batch:
        subscription.wake()
    if len(batch) == BATCH:
        asyncio.get_running_loop().call_soon(wake_in_batches, subscriptions)
