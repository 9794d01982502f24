"""Failures of a database, as distinct from errors of a statement."""

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

# Classes of SQLSTATE (PostgreSQL's manual, appendix A). These are errors of one statement: its
# data, a constraint, its syntax or its rights.
_OF_STATEMENT = frozenset({"22", "23", "42"})
# These are transient: connections, a read-only database, rights to connect, a missing database,
# conflicts between transactions, too few resources, locks, an operator's intervention, the machine.
_TRANSIENT = frozenset({"08", "25", "28", "3D", "40", "53", "55", "57", "58"})
_FOREIGN_KEY_VIOLATION = "23503"
# The bits of the primary code in an extended error code of SQLite.
PRIMARY_CODE = 0xFF
# The file system is damaged. Python has no name for this code of SQLite.
_IOERR_CORRUPTFS = sqlite3.SQLITE_IOERR | 33 << 8
_NOT_TEXT = "Could not decode to UTF-8"
_OPERATOR_RETRY = timedelta(seconds=10)


class StoreError(Exception):
    """The database cannot be used; the message names it and says what to do."""


class Failure(Enum):
    """What is wrong with a database; the value is the reason in the error that callers get."""

    AWAY = "STORE_UNAVAILABLE"
    FULL = "DISK_FULL"
    IO_ERROR = "STORE_IO_ERROR"
    DAMAGED = "STORE_DAMAGED"


_BY_CODE = {
    sqlite3.SQLITE_CORRUPT: Failure.DAMAGED,
    sqlite3.SQLITE_NOTADB: Failure.DAMAGED,
    _IOERR_CORRUPTFS: Failure.DAMAGED,
    sqlite3.SQLITE_FULL: Failure.FULL,
    # The file system refused the operation; a remount or free space may end that.
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
    """Whether the database failed (disk full, page unreadable), and not just one statement."""
    return (
        isinstance(error, DBAPIError)
        and not isinstance(
            error,
            IntegrityError | DataError | ProgrammingError | NotSupportedError | InterfaceError,
        )
        and _state(error)[:2] not in _OF_STATEMENT
    )


def store_closed() -> Unavailable:
    """Return the error for calls after the store was closed."""
    return Unavailable("the store is closed", reason="STORE_CLOSED")


def store_gone() -> Unavailable:
    """Return the error for writes while the database file is not the one that was opened."""
    return Unavailable(
        "the file of the service's database was removed or replaced while in use",
        reason="STORE_GONE",
        retry_after=_OPERATOR_RETRY,
    )


def domain_error(failure: Failure) -> DomainError:
    """Return the error that callers get for a failure; it does not say where the database is."""
    reason = failure.value
    if failure is Failure.DAMAGED:
        return Damaged("the service's database is damaged", reason=reason)
    if failure is Failure.FULL:
        return Unavailable(
            "the disk of the service's database is full; try again later",
            reason=reason,
            retry_after=_OPERATOR_RETRY,
        )
    if failure is Failure.IO_ERROR:
        return Unavailable(
            "the service's database cannot reach its disk at the moment; try again", reason=reason
        )
    return Unavailable("the database does not answer at the moment; try again", reason=reason)


def parent_is_gone(error: BaseException) -> bool:
    """Whether a new row names another one that does not exist, such as an account just deleted."""
    if not isinstance(error, IntegrityError):
        return False
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY or _state(error) == _FOREIGN_KEY_VIOLATION


def failure_of(error: BaseException) -> Failure | None:
    """Return what is wrong with the database; None if `error` is an error of the statement."""
    source = error.orig if isinstance(error, StatementError) else error
    if isinstance(source, sqlite3.Error):
        return _failure_of_sqlite(source)
    if (known := _BY_STATE.get(_state(error))) is not None:
        return known
    if isinstance(source, OSError) and source.errno in {errno.ENOSPC, errno.EDQUOT}:
        return Failure.FULL
    return Failure.AWAY if _is_transient(error) else None


def cause_of(error: BaseException) -> str:
    """Return the message of the database's driver."""
    source = error.orig if isinstance(error, StatementError) and error.orig else error
    # SQLAlchemy's own text adds the statement and a link in further lines.
    return (str(source) or type(source).__name__).partition("\n")[0]


def _failure_of_sqlite(error: sqlite3.Error) -> Failure | None:
    code: int | None = getattr(error, "sqlite_errorcode", None)
    if code is None:
        # Python raises this itself: a damaged page holds bytes that are not UTF-8.
        return Failure.DAMAGED if _NOT_TEXT in str(error) else None
    return _BY_CODE.get(code) or _BY_CODE.get(code & PRIMARY_CODE)


def _is_transient(error: BaseException) -> bool:
    """Whether a retry may succeed: the database, or the connection to it, is away for now."""
    if isinstance(error, OperationalError | PoolTimeoutError | OSError | TimeoutError):
        return True
    if isinstance(error, DBAPIError):
        # Another server's migration has outdated the plan; the next execution makes a new one.
        stale = "cached statement plan is invalid" in str(error.orig)
        return error.connection_invalidated or stale or _state(error)[:2] in _TRANSIENT
    if isinstance(error, StatementError):
        # The statement's connection was lost, and there was no other.
        return error.orig is not None and _is_transient(error.orig)
    # PostgreSQL's driver raises these before SQLAlchemy has a connection.
    return type(error).__module__.startswith("asyncpg") and (
        not hasattr(error, "sqlstate") or _state(error)[:2] in _TRANSIENT
    )


def _state(error: BaseException) -> str:
    """Return the SQLSTATE of a PostgreSQL error, "" for other errors."""
    source = error.orig if isinstance(error, DBAPIError) else error
    return getattr(source, "sqlstate", None) or ""
