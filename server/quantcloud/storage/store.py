"""The store: all persistent data, behind async methods.

Times are aware datetimes in UTC. A method that changes something returns after its commit.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from quantcloud.domain.cursors import Cursors
from quantcloud.domain.news import News
from quantcloud.storage.account_data import AccountData
from quantcloud.storage.accounts import Accounts
from quantcloud.storage.api_keys import ApiKeys
from quantcloud.storage.circuits import Circuits
from quantcloud.storage.database.epoch import epoch_of
from quantcloud.storage.database.errors import StoreError
from quantcloud.storage.database.interface import Applies, Database
from quantcloud.storage.database.sqlite import SqliteDatabase
from quantcloud.storage.jobs.reading.events import Events
from quantcloud.storage.jobs.repository import Jobs
from quantcloud.storage.jobs.writing.leases import Leases
from quantcloud.storage.retention import Retention
from quantcloud.storage.unit_of_work.group_commit import Listener, Writer, everything

if TYPE_CHECKING:
    from quantcloud.storage.notices import Notices

CONNECTIONS = 10
POLL_SECONDS = 1.0
_ADVICE = "give sqlite:///PATH or postgresql://USER:PASSWORD@HOST/DATABASE"


class Store:
    """An open database, with one attribute for each repository.

    Every method may raise `domain.errors.Unavailable` if the database does not answer.
    """

    def __init__(
        self,
        database: Database,
        epoch: bytes,
        apply: Applies | None = None,
    ) -> None:
        self.cursors = Cursors(epoch)
        self._database = database
        self._on_loss: list[Callable[[], None]] = []
        # Set if other servers may use the same database.
        self._notices: Notices | None = None
        self._writer = Writer(database, apply)
        self.jobs = Jobs(database, self._writer)
        self.leases = Leases(self._writer)
        self.events = Events(database, self.cursors)
        self.retention = Retention(self._writer)
        self.accounts = Accounts(database, self._writer)
        self.account_data = AccountData(database, self._writer)
        self.api_keys = ApiKeys(database, self._writer)
        self.circuits = Circuits(database, self._writer)

    @classmethod
    async def open(
        cls,
        location: str | Path,
        *,
        connections: int = CONNECTIONS,
        poll_seconds: float = POLL_SECONDS,
    ) -> "Store":
        """Open the database at `location` and migrate it.

        `location` is a path, a `sqlite:///` URL or a `postgresql://` URL. For PostgreSQL,
        `connections` is the number of connections that read, and the event log is read after
        `poll_seconds` even without a notification. Only the owner can read a new file or folder.
        Raises `StoreError` if the database cannot be used.
        """
        if url := postgres_url(location):
            return await cls._open_postgres(url, connections, poll_seconds)
        database = await SqliteDatabase.open(sqlite_path(location))
        try:
            return cls(database, await epoch_of(database))
        except SQLAlchemyError as error:
            await database.close()
            raise database.faults.unusable(error) from error

    @classmethod
    async def _open_postgres(cls, url: str, connections: int, poll_seconds: float) -> "Store":
        # Imported only for PostgreSQL: these take a third of a second and 20 MiB.
        from quantcloud.storage.database.postgres import PostgresDatabase  # noqa: PLC0415
        from quantcloud.storage.notices import Notices  # noqa: PLC0415

        database = await PostgresDatabase.open(url, connections=connections)
        store = cls(database, await epoch_of(database), database.apply)
        store._notices = Notices(database, store._writer, store._lose, poll_seconds)
        await store._notices.start()
        return store

    @property
    def shared(self) -> bool:
        """Whether other servers may use the same database."""
        return self._notices is not None

    def wrote_since(self, moment: float) -> bool:
        """Whether a write was committed since `moment`, in seconds of the event loop's clock."""
        return self._writer.wrote_at >= moment

    async def check_file(self) -> None:
        """Raise `Unavailable` if the database is a file that was removed or replaced while open."""
        await self._database.check_file()

    def log_faults(self) -> None:
        """Log failures of the database from now on, each at most once a minute."""
        self._database.faults.logged = True

    async def close(self) -> None:
        """Finish the writes that were submitted, and close the database."""
        await self._writer.close()
        if self._notices is not None:
            await self._notices.close()
        await self._database.close()

    def subscribe(
        self, listener: Listener, wants: Callable[[News], bool] = everything
    ) -> Callable[[], None]:
        """Call `listener` with the events of each commit, in order, on the event loop.

        For this server's commits, that is before the methods that made the events return; for other
        servers' commits, it is soon after. Of those it may get only the events of jobs for whose
        news `wants` is true. Call the returned function to stop.
        """
        return self._writer.subscribe(listener, wants)

    def subscribe_loss(self, listener: Callable[[], None]) -> None:
        """Call `listener` when the events of other servers cannot be read for a while."""
        self._on_loss.append(listener)

    def _lose(self) -> None:
        for listener in tuple(self._on_loss):
            listener()


def postgres_url(location: str | Path) -> str | None:
    """Return the URL in the form that PostgreSQL's programs use; None for another database."""
    scheme, separator, rest = str(location).partition("://")
    if separator and scheme in {"postgres", "postgresql", "postgresql+asyncpg"}:
        return f"postgresql://{rest}"
    return None


def sqlite_path(location: str | Path) -> Path:
    """Return the path of a SQLite database. Raises `StoreError` if `location` is not one."""
    if isinstance(location, str) and "://" in location:
        try:
            url = make_url(location)
        except ArgumentError as error:
            raise StoreError(
                "the database URL cannot be read; give sqlite:///PATH or postgresql://..."
            ) from error
        if url.get_backend_name() != "sqlite" or url.query:
            raise StoreError(f"cannot use a database at {url.get_backend_name()}://; {_ADVICE}")
        location = url.database or ""
    if str(location) in {"", ".", ":memory:"}:
        raise StoreError("the database must be a file; give a path or sqlite:///PATH")
    return Path(location)
