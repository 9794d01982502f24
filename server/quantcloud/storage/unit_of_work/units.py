"""Units of work that wait to run, and their results."""

import asyncio
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from sqlalchemy.exc import DBAPIError

from quantcloud.domain.job import JobEvent
from quantcloud.storage.database.errors import is_fatal
from quantcloud.storage.database.interface import Connection, Steps
from quantcloud.storage.unit_of_work.transaction import Pending, Transaction

T = TypeVar("T")

Unit = Callable[[Transaction], T]
"""One caller's reads and writes, within one transaction.

It may run twice, so it must have no effect outside the transaction before it returns.
"""
LongUnit = Callable[[Transaction], Steps[T]]
"""A `Unit` that runs in steps."""


@dataclass(slots=True)
class UnitResult:
    """The value or the error of a unit, and what it wrote."""

    value: Any = None
    error: Exception | None = None
    events: list[JobEvent] = field(default_factory=list[JobEvent])
    wrote: bool = False


@dataclass(slots=True)
class QueuedUnit:
    """A unit that waits.

    `drafted` says that it may run without reading, see `draft`, and `together` that it needs the
    pending rows of the units before it.
    """

    unit: Unit[Any] | LongUnit[Any]
    done: asyncio.Future[Any]
    cost: float
    drafted: bool = False
    together: bool = False


Run = Callable[[Connection, Pending, Sequence[QueuedUnit]], Steps[list[UnitResult]]]


class PartialWriteError(Exception):
    """A unit failed after its first write, so the transaction must be undone."""


def run_together(
    connection: Connection, pending: Pending, batch: Sequence[QueuedUnit]
) -> Steps[list[UnitResult]]:
    """Run units in order, with a pause after each; a unit that fails before it writes fails alone.

    A savepoint around each unit would cost as much as the unit, and nearly all failures come before
    a unit's first write and need none. Raises `PartialWriteError` if a unit fails later than that.
    """
    outcomes: list[UnitResult] = []
    for waiting in batch:
        tx = Transaction(connection, pending)
        try:
            value = yield from run_unit(waiting.unit, tx)
            outcomes.append(UnitResult(value, None, tx.events, tx.wrote))
        except Exception as error:
            # An error of the database itself leaves a PostgreSQL transaction unusable.
            if tx.wrote or pending.failed or isinstance(error, DBAPIError):
                raise PartialWriteError from error
            outcomes.append(UnitResult(error=error))
        yield
    try:
        yield from pending.write_in_steps()
    except Exception as error:
        raise PartialWriteError from error
    return outcomes


def run_one_by_one(
    connection: Connection, pending: Pending, batch: Sequence[QueuedUnit]
) -> Steps[list[UnitResult]]:
    """Run each unit in a savepoint, in order, with a pause after each; a failing unit fails alone.

    Raises the database's error if the whole transaction fails.
    """
    outcomes: list[UnitResult] = []
    for waiting in batch:
        tx = Transaction(connection, pending)
        try:
            with connection.begin_nested():
                value = yield from run_unit(waiting.unit, tx)
                pending.write()
        except Exception as error:
            if is_fatal(error):
                # SQLite has ended the transaction itself; later units would run outside it.
                raise
            pending.forget()
            outcomes.append(UnitResult(error=error))
        else:
            outcomes.append(UnitResult(value, None, tx.events, tx.wrote))
        yield
    return outcomes


def run_unit(unit: Unit[Any] | LongUnit[Any], tx: Transaction) -> Steps[Any]:
    """Run a unit and return its value."""
    value = unit(tx)
    return (yield from cast("Steps[Any]", value)) if isinstance(value, Generator) else value
