"""What the store needs of a database: functions over a connection, run off the event loop.

The functions are plain SQLAlchemy Core over a synchronous `Connection`. A driver runs a whole one
at a time, which costs the event loop one hop however many statements it holds. PostgreSQL's
asynchronous drivers take the same functions by `AsyncConnection.run_sync`.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Row

T = TypeVar("T")

# A row of columns that its reader knows by name.
AnyRow = Row[*tuple[Any, ...]]


class Database(Protocol):
    """An open database."""

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns; it sees one consistent state and never waits for a writer.

        Raises `domain.errors.Unavailable` when the database does not answer.
        """
        ...

    async def write(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns; it begins and commits its own transactions. One runs at a time."""
        ...

    async def close(self) -> None: ...
