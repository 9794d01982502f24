"""What may be wrong with a database, as opposed to what is asked of it."""

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

from quantcloud.domain.errors import Unavailable

# Classes of SQLSTATE (PostgreSQL's manual, appendix A). What is wrong with one statement: its data,
# a constraint, its text or its rights.
_OF_STATEMENT = frozenset({"22", "23", "42"})
# What passes: connections, a database that is read-only for now, conflicts with others, too few
# resources, locks, an operator's intervention, the machine.
_PASSING = frozenset({"08", "25", "40", "53", "55", "57", "58"})


class StoreError(Exception):
    """The database cannot be used; the message names it and says what to do."""


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


def translate(error: BaseException) -> BaseException:
    """The error to give a caller: `Unavailable` where trying again later may succeed, and
    `StoreError` where the database is damaged.
    """
    if is_passing(error):
        translated: Exception = Unavailable(
            "the database does not answer at the moment; try again", reason="STORE_UNAVAILABLE"
        )
    elif isinstance(error, DBAPIError) and is_fatal(error) and _state(error)[:2] in {"", "XX"}:
        translated = StoreError(f"the database is damaged: {error.orig}")
    else:
        return error
    translated.__cause__ = error
    return translated


def is_passing(error: BaseException) -> bool:
    """Whether the same may succeed later: the database, or the way to it, is not there now."""
    if isinstance(error, OperationalError | PoolTimeoutError | OSError | TimeoutError):
        return True
    if isinstance(error, DBAPIError):
        # A plan that another server's migration made old is made anew the next time.
        stale = "cached statement plan is invalid" in str(error.orig)
        return error.connection_invalidated or stale or _state(error)[:2] in _PASSING
    if isinstance(error, StatementError):
        # A statement whose connection had been lost, and another was not to be had.
        return error.orig is not None and is_passing(error.orig)
    # What PostgreSQL's driver says before SQLAlchemy has a connection.
    return type(error).__module__.startswith("asyncpg") and (
        not hasattr(error, "sqlstate") or _state(error)[:2] in _PASSING
    )


def _state(error: BaseException) -> str:
    """The SQLSTATE of an error of PostgreSQL, "" of any other."""
    source = error.orig if isinstance(error, DBAPIError) else error
    return getattr(source, "sqlstate", None) or ""
