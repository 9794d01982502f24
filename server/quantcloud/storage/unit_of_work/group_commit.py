"""Group commit: one transaction holds all units of work that wait at the time.

A commit waits for the disk, so its cost hardly depends on how much it writes. While one commit
runs, more units collect for the next.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from sqlalchemy.exc import DBAPIError

from quantcloud.aio.offload import UNKNOWN
from quantcloud.domain.job import JobEvent
from quantcloud.storage.database.errors import is_fatal, store_closed
from quantcloud.storage.database.interface import Connection, Database, Steps
from quantcloud.storage.unit_of_work.batch_window import BatchWindow, is_many
from quantcloud.storage.unit_of_work.transaction import Pending, Transaction
from quantcloud.telemetry.jobs import observe

T = TypeVar("T")
Listener = Callable[[Sequence[JobEvent]], None]

_log = logging.getLogger(__name__)


Unit = Callable[[Transaction], T]
"""One caller's reads and writes, within one transaction.

It may run twice, so it must have no effect outside the transaction before it returns.
"""
LongUnit = Callable[[Transaction], Steps[T]]
"""A `Unit` that runs in steps."""


@dataclass(slots=True)
class _UnitResult:
    value: Any = None
    error: Exception | None = None
    events: list[JobEvent] = field(default_factory=list[JobEvent])
    wrote: bool = False


@dataclass(slots=True)
class _QueuedUnit:
    unit: Unit[Any] | LongUnit[Any]
    done: asyncio.Future[Any]
    cost: float


_Run = Callable[[Connection, Pending, Sequence[_QueuedUnit]], Steps[list[_UnitResult]]]


class _PartialWriteError(Exception):
    """A unit failed after its first write, so the transaction must be undone."""


def _run_together(
    connection: Connection, pending: Pending, batch: Sequence[_QueuedUnit]
) -> Steps[list[_UnitResult]]:
    """Run units in order, with a pause after each; a unit that fails before it writes fails alone.

    A savepoint around each unit would cost as much as the unit, and nearly all failures come before
    a unit's first write and need none. Raises `_PartialWriteError` if a unit fails later than that.
    """
    outcomes: list[_UnitResult] = []
    for waiting in batch:
        tx = Transaction(connection, pending)
        try:
            value = yield from _run_unit(waiting.unit, tx)
            outcomes.append(_UnitResult(value, None, tx.events, tx.wrote))
        except Exception as error:
            # An error of the database itself leaves a PostgreSQL transaction unusable.
            if tx.wrote or pending.failed or isinstance(error, DBAPIError):
                raise _PartialWriteError from error
            outcomes.append(_UnitResult(error=error))
        yield
    try:
        yield from pending.write_in_steps()
    except Exception as error:
        raise _PartialWriteError from error
    return outcomes


def _run_one_by_one(
    connection: Connection, pending: Pending, batch: Sequence[_QueuedUnit]
) -> Steps[list[_UnitResult]]:
    """Run each unit in a savepoint, in order, with a pause after each; a failing unit fails alone.

    Raises the database's error if the whole transaction fails.
    """
    outcomes: list[_UnitResult] = []
    for waiting in batch:
        tx = Transaction(connection, pending)
        try:
            with connection.begin_nested():
                value = yield from _run_unit(waiting.unit, tx)
                pending.write()
        except Exception as error:
            if is_fatal(error):
                # SQLite has ended the transaction itself; later units would run outside it.
                raise
            pending.forget()
            outcomes.append(_UnitResult(error=error))
        else:
            outcomes.append(_UnitResult(value, None, tx.events, tx.wrote))
        yield
    return outcomes


def _run_unit(unit: Unit[Any] | LongUnit[Any], tx: Transaction) -> Steps[Any]:
    """Run a unit and return its value."""
    value = unit(tx)
    return (yield from cast("Steps[Any]", value)) if isinstance(value, Generator) else value


class Writer:
    """Collects units of work from any number of tasks and commits them in the order they came.

    `limit` is the most units in one transaction. After each commit, listeners are called on the
    event loop with its events in order, before the callers resume. If other servers write too,
    `arrange` turns those events into the ones to publish.
    """

    def __init__(
        self,
        database: Database,
        *,
        arrange: Callable[[Sequence[JobEvent]], Awaitable[Sequence[JobEvent]]] | None = None,
        limit: int = 256,
    ) -> None:
        self._database = database
        self._arrange = arrange
        self._limit = limit
        self._waiting: deque[_QueuedUnit] = deque()
        # Units that run last in their transaction.
        self._waiting_last: list[_QueuedUnit] = []
        # Units that have a transaction to themselves, and whether the next one is theirs.
        self._waiting_alone: deque[_QueuedUnit] = deque()
        self._alone_is_next = False
        self._wake: asyncio.Future[None] | None = None
        self._window = BatchWindow()
        self._closed = False
        self._listeners: list[Listener] = []
        # The time of the last commit that wrote something, in seconds of the event loop's clock.
        self.wrote_at = -math.inf
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._commit_forever(), name="store writer")

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with the events of each commit; call the returned function to stop."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def submit(self, unit: Unit[T], *, cost: float = UNKNOWN) -> "asyncio.Future[T]":
        """Run `unit` in the next transaction; after the commit the future has its value.

        Units that are submitted without a suspension in between share a transaction, up to `limit`.
        `cost` is how many microseconds the unit takes at most; see `aio.offload`.

        If you cancel the future before the unit starts, the unit does not run; later, it runs to
        its end. The future fails with the unit's error, or with `Unavailable` if the database
        cannot be written or the store is closed. Nothing of the unit is written then.
        """
        done: asyncio.Future[T] = self._loop.create_future()
        return self._put(self._waiting, _QueuedUnit(unit, done, cost))

    def submit_last(self, unit: LongUnit[T], *, cost: float = UNKNOWN) -> "asyncio.Future[T]":
        """Like `submit`, but the unit runs after all others of its transaction.

        `cost` is that of each step.
        """
        done: asyncio.Future[T] = self._loop.create_future()
        return self._put(self._waiting_last, _QueuedUnit(unit, done, cost))

    async def run_alone(self, unit: Unit[T]) -> T:
        """Like `run`, but in a transaction that holds only this unit.

        For work that can wait and may take some milliseconds: shared transactions run in between.
        """
        done: asyncio.Future[T] = self._loop.create_future()
        return await self._put(self._waiting_alone, _QueuedUnit(unit, done, UNKNOWN))

    def _put(
        self, queue: deque[_QueuedUnit] | list[_QueuedUnit], waiting: _QueuedUnit
    ) -> asyncio.Future[Any]:
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

    def _take(self) -> list[_QueuedUnit]:
        shared = self._take_shared() if not (self._alone_is_next and self._waiting_alone) else []
        self._alone_is_next = bool(shared)
        return shared or self._take_alone() or self._take_shared()

    def _take_alone(self) -> list[_QueuedUnit]:
        while self._waiting_alone:
            waiting = self._waiting_alone.popleft()
            if not waiting.done.done():
                return [waiting]
        return []

    def _take_shared(self) -> list[_QueuedUnit]:
        batch: list[_QueuedUnit] = []
        while self._waiting and len(batch) < self._limit:
            waiting = self._waiting.popleft()
            if not waiting.done.done():
                batch.append(waiting)
        # These run now, even if `limit` is reached.
        batch += [waiting for waiting in self._waiting_last if not waiting.done.done()]
        self._waiting_last.clear()
        return batch

    async def _commit(self, batch: list[_QueuedUnit]) -> None:
        try:
            outcomes = await self._run(batch)
        except Exception as error:  # noqa: BLE001  # the writer outlives every failure
            outcomes = [_UnitResult(error=error) for _ in batch]
        except asyncio.CancelledError:
            for waiting in batch:
                waiting.done.cancel()
            raise
        if any(outcome.wrote for outcome in outcomes):
            self.wrote_at = self._loop.time()
        events: Sequence[JobEvent] = [event for outcome in outcomes for event in outcome.events]
        observe(events, len(batch))
        if self._arrange is not None and events:
            events = await self._arrange(events)
        self.publish(events)
        faults = self._database.faults
        for waiting, outcome in zip(batch, outcomes, strict=True):
            if waiting.done.done():
                continue
            if outcome.error is None:
                waiting.done.set_result(outcome.value)
            else:
                waiting.done.set_exception(faults.translate(outcome.error))

    async def _run(self, batch: list[_QueuedUnit]) -> list[_UnitResult]:
        """Run units together; if one fails after it wrote, run all again, each by itself."""
        try:
            return await self._transact(_run_together, batch)
        except _PartialWriteError as error:
            if len(batch) == 1:
                raise error.__cause__ or error from None
        return await self._transact(_run_one_by_one, batch)

    async def _transact(self, run: _Run, batch: list[_QueuedUnit]) -> list[_UnitResult]:
        cursors = self._database.cursors

        def work(connection: Connection) -> Steps[list[_UnitResult]]:
            return run(connection, Pending(connection, cursors(connection)), batch)

        return await self._database.transact(
            work,
            cost=max(waiting.cost for waiting in batch),
            crowded=is_many(len(batch)),
        )

    def publish(self, events: Sequence[JobEvent]) -> None:
        """Call the listeners with committed events."""
        if not events:
            return
        for listener in tuple(self._listeners):
            try:
                listener(events)
            except Exception:  # noqa: BLE001  # the other listeners must still run
                _log.exception("a listener failed; the events are committed all the same")
