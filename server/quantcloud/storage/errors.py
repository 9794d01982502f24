"""What may be wrong with a database, as opposed to what is asked of it."""

from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from quantcloud.domain.errors import Unavailable


class StoreError(Exception):
    """The database cannot be used; the message names it and says what to do."""


def is_fatal(error: BaseException) -> bool:
    """Whether the database itself failed (disk full, page unreadable), not one statement."""
    return isinstance(error, DBAPIError) and not isinstance(
        error, IntegrityError | DataError | ProgrammingError | NotSupportedError
    )


def translate(error: BaseException) -> BaseException:
    """The error to give a caller: `Unavailable` where trying again later may succeed, and
    `StoreError` where the database is damaged.
    """
    if isinstance(error, OperationalError | PoolTimeoutError) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    ):
        translated: Exception = Unavailable(
            "the database does not answer at the moment; nothing was changed",
            reason="STORE_UNAVAILABLE",
        )
    elif isinstance(error, DBAPIError) and is_fatal(error):
        translated = StoreError(f"the database is damaged: {error.orig}")
    else:
        return error
    translated.__cause__ = error
    return translated
