"""Group commit: everything that waits to be written goes into one transaction.

A commit waits for the disk, so what it costs hardly depends on how much is in it. While one is
under way, more units of work gather for the next.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from sqlalchemy import Executable
from sqlalchemy.exc import DBAPIError

from quantcloud.domain.errors import Unavailable
from quantcloud.domain.job import JobEvent
from quantcloud.storage.database import Connection, Parameters, Rows
from quantcloud.storage.errors import is_fatal, translate

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Listener = Callable[[Sequence[JobEvent]], None]

_log = logging.getLogger(__name__)


class Transaction:
    """One unit's view of the transaction that it shares; it neither begins nor ends it."""

    __slots__ = ("_connection", "events", "wrote")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.events: list[JobEvent] = []
        self.wrote = False

    def read(self, statement: Executable, parameters: Parameters | None = None) -> Rows:
        return self._connection.execute(statement, parameters)

    def write(self, statement: Executable, parameters: Parameters) -> Rows:
        before, self.wrote = self.wrote, True
        result = self._connection.execute(statement, parameters)
        self.wrote = before or result.rowcount != 0
        return result

    def emit(self, event: JobEvent) -> None:
        """Tell the listeners of `event` once the transaction is committed."""
        self.events.append(event)


class Unit(Protocol[T_co]):
    """What one caller wants written: reads what it goes by within the transaction.

    It may run twice, so it keeps what it makes to itself until it returns.
    """

    def __call__(self, tx: Transaction, /) -> T_co: ...


@dataclass(slots=True)
class _Outcome:
    value: Any = None
    error: Exception | None = None
    events: list[JobEvent] = field(default_factory=list[JobEvent])


class _SpoiltError(Exception):
    """A unit failed after it had written: the transaction holds a half of it."""


def run_together(connection: Connection, units: Sequence[Unit[Any]]) -> list[_Outcome]:
    """Run `units` in order in one transaction and commit it; a failing unit fails alone.

    A savepoint around each unit would cost as much as the unit itself. Nearly all refusals come
    before a unit's first write and need none, so savepoints are used only when a first try without
    them failed. Raises what the database raises when the transaction as a whole fails.
    """
    if len(units) == 1:
        return [_alone(connection, units[0])]
    try:
        with connection.begin():
            return [_attempt(connection, unit) for unit in units]
    except _SpoiltError:
        with connection.begin():
            return [_attempt_in_savepoint(connection, unit) for unit in units]


def _alone(connection: Connection, unit: Unit[Any]) -> _Outcome:
    tx = Transaction(connection)
    try:
        with connection.begin():
            value = unit(tx)
    except Exception as error:  # noqa: BLE001  # whatever it is, it is the caller's
        return _Outcome(error=error)
    return _Outcome(value=value, events=tx.events)


def _attempt(connection: Connection, unit: Unit[Any]) -> _Outcome:
    tx = Transaction(connection)
    try:
        return _Outcome(value=unit(tx), events=tx.events)
    except Exception as error:
        # An error of the database itself leaves a PostgreSQL transaction unusable.
        if tx.wrote or isinstance(error, DBAPIError):
            raise _SpoiltError from error
        return _Outcome(error=error)


def _attempt_in_savepoint(connection: Connection, unit: Unit[Any]) -> _Outcome:
    tx = Transaction(connection)
    try:
        with connection.begin_nested():
            value = unit(tx)
    except Exception as error:
        if is_fatal(error):
            # SQLite has ended the transaction by itself; what came after would stand alone.
            raise
        return _Outcome(error=error)
    return _Outcome(value=value, events=tx.events)


@dataclass(slots=True)
class _Waiting:
    unit: Unit[Any]
    done: asyncio.Future[Any]


class Writer:
    """Gathers units of work from any number of tasks and commits them in the order they came.

    `write` runs a function on the connection that is kept for writing. `limit` is the most units
    in one transaction. Listeners are called on the event loop after each commit, with its events
    in order, before the callers resume; where others write too, with what `arrange` makes of them.
    """

    def __init__(
        self,
        write: Callable[[Callable[[Connection], list[_Outcome]]], Awaitable[list[_Outcome]]],
        *,
        arrange: Callable[[Sequence[JobEvent]], Awaitable[Sequence[JobEvent]]] | None = None,
        limit: int = 256,
    ) -> None:
        self._write = write
        self._arrange = arrange
        self._limit = limit
        self._waiting: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._closed = False
        self._listeners: list[Listener] = []
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._commit_forever(), name="store writer")

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with the events of each commit; the function returned ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def submit(self, unit: Unit[T]) -> "asyncio.Future[T]":
        """Have `unit` carried out with what else is waiting; the future has what it returned, once
        it is committed.

        Cancelled before its turn the unit is withdrawn; after that it is carried out whole. The
        future fails with what the unit raised, and with `Unavailable` when the database cannot be
        written or the store is closed; then nothing of the unit was written.
        """
        done: asyncio.Future[T] = self._loop.create_future()
        if self._closed:
            done.set_exception(Unavailable("the store is closed", reason="STORE_CLOSED"))
            return done
        self._waiting.append(_Waiting(unit, done))
        self._wake.set()
        return done

    async def run(self, unit: Unit[T]) -> T:
        """What `unit` returned, once it is committed; fails as `submit` does."""
        return await self.submit(unit)

    async def close(self) -> None:
        """Carry out what waits, and take nothing more."""
        self._closed = True
        self._wake.set()
        await self._task

    async def _commit_forever(self) -> None:
        try:
            while self._waiting or not self._closed:
                self._wake.clear()
                if batch := self._take():
                    await self._commit(batch)
                elif not self._closed:
                    await self._wake.wait()
        finally:
            self._closed = True
            while self._waiting:
                self._waiting.popleft().done.cancel()

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        while self._waiting and len(batch) < self._limit:
            waiting = self._waiting.popleft()
            if not waiting.done.done():
                batch.append(waiting)
        return batch

    async def _commit(self, batch: list[_Waiting]) -> None:
        units = [waiting.unit for waiting in batch]
        try:
            outcomes = await self._write(lambda connection: run_together(connection, units))
        except Exception as error:  # noqa: BLE001  # the writer outlives every failure
            outcomes = [_Outcome(error=error) for _ in batch]
        events: Sequence[JobEvent] = [event for outcome in outcomes for event in outcome.events]
        if self._arrange is not None and events:
            events = await self._arrange(events)
        self.publish(events)
        for waiting, outcome in zip(batch, outcomes, strict=True):
            if waiting.done.done():
                continue
            if outcome.error is None:
                waiting.done.set_result(outcome.value)
            else:
                waiting.done.set_exception(translate(outcome.error))

    def publish(self, events: Sequence[JobEvent]) -> None:
        """Tell the listeners of committed events."""
        if not events:
            return
        for listener in tuple(self._listeners):
            try:
                listener(events)
            except Exception:  # noqa: BLE001  # one listener's fault is no other's
                _log.exception("a listener failed; the events are committed all the same")
