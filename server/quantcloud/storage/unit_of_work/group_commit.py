"""Group commit: everything that waits to be written goes into one transaction.

A commit waits for the disk, so what it costs hardly depends on how much is in it. While one is
under way, more units of work gather for the next.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, cast

from sqlalchemy.exc import DBAPIError

from quantcloud.domain.job import JobEvent
from quantcloud.storage.database.errors import is_fatal, store_closed
from quantcloud.storage.database.interface import NOW, Connection, Database, Steps
from quantcloud.storage.unit_of_work.batch_window import Gathering, is_many
from quantcloud.storage.unit_of_work.transaction import Pending, Transaction

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Listener = Callable[[Sequence[JobEvent]], None]

_log = logging.getLogger(__name__)


class Unit(Protocol[T_co]):
    """What one caller wants written: reads what it goes by within the transaction.

    It may run twice, so it keeps what it makes to itself until it returns.
    """

    def __call__(self, tx: Transaction, /) -> T_co: ...


class LongUnit(Protocol[T_co]):
    """A `Unit` that is carried out in steps."""

    def __call__(self, tx: Transaction, /) -> Steps[T_co]: ...


@dataclass(slots=True)
class _UnitResult:
    value: Any = None
    error: Exception | None = None
    events: list[JobEvent] = field(default_factory=list[JobEvent])
    wrote: bool = False


@dataclass(slots=True)
class _Waiting:
    unit: Unit[Any] | LongUnit[Any]
    done: asyncio.Future[Any]
    brief: bool
    tell: Callable[[Any], None] | None = None
    told: bool = False


class _Run(Protocol):
    """Carries units out; `on_loop` tells whether in the event loop's thread."""

    def __call__(
        self,
        connection: Connection,
        pending: Pending,
        batch: Sequence[_Waiting],
        /,
        *,
        on_loop: bool,
    ) -> Steps[list[_UnitResult]]: ...


class _SpoiltError(Exception):
    """A unit failed after it had written: the transaction holds a half of it."""


def _together(
    connection: Connection, pending: Pending, batch: Sequence[_Waiting], *, on_loop: bool
) -> Steps[list[_UnitResult]]:
    """Run units in order, with a pause after each; one that refuses before it writes fails alone.

    On the event loop, whoever wants to hear of a unit early does so before what can wait is
    written. A savepoint around each unit would cost as much as the unit itself. Nearly all refusals
    come before a unit's first write and need none. Raises `_SpoiltError` where one does.
    """
    outcomes: list[_UnitResult] = []
    for waiting in batch:
        tx = Transaction(connection, pending)
        try:
            value = yield from _carried_out(waiting.unit, tx)
            outcomes.append(_UnitResult(value, None, tx.events, tx.wrote))
        except Exception as error:
            # An error of the database itself leaves a PostgreSQL transaction unusable.
            if tx.wrote or pending.failed or isinstance(error, DBAPIError):
                raise _SpoiltError from error
            outcomes.append(_UnitResult(error=error))
        yield
    try:
        if on_loop and _tell(batch, outcomes):
            # Whatever that began is under way before the disk is waited for.
            yield NOW
        yield from pending.write_in_steps()
    except Exception as error:
        raise _SpoiltError from error
    return outcomes


def _tell(batch: Sequence[_Waiting], outcomes: Sequence[_UnitResult]) -> bool:
    """Tell of units what they returned; whether anybody was told."""
    for waiting, outcome in zip(batch, outcomes, strict=True):
        if waiting.tell is not None and outcome.error is None:
            waiting.told = True
            waiting.tell(outcome.value)
    return any(waiting.told for waiting in batch)


def _one_by_one(
    connection: Connection, pending: Pending, batch: Sequence[_Waiting], *, on_loop: bool
) -> Steps[list[_UnitResult]]:
    """Run units in order, with a pause after each; a failing unit fails alone.

    Raises what the database raises when the transaction as a whole fails.
    """
    del on_loop
    outcomes: list[_UnitResult] = []
    for waiting in batch:
        tx = Transaction(connection, pending)
        try:
            with connection.begin_nested():
                value = yield from _carried_out(waiting.unit, tx)
                pending.write()
        except Exception as error:
            if is_fatal(error):
                # SQLite has ended the transaction by itself; what came after would stand alone.
                raise
            pending.forget()
            outcomes.append(_UnitResult(error=error))
        else:
            outcomes.append(_UnitResult(value, None, tx.events, tx.wrote))
        yield
    return outcomes


def _carried_out(unit: Unit[Any] | LongUnit[Any], tx: Transaction) -> Steps[Any]:
    """What a unit returns."""
    done = unit(tx)
    return (yield from cast("Steps[Any]", done)) if isinstance(done, Generator) else done


class Writer:
    """Gathers units of work from any number of tasks and commits them in the order they came.

    `limit` is the most units in one transaction. Listeners are called on the event loop after each
    commit, with its events in order, before the callers resume; where others write too, with what
    `arrange` makes of them.
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
        self._waiting: deque[_Waiting] = deque()
        # What goes last in its transaction.
        self._waiting_last: list[_Waiting] = []
        # What has a transaction to itself, and whether it is the turn of one of these.
        self._waiting_alone: deque[_Waiting] = deque()
        self._alone_is_next = False
        self._wake: asyncio.Future[None] | None = None
        self._gathering = Gathering()
        self._closed = False
        self._listeners: list[Listener] = []
        # When something was last written and committed, by the event loop's clock.
        self.wrote_at = -math.inf
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._commit_forever(), name="store writer")

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with the events of each commit; the function returned ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def submit(self, unit: Unit[T], *, brief: bool = False) -> "asyncio.Future[T]":
        """Have `unit` carried out with what else is waiting; the future has what it returned, once
        it is committed.

        A `brief` unit takes well below a millisecond, and holds no large values.

        Cancelled before its turn the unit is withdrawn; after that it is carried out whole. The
        future fails with what the unit raised, and with `Unavailable` when the database cannot be
        written or the store is closed; then nothing of the unit was written.
        """
        done: asyncio.Future[T] = self._loop.create_future()
        return self._put(self._waiting, _Waiting(unit, done, brief))

    def submit_last(
        self, unit: LongUnit[T], *, brief: bool = False, tell: Callable[[T], None] | None = None
    ) -> "asyncio.Future[T]":
        """As `submit`, behind the others of its transaction.

        Each step of a `brief` one is. `tell` may be called with what the unit returned before the
        transaction is written; should that fail then, the future does.
        """
        done: asyncio.Future[T] = self._loop.create_future()
        return self._put(self._waiting_last, _Waiting(unit, done, brief, tell))

    async def run_alone(self, unit: Unit[T]) -> T:
        """As `run`, in a transaction of its own between two of the others'.

        It is for what can wait, and may take some milliseconds: after it, what waits goes first.
        """
        done: asyncio.Future[T] = self._loop.create_future()
        return await self._put(self._waiting_alone, _Waiting(unit, done, brief=False))

    def _put(
        self, queue: deque[_Waiting] | list[_Waiting], waiting: _Waiting
    ) -> asyncio.Future[Any]:
        if self._closed:
            waiting.done.set_exception(store_closed())
        else:
            queue.append(waiting)
            self._gathering.come()
            self._awake()
        return waiting.done

    async def gathered(self) -> None:
        """Wait, where many write, until the next transaction is about to be carried out."""
        await self._gathering.over()

    async def run(self, unit: Unit[T]) -> T:
        """What `unit` returned, once it is committed; fails as `submit` does."""
        return await self.submit(unit)

    async def close(self) -> None:
        """Carry out what waits, and take nothing more."""
        self._closed = True
        self._awake()
        await asyncio.shield(self._task)

    def _awake(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def _commit_forever(self) -> None:
        queues = self._waiting, self._waiting_last, self._waiting_alone
        try:
            while any(queues) or not self._closed:
                if batch := self._take():
                    self._gathering.begin(len(batch))
                    await self._commit(batch)
                    await self._gathering.wait()
                    # Whoever was told, or waits for this, goes first: what it writes comes into the
                    # next transaction.
                    await asyncio.sleep(0)
                elif not self._closed:
                    self._wake = self._loop.create_future()
                    await self._wake
        finally:
            self._closed = True
            self._gathering.close()
            for queue in queues:
                for waiting in queue:
                    waiting.done.cancel()

    def _take(self) -> list[_Waiting]:
        shared = self._take_shared() if not (self._alone_is_next and self._waiting_alone) else []
        self._alone_is_next = bool(shared)
        return shared or self._take_alone() or self._take_shared()

    def _take_alone(self) -> list[_Waiting]:
        while self._waiting_alone:
            waiting = self._waiting_alone.popleft()
            if not waiting.done.done():
                return [waiting]
        return []

    def _take_shared(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        while self._waiting and len(batch) < self._limit:
            waiting = self._waiting.popleft()
            if not waiting.done.done():
                batch.append(waiting)
        # These go now, however many others wait.
        batch += [waiting for waiting in self._waiting_last if not waiting.done.done()]
        self._waiting_last.clear()
        return batch

    async def _commit(self, batch: list[_Waiting]) -> None:
        try:
            try:
                outcomes = await self._transact(_together, batch)
            except _SpoiltError as error:
                outcomes = await self._again(batch, error.__cause__)
        except Exception as error:  # noqa: BLE001  # the writer outlives every failure
            outcomes = [_UnitResult(error=error) for _ in batch]
        except asyncio.CancelledError:
            for waiting in batch:
                waiting.done.cancel()
            raise
        if any(outcome.wrote for outcome in outcomes):
            self.wrote_at = self._loop.time()
        events: Sequence[JobEvent] = [event for outcome in outcomes for event in outcome.events]
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

    async def _again(self, batch: list[_Waiting], error: BaseException | None) -> list[_UnitResult]:
        """Carry out what was undone; what was told of already fails."""
        because = error if isinstance(error, Exception) else RuntimeError("undone")
        rest = [waiting for waiting in batch if not waiting.told]
        if len(batch) == 1 or not rest:
            raise because
        outcomes = iter(await self._transact(_one_by_one, rest))
        return [_UnitResult(error=because) if each.told else next(outcomes) for each in batch]

    async def _transact(self, run: _Run, batch: list[_Waiting]) -> list[_UnitResult]:
        cursors = self._database.cursors

        def work(connection: Connection, *, on_loop: bool) -> Steps[list[_UnitResult]]:
            pending = Pending(connection, cursors(connection))
            return run(connection, pending, batch, on_loop=on_loop)

        return await self._database.transact(
            work,
            brief=all(waiting.brief for waiting in batch),
            crowded=is_many(len(batch)),
        )

    def publish(self, events: Sequence[JobEvent]) -> None:
        """Tell the listeners of committed events."""
        if not events:
            return
        for listener in tuple(self._listeners):
            try:
                listener(events)
            except Exception:  # noqa: BLE001  # one listener's fault is no other's
                _log.exception("a listener failed; the events are committed all the same")
