"""What the store needs from a database: it runs functions over a connection off the event loop.

The functions use SQLAlchemy Core. A driver runs a whole function at a time, so the event loop
switches to another thread once, for any number of statements. PostgreSQL's asynchronous drivers
run the same functions with `AsyncConnection.run_sync`.
"""

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

from sqlalchemy import Executable

from quantcloud.aio.offload import UNKNOWN
from quantcloud.storage.database.faults import Faults
from quantcloud.telemetry import commits

T = TypeVar("T")

# A row whose reader knows its columns by name.
AnyRow: TypeAlias = Any
Parameters: TypeAlias = dict[str, Any] | list[dict[str, Any]]


class Rows(Protocol):
    """The rows of a statement; the part of SQLAlchemy's `Result` that the store uses."""

    @property
    def rowcount(self) -> int:
        """How many rows an UPDATE or DELETE matched."""
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


Steps: TypeAlias = Generator[None, None, T]
"""Work with pauses in which other tasks may run."""
Work: TypeAlias = Callable[[Connection], Steps[T]]
"""Work in a transaction."""


class Database(Protocol):
    """An open database. `faults` translates its errors."""

    faults: Faults

    async def read(self, work: Callable[[Connection], T], *, cost: float = UNKNOWN) -> T:
        """Return what `work` returns; it sees one consistent state and never waits for a writer.

        `cost` is known only for a single statement that looks up rows by a unique key; see
        `aio.offload.Work.LOOK_UP`. It may run on the event loop. Raises
        `domain.errors.Unavailable` if the database does not answer, and `Damaged` if its data
        cannot be read.
        """
        ...

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Return what `work` returns; it runs its own transactions. One call runs at a time."""
        ...

    async def transact(
        self,
        work: Work[T],
        *,
        cost: float = UNKNOWN,
        crowded: bool = False,
    ) -> T:
        """Return what `work` returns, after the commit; undo it if it raises.

        One call runs at a time. `cost` is the most microseconds that the work takes between two
        pauses; see `aio.offload`. Only the commit waits for the disk. `crowded` says that other
        tasks have something to do meanwhile.
        """
        ...

    def cursors(self, connection: Connection) -> Callable[[int], Sequence[int]]:
        """Return a function that returns `n` new event cursors, in a transaction that writes."""
        ...

    async def check_file(self) -> None:
        """Raise `Unavailable` if the database is a file that was removed or replaced while open.

        `transact` raises the same: later writes would be lost when the process ends.
        """
        ...

    async def close(self) -> None: ...


class Applied(NamedTuple):
    """What a call with a draft did: the first cursor if it wrote, else which conditions failed."""

    first_cursor: int | None
    refused: Sequence[int] = ()


class Applies(Protocol):
    """Writes a draft in a transaction, all or nothing."""

    async def __call__(self, event_number: int, rows: Mapping[str, str | None]) -> Applied: ...


def transacted(connection: Connection, work: Work[T]) -> T:
    """Return what `work` returns, after the commit, without pauses; undo it if it raises."""
    began = time.perf_counter()
    with connection.begin():
        locked = time.perf_counter()
        steps = work(connection)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                value = end.value
                break
        worked = time.perf_counter()
    commits.observe(began, locked, worked, time.perf_counter())
    return value
