"""What may be wrong with a database, as opposed to what is asked of it."""

import errno
import sqlite3
from datetime import timedelta
from enum import Enum

from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from quantcloud.domain.errors import Damaged, DomainError, Unavailable

# Classes of SQLSTATE (PostgreSQL's manual, appendix A). What is wrong with one statement: its data,
# a constraint, its text or its rights.
_OF_STATEMENT = frozenset({"22", "23", "42"})
# What passes: connections, a database that is read-only for now, rights to connect, a database that
# is not there, conflicts with others, too few resources, locks, an operator's intervention, the
# machine.
_PASSING = frozenset({"08", "25", "28", "3D", "40", "53", "55", "57", "58"})
# What is more in an extended error code of SQLite says why.
PRIMARY_CODE = 0xFF
# The disk cannot give back what it was given. A code of SQLite that Python does not name.
_IOERR_CORRUPTFS = sqlite3.SQLITE_IOERR | 33 << 8
_NOT_TEXT = "Could not decode to UTF-8"
_FULL_RETRY = timedelta(seconds=10)


class StoreError(Exception):
    """The database cannot be used; the message names it and says what to do."""


class Failure(Enum):
    """What is wrong with a database, by the reason that callers are given."""

    AWAY = "STORE_UNAVAILABLE"
    FULL = "DISK_FULL"
    IO_ERROR = "STORE_IO_ERROR"
    DAMAGED = "STORE_DAMAGED"

    @property
    def needs_operator(self) -> bool:
        """Whether it does not end by itself."""
        return self is not Failure.AWAY


_BY_CODE = {
    sqlite3.SQLITE_CORRUPT: Failure.DAMAGED,
    sqlite3.SQLITE_NOTADB: Failure.DAMAGED,
    _IOERR_CORRUPTFS: Failure.DAMAGED,
    sqlite3.SQLITE_FULL: Failure.FULL,
    # The file system refused it. It may be mounted again, or have room again.
    sqlite3.SQLITE_IOERR: Failure.IO_ERROR,
    **dict.fromkeys(
        (
            sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN,
            sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_INTERRUPT,
            sqlite3.SQLITE_PERM,
        ),
        Failure.AWAY,
    ),
}  # fmt: skip
_BY_STATE = {
    "XX001": Failure.DAMAGED,
    "XX002": Failure.DAMAGED,
    "53100": Failure.FULL,
    "58030": Failure.IO_ERROR,
}


def is_fatal(error: BaseException) -> bool:
    """Whether the database itself failed (disk full, page unreadable), not one statement."""
    return (
        isinstance(error, DBAPIError)
        and not isinstance(
            error,
            IntegrityError | DataError | ProgrammingError | NotSupportedError | InterfaceError,
        )
        and _state(error)[:2] not in _OF_STATEMENT
    )


def store_closed() -> Unavailable:
    """What is raised once the store is closed."""
    return Unavailable("the store is closed", reason="STORE_CLOSED")


def domain_error(failure: Failure) -> DomainError:
    """What a caller is told of a failure. Nothing in it depends on where the database is."""
    reason = failure.value
    if failure is Failure.DAMAGED:
        return Damaged("the service's database is damaged", reason=reason)
    if failure is Failure.FULL:
        return Unavailable(
            "the disk of the service's database is full; try again later",
            reason=reason,
            retry_after=_FULL_RETRY,
        )
    if failure is Failure.IO_ERROR:
        return Unavailable(
            "the service's database cannot reach its disk at the moment; try again", reason=reason
        )
    return Unavailable("the database does not answer at the moment; try again", reason=reason)


def failure_of(error: BaseException) -> Failure | None:
    """What is wrong with the database; None where nothing is, but with what was asked of it."""
    source = error.orig if isinstance(error, StatementError) else error
    if isinstance(source, sqlite3.Error):
        return _failure_of_sqlite(source)
    if (known := _BY_STATE.get(_state(error))) is not None:
        return known
    if isinstance(source, OSError) and source.errno in {errno.ENOSPC, errno.EDQUOT}:
        return Failure.FULL
    return Failure.AWAY if _is_passing(error) else None


def cause_of(error: BaseException) -> str:
    """What the database's driver says of an error."""
    source = error.orig if isinstance(error, StatementError) and error.orig else error
    return str(source) or type(source).__name__


def _failure_of_sqlite(error: sqlite3.Error) -> Failure | None:
    code: int | None = getattr(error, "sqlite_errorcode", None)
    if code is None:
        # Python's own: a page holds text that nobody wrote.
        return Failure.DAMAGED if _NOT_TEXT in str(error) else None
    return _BY_CODE.get(code) or _BY_CODE.get(code & PRIMARY_CODE)


def _is_passing(error: BaseException) -> bool:
    """Whether the same may succeed later: the database, or the way to it, is not there now."""
    if isinstance(error, OperationalError | PoolTimeoutError | OSError | TimeoutError):
        return True
    if isinstance(error, DBAPIError):
        # A plan that another server's migration made old is made anew the next time.
        stale = "cached statement plan is invalid" in str(error.orig)
        return error.connection_invalidated or stale or _state(error)[:2] in _PASSING
    if isinstance(error, StatementError):
        # A statement whose connection had been lost, and another was not to be had.
        return error.orig is not None and _is_passing(error.orig)
    # What PostgreSQL's driver says before SQLAlchemy has a connection.
    return type(error).__module__.startswith("asyncpg") and (
        not hasattr(error, "sqlstate") or _state(error)[:2] in _PASSING
    )


def _state(error: BaseException) -> str:
    """The SQLSTATE of an error of PostgreSQL, "" of any other."""
    source = error.orig if isinstance(error, DBAPIError) else error
    return getattr(source, "sqlstate", None) or ""
