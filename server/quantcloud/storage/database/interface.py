"""What the store needs of a database: functions over a connection, run off the event loop.

The functions say what they want in SQLAlchemy Core. A driver runs a whole function at a time, which
costs the event loop one hop however many statements it holds. PostgreSQL's asynchronous drivers
take the same functions by `AsyncConnection.run_sync`.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from sqlalchemy import Executable

from quantcloud.storage.database.faults import Faults

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

# A row of columns that its reader knows by name.
AnyRow: TypeAlias = Any
Parameters: TypeAlias = dict[str, Any] | list[dict[str, Any]]


class Rows(Protocol):
    """What a statement gave; the part of SQLAlchemy's `Result` that the store uses."""

    @property
    def rowcount(self) -> int:
        """How many rows an UPDATE or DELETE found."""
        ...

    def __iter__(self) -> Iterator[AnyRow]: ...

    def all(self) -> Sequence[AnyRow]: ...

    def one(self) -> AnyRow: ...

    def one_or_none(self) -> AnyRow | None: ...

    def scalars(self) -> Iterable[Any]: ...

    def scalar_one(self) -> Any: ...


class Connection(Protocol):
    """The part of SQLAlchemy's `Connection` that the store uses."""

    def begin(self) -> AbstractContextManager[object]: ...

    def begin_nested(self) -> AbstractContextManager[object]: ...

    def execute(self, statement: Executable, parameters: Parameters | None = None, /) -> Rows: ...


NOW: Final = True
Steps: TypeAlias = Generator[bool | None, None, T]
"""Work that pauses where others may have a turn of the event loop, and at `NOW` will."""


class Work(Protocol[T_co]):
    """What is done in a transaction; `on_loop` tells whether in the event loop's thread."""

    def __call__(self, connection: Connection, /, *, on_loop: bool) -> Steps[T_co]: ...


class Database(Protocol):
    """An open database. `faults` translates its errors."""

    faults: Faults

    async def read(self, work: Callable[[Connection], T], *, brief: bool = False) -> T:
        """What `work` returns; it sees one consistent state and never waits for a writer.

        A `brief` one is a single statement that looks up a few rows by a unique key: where that
        takes less than going to another thread and back, it happens on the event loop. Raises
        `domain.errors.Unavailable` when the database does not answer, and `Damaged` when what it
        holds cannot be read.
        """
        ...

    async def write(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns; it begins and commits its own transactions. One runs at a time."""
        ...

    async def transact(
        self,
        work: Work[T],
        *,
        brief: bool = False,
        crowded: bool = False,
    ) -> T:
        """What `work` returns, once it is committed; undone where it raises. One runs at a time.

        A `brief` one takes little time between two of its pauses: where that is less than going
        to another thread and back, it happens on the event loop. Only the commit waits for the
        disk; where it is `crowded`, others have something to do meanwhile.
        """
        ...

    def cursors(self, connection: Connection) -> Callable[[int], Sequence[int]]:
        """Gives so many new cursors of events, in a transaction that writes them."""
        ...

    async def check_file(self) -> None:
        """Raise `Damaged` where the database is a file that was removed, or replaced, meanwhile.

        What is written then is lost with the process.
        """
        ...

    async def close(self) -> None: ...


def transacted(connection: Connection, work: Work[T]) -> T:
    """What `work` returns, once it is committed, without a pause; undone where it raises."""
    with connection.begin():
        steps = work(connection, on_loop=False)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value
