"""One watch's letter box."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice

from quantcloud.domain.errors import Unavailable
from quantcloud.domain.event_filter import EventFilter
from quantcloud.domain.job import JobEvent
from quantcloud.watching.recent import weight

# How many events are kept for a watch that is slow; for one of an account they have their weight.
_PENDING = 64
_PENDING_OF_ACCOUNT = 256
# How many watches are woken in one turn of the event loop.
_WATCHES_A_TURN = 128


class Subscription:
    """What came since the watch last looked. There may be very many, so each is small.

    `missed` once that were too many events, which are dropped then: the log has them. `position` is
    the job's place in its queue where that changed. `quiet` asks for a checkpoint.
    """

    __slots__ = ("_events", "_waiter", "closed", "missed", "position", "quiet")

    def __init__(self) -> None:
        self._events: list[JobEvent] | None = None
        self._waiter: asyncio.Future[None] | None = None
        # Why it ended, to be told to the watcher.
        self.closed: Unavailable | None = None
        self.missed = False
        self.position: int | None = None
        self.quiet = False

    def put(self, *events: JobEvent) -> bool:
        """Take events, in order; whether the watch is to be woken."""
        if self.missed:
            return True
        if self._events is None:
            self._events = []
        self._events += events
        if len(self._events) > _PENDING:
            self._events, self.missed = None, True
        return True

    def stands_at(self, position: int) -> None:
        self.position = position
        self.wake()

    def fall_quiet(self) -> None:
        self.quiet = True
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
        return self.has_events or self.quiet or self.position is not None

    def take(self) -> tuple[Sequence[JobEvent], bool]:
        """The events that came, and whether there were too many to keep."""
        events, missed = self._events or (), self.missed
        self._events, self.missed = None, False
        return events, missed

    def sleep(self) -> asyncio.Future[None]:
        """Done at the next call of `wake`. Raises `Unavailable` where the subscription is closed.

        A caller that finds `has_news` false, and awaits this before anything else, misses nothing.
        """
        if self.closed is not None:
            raise self.closed
        self._waiter = asyncio.get_running_loop().create_future()
        return self._waiter


class AccountSubscription(Subscription):
    """That of all jobs of an account: `passed` is the cursor of the last event that came, though
    only those are kept that are wanted.
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
    """The open subscriptions, by the id of what they are about."""

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
        """Close all there are, and those that are opened later."""
        self._closed = because
        self.interrupt(because)

    def interrupt(self, because: Unavailable) -> None:
        """Close all there are."""
        for subscriptions in self._by_id.values():
            for subscription in subscriptions:
                subscription.close(because)


def in_turns(
    tell: Callable[[Subscription], None],
    subscriptions: Iterable[Subscription],
    done: Callable[[], None] | None = None,
) -> None:
    """Call `tell` on each, and then `done`; of very many, on some in each turn of the event loop.

    So whatever else there is to do gets its share.
    """
    _next_turn(tell, iter(subscriptions), done)


def _next_turn(
    tell: Callable[[Subscription], None],
    rest: Iterator[Subscription],
    done: Callable[[], None] | None,
) -> None:
    told = 0
    for subscription in islice(rest, _WATCHES_A_TURN):
        tell(subscription)
        told += 1
    if told == _WATCHES_A_TURN:
        asyncio.get_running_loop().call_soon(_next_turn, tell, rest, done)
    elif done is not None:
        done()
