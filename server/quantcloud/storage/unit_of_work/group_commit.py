"""Group commit: one transaction holds all units of work that wait at the time.

A commit waits for the disk, so its cost hardly depends on how much it writes. While one commit
runs, more units collect for the next.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from quantcloud.aio.offload import UNKNOWN
from quantcloud.domain.job import JobEvent
from quantcloud.domain.news import News
from quantcloud.storage.database.errors import store_closed
from quantcloud.storage.database.interface import Connection, Database, Steps
from quantcloud.storage.unit_of_work.batch_window import BatchWindow
from quantcloud.storage.unit_of_work.draft import Applies, apply_draft
from quantcloud.storage.unit_of_work.transaction import Pending
from quantcloud.storage.unit_of_work.units import (
    LongUnit,
    PartialWriteError,
    QueuedUnit,
    Run,
    Unit,
    UnitResult,
    run_one_by_one,
    run_together,
)
from quantcloud.telemetry.jobs import observe

T = TypeVar("T")
Listener = Callable[[Sequence[JobEvent]], None]


def everything(_: News) -> bool:
    """Want the events behind all news."""
    return True


# The most units in one transaction.
_MOST_UNITS = 256

_log = logging.getLogger(__name__)


class Writer:
    """Collects units of work from any number of tasks and commits them in the order they came.

    After each commit, listeners are called on the event loop with its events in order, before the
    callers resume. `apply` writes drafts, if the database takes them.
    """

    def __init__(self, database: Database, apply: Applies | None) -> None:
        self._database = database
        # If other servers write too, this turns the events of a commit into those to publish.
        self.arrange: Callable[[Sequence[JobEvent]], Awaitable[Sequence[JobEvent]]] | None = None
        self._apply = apply
        self._waiting: deque[QueuedUnit] = deque()
        # Units that run last in their transaction.
        self._waiting_last: deque[QueuedUnit] = deque()
        # Units that have a transaction to themselves, and whether the next one is theirs.
        self._waiting_alone: deque[QueuedUnit] = deque()
        self._alone_is_next = False
        self._wake: asyncio.Future[None] | None = None
        self._window = BatchWindow()
        self._closed = False
        self._listeners: list[tuple[Listener, Callable[[News], bool]]] = []
        # The time of the last commit that wrote something, in seconds of the event loop's clock.
        self.wrote_at = -math.inf
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._commit_forever(), name="store writer")

    def subscribe(
        self, listener: Listener, wants: Callable[[News], bool] = everything
    ) -> Callable[[], None]:
        """Call `listener` with the events of each commit; call the returned function to stop.

        `wants` says whether it needs the events behind news of another server.
        """
        entry = listener, wants
        self._listeners.append(entry)
        return lambda: self._listeners.remove(entry)

    def wants(self, news: News) -> bool:
        """Whether a listener needs the events behind news of another server."""
        return any(wants(news) for _, wants in self._listeners)

    def submit(
        self, unit: Unit[T], *, cost: float = UNKNOWN, drafted: bool = False
    ) -> "asyncio.Future[T]":
        """Run `unit` in the next transaction; after the commit the future has its value.

        Units that are submitted without a suspension in between share a transaction. `cost` is
        how many microseconds the unit takes at most; see `aio.offload`. `drafted` says that the
        unit can do without reading, as `draft` describes.

        If you cancel the future before the unit starts, the unit does not run; later, it runs to
        its end. The future fails with the unit's error, or with `Unavailable` if the database
        cannot be written or the store is closed. Nothing of the unit is written then.
        """
        done: asyncio.Future[T] = self._loop.create_future()
        return self._put(self._waiting, QueuedUnit(unit, done, cost, drafted))

    def submit_last(
        self, unit: LongUnit[T], *, cost: float = UNKNOWN, together: bool = True
    ) -> "asyncio.Future[T]":
        """Like `submit`, but the unit runs after all others of its transaction.

        Unless they must be `together`, drafts may be committed before. `cost` is that of each step.
        """
        done: asyncio.Future[T] = self._loop.create_future()
        return self._put(self._waiting_last, QueuedUnit(unit, done, cost, together=together))

    async def run_alone(self, unit: Unit[T]) -> T:
        """Like `run`, but in a transaction that holds only this unit.

        For work that can wait and may take some milliseconds: shared transactions run in between.
        """
        done: asyncio.Future[T] = self._loop.create_future()
        return await self._put(self._waiting_alone, QueuedUnit(unit, done, UNKNOWN))

    def _put(self, queue: deque[QueuedUnit], waiting: QueuedUnit) -> asyncio.Future[Any]:
        if self._closed:
            waiting.done.set_exception(store_closed())
        else:
            queue.append(waiting)
            self._window.arrive()
            self._wake_up()
        return waiting.done

    async def join_batch_window(self) -> None:
        """If many callers write, wait until the next transaction is about to run."""
        await self._window.join()

    async def run(self, unit: Unit[T]) -> T:
        """Return the value of `unit` after its commit; fails as `submit` does."""
        return await self.submit(unit)

    async def close(self) -> None:
        """Run the units that wait, and accept no more."""
        self._closed = True
        self._wake_up()
        await asyncio.shield(self._task)

    def _wake_up(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def _commit_forever(self) -> None:
        queues = self._waiting, self._waiting_last, self._waiting_alone
        try:
            while any(queues) or not self._closed:
                if batch := self._take():
                    self._window.begin(len(batch))
                    await self._commit(batch)
                    await self._window.wait()
                    # Let the callers resume first, so that their next units join the next
                    # transaction.
                    await asyncio.sleep(0)
                elif not self._closed:
                    self._wake = self._loop.create_future()
                    await self._wake
        finally:
            self._closed = True
            self._window.close()
            for queue in queues:
                for waiting in queue:
                    waiting.done.cancel()

    def _take(self) -> list[QueuedUnit]:
        shared = [] if self._alone_is_next and self._waiting_alone else self._take_shared()
        self._alone_is_next = bool(shared)
        return shared or _pop(self._waiting_alone, 1) or self._take_shared()

    def _take_shared(self) -> list[QueuedUnit]:
        # The last ones run now, even if the others are as many as may be.
        return _pop(self._waiting, _MOST_UNITS) + _pop(self._waiting_last, _MOST_UNITS)

    async def _commit(self, batch: list[QueuedUnit]) -> None:
        """Write what can be drafted, then run the other units in a transaction of their own."""
        if self._apply is not None:
            done = await _results(apply_draft(self._apply, batch), batch)
            if done:
                await self._settle(batch, done)
            batch = [waiting for place, waiting in enumerate(batch) if place not in done]
        if batch:
            await self._settle(batch, await _results(self._run(batch), batch))

    async def _settle(self, batch: list[QueuedUnit], done: Mapping[int, UnitResult]) -> None:
        """Publish the events of a transaction, and give its units their results, by place."""
        if any(outcome.wrote for outcome in done.values()):
            self.wrote_at = self._loop.time()
        events: Sequence[JobEvent] = [
            event for outcome in done.values() for event in outcome.events
        ]
        observe(events, len(done))
        if self.arrange is not None and events:
            events = await self.arrange(events)
        self.publish(events)
        faults = self._database.faults
        for place, outcome in done.items():
            future = batch[place].done
            if future.done():
                continue
            if outcome.error is None:
                future.set_result(outcome.value)
            else:
                future.set_exception(faults.translate(outcome.error))

    async def _run(self, batch: list[QueuedUnit]) -> dict[int, UnitResult]:
        """Run units together; if one fails after it wrote, run all again, each by itself."""
        try:
            return dict(enumerate(await self._transact(run_together, batch)))
        except PartialWriteError as error:
            if len(batch) == 1:
                raise error.__cause__ or error from None
        return dict(enumerate(await self._transact(run_one_by_one, batch)))

    async def _transact(self, run: Run, batch: list[QueuedUnit]) -> list[UnitResult]:
        cursors = self._database.cursors

        def work(connection: Connection) -> Steps[list[UnitResult]]:
            return run(connection, Pending(connection, cursors(connection)), batch)

        return await self._database.transact(
            work,
            cost=max(waiting.cost for waiting in batch),
            crowded=len(batch) > 1,
        )

    def publish(self, events: Sequence[JobEvent]) -> None:
        """Call the listeners with committed events."""
        if not events:
            return
        for listener, _ in tuple(self._listeners):
            try:
                listener(events)
            except Exception:  # noqa: BLE001  # the other listeners must still run
                _log.exception("a listener failed; the events are committed all the same")


def _pop(queue: deque[QueuedUnit], most: int) -> list[QueuedUnit]:
    """Take up to `most` units that were not cancelled from the front of a queue."""
    taken: list[QueuedUnit] = []
    while queue and len(taken) < most:
        waiting = queue.popleft()
        if not waiting.done.done():
            taken.append(waiting)
    return taken


async def _results(
    running: Awaitable[dict[int, UnitResult]], batch: Sequence[QueuedUnit]
) -> dict[int, UnitResult]:
    """Return what `running` returns, or its error for each unit."""
    try:
        return await running
    except Exception as error:  # noqa: BLE001  # the writer outlives every failure
        return {place: UnitResult(error=error) for place in range(len(batch))}
    except asyncio.CancelledError:
        for waiting in batch:
            waiting.done.cancel()
        raise
