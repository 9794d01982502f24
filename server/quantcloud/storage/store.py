"""The store: every fact that outlives a process, behind plain async methods.

Times are aware datetimes in UTC. A method that changes something returns after its commit.
"""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from quantcloud.storage.accounts import Accounts
from quantcloud.storage.api_keys import ApiKeys
from quantcloud.storage.circuits import Circuits
from quantcloud.storage.database import Database
from quantcloud.storage.errors import StoreError
from quantcloud.storage.events import Events
from quantcloud.storage.jobs import Jobs
from quantcloud.storage.sqlite import SqliteDatabase
from quantcloud.storage.usage import Usage
from quantcloud.storage.writer import Listener, Writer


class Store:
    """An open database; each attribute holds what concerns one kind of thing.

    Every method may raise `domain.errors.Unavailable` when the database does not answer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writer = Writer(database.write)
        self.jobs = Jobs(database, self._writer)
        self.events = Events(database)
        self.accounts = Accounts(database, self._writer)
        self.api_keys = ApiKeys(database, self._writer)
        self.circuits = Circuits(database, self._writer)
        self.usage = Usage(database)

    @classmethod
    async def open(cls, location: str | Path) -> "Store":
        """Open the database at `location`, a path or a `sqlite:///` URL, and migrate it.

        A new file is readable to its owner only, and so is its folder if that is new. Raises
        `StoreError` when the database cannot be used.
        """
        return cls(await SqliteDatabase.open(_path(location)))

    async def close(self) -> None:
        """Carry out what was asked already, and close the database."""
        await self._writer.close()
        await self._database.close()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with the events of each commit, in order, on the event loop.

        That is before the calls that made the events return. The function returned ends it.
        """
        return self._writer.subscribe(listener)


def _path(location: str | Path) -> Path:
    if isinstance(location, str) and "://" in location:
        try:
            url = make_url(location)
        except ArgumentError as error:
            raise StoreError("the database URL cannot be read; give sqlite:///PATH") from error
        if url.get_backend_name() != "sqlite" or url.query:
            raise StoreError(
                f"cannot use a database at {url.get_backend_name()}://; give sqlite:///PATH"
            )
        location = url.database or ""
    if str(location) in {"", ".", ":memory:"}:
        raise StoreError("the database must be a file; give a path or sqlite:///PATH")
    return Path(location)
