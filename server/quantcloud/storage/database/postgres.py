"""A PostgreSQL database: one connection that writes, and a pool of connections that read.

The writes of all servers run one after the other: each transaction takes a lock when it begins, as
in SQLite. So events get their cursors in the order in which they become visible, two servers cannot
deadlock, and what a transaction counts (waiting jobs, a month's usage, an account's runs) stays
true until it ends. Each server commits all units that collected meanwhile, so waiting for the lock
costs latency but no throughput. Most units are drafted before the lock, and written by one call
that takes it; see `unit_of_work.draft`.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

import asyncpg
from sqlalchemy import Connection as AlchemyConnection
from sqlalchemy import bindparam, event, func, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from quantcloud.aio.offload import UNKNOWN
from quantcloud.storage.database.errors import StoreError, store_closed
from quantcloud.storage.database.faults import Faults
from quantcloud.storage.database.interface import Applied, Connection, Work, transacted
from quantcloud.storage.database.migrate import migrate
from quantcloud.telemetry import commits

T = TypeVar("T")

OLDEST_VERSION = 15
# The trigger of `job_events` notifies this channel.
CHANNEL = "quantcloud_events"
# An arbitrary key of an advisory lock, unlikely to be in use by other programs.
_WRITE_LOCK = 0x5175616E74436C64

CONNECT_SECONDS = 5.0
# The most seconds for a connection from the pool, for a read, and for a transaction.
POOL_SECONDS = 5.0
READ_SECONDS = 10.0
WRITE_SECONDS = 15.0
_SESSION = {
    "application_name": "quantcloud",
    # If a server stops or loses its connection within a transaction, PostgreSQL undoes it and frees
    # the lock, so that the other servers can write. Milliseconds, like the next two.
    "idle_in_transaction_session_timeout": "5000",
    "lock_timeout": "10000",
    "statement_timeout": "15000",
    # Seconds.
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    # Compiling a plan takes longer than any statement of the store does.
    "jit": "off",
}
# PostgreSQL's name for the sequence of the column `cursor`.
_CURSORS = select(func.nextval("job_events_cursor_seq")).select_from(
    func.generate_series(1, bindparam("number"))
)
# The parameters of the function `quantcloud_commit`.
_CONDITIONS = ("waiting", "months", "keys", "known")
_ROWS = (
    "new_jobs", "new_tags", "new_circuits", "changed_jobs", "new_events", "new_results",
    "new_blocks", "new_keys", "used",
)  # fmt: skip
_COMMIT = (
    "SELECT * FROM quantcloud_commit("
    "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
)
_ERRORS = (SQLAlchemyError, OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class PostgresDatabase:
    """An open database. It may go away and come back; lost connections are replaced."""

    def __init__(self, url: str, connections: int) -> None:
        self._url = url
        self.faults = Faults(redacted(url))
        # The PostgreSQL process that runs this server's writes.
        self.writers_pid: int | None = None
        self._write_engine = self._engine(1)
        event.listen(self._write_engine.sync_engine, "begin", _lock)
        event.listen(self._write_engine.sync_engine, "connect", self._note_writer)
        readers = self._engine(connections)
        self._read_engine = readers.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        self._closed = False

    @classmethod
    async def open(cls, url: str, *, connections: int) -> "PostgresDatabase":
        """Open the database at `url`, in the format of `libpq`, and migrate it.

        Raises `StoreError`, which names the database and what is wrong with it.
        """
        database = cls(url, connections)
        try:
            async with database._write_engine.connect() as connection:
                await connection.run_sync(_migrate)
        except (*_ERRORS, StoreError, ValueError, OverflowError) as error:
            await database.close()
            reason = error.orig if isinstance(error, DBAPIError) else error
            raise StoreError(f"cannot use the database {redacted(url)}: {reason}") from error
        return database

    async def read(self, work: Callable[[Connection], T], *, cost: float = UNKNOWN) -> T:
        del cost  # the event loop never waits for the network

        def run(connection: AlchemyConnection) -> T:
            with connection.begin():
                return work(cast("Connection", connection))

        return await self._run(self._read_engine, run, READ_SECONDS)

    async def write(self, work: Callable[[Connection], T]) -> T:
        return await self._run(
            self._write_engine, lambda c: work(cast("Connection", c)), WRITE_SECONDS
        )

    async def transact(
        self,
        work: Work[T],
        *,
        cost: float = UNKNOWN,
        crowded: bool = False,
    ) -> T:
        del cost, crowded  # nothing runs on the event loop
        return await self.write(lambda connection: transacted(connection, work))

    async def fetch(self, statement: str, *values: object) -> Sequence[Any]:
        """Return the rows of a single SELECT in PostgreSQL's own notation.

        This takes a fraction of the processor time of `read`, which begins a transaction.
        """
        async with self._connected(self._read_engine, READ_SECONDS) as connection:
            return await _driver(connection).fetch(statement, *values)

    async def apply(self, event_number: int, rows: Mapping[str, str | None]) -> Applied:
        """Write a draft in one call, which holds the write lock only while PostgreSQL works."""
        began = time.perf_counter()
        async with self._connected(self._write_engine, WRITE_SECONDS) as connection:
            row = await call_commit(_driver(connection), event_number, rows)
        locked = began + row["lock_seconds"]
        commits.observe(began, locked, locked + row["held_seconds"], time.perf_counter())
        return Applied(row["first_cursor"], row["refused"] or ())

    def cursors(self, connection: Connection) -> Callable[[int], Sequence[int]]:
        return lambda number: sorted(connection.execute(_CURSORS, {"number": number}).scalars())

    async def connect(self) -> Any:
        """Return a new asyncpg connection; raises what asyncpg raises."""
        driver: Any = asyncpg
        return await driver.connect(self._url, timeout=CONNECT_SECONDS, server_settings=_SESSION)

    async def check_file(self) -> None:
        """Do nothing: PostgreSQL looks after its files."""

    async def close(self) -> None:
        self._closed = True
        for engine in (self._write_engine, self._read_engine):
            await engine.dispose()

    async def _run(
        self, engine: AsyncEngine, work: Callable[[AlchemyConnection], T], seconds: float
    ) -> T:
        async with self._connected(engine, seconds) as connection:
            return await connection.run_sync(work)

    @asynccontextmanager
    async def _connected(
        self, engine: AsyncEngine, seconds: float
    ) -> AsyncGenerator[AsyncConnection]:
        """Yield a connection for up to `seconds`, and translate the errors of its use."""
        if self._closed:
            raise store_closed()
        connecting, deadline = asyncio.timeout(seconds), None
        try:
            async with connecting, engine.connect() as connection:
                connecting.reschedule(None)
                # A timeout that cancels would not end: the driver waits for the answer to that.
                terminate = _driver(connection).terminate
                deadline = asyncio.get_running_loop().call_later(seconds, terminate)
                try:
                    yield connection
                except asyncio.CancelledError:
                    terminate()
                    raise
        except _ERRORS as error:
            raise self.faults.translate(error) from error
        finally:
            if deadline is not None:
                deadline.cancel()

    def _note_writer(self, connection: Any, _record: object) -> None:
        self.writers_pid = connection.driver_connection.get_server_pid()

    def _engine(self, connections: int) -> AsyncEngine:
        engine = create_async_engine(
            "postgresql+asyncpg://",
            # The driver parses the whole URL, as other PostgreSQL programs do.
            async_creator=self.connect,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=POOL_SECONDS,
            # Errors are logged, and the parameters may be personal data.
            hide_parameters=True,
        )
        event.listen(engine.sync_engine, "checkout", _refuse_closed)
        event.listen(engine.sync_engine, "close", _terminate)
        return engine


async def call_commit(
    connection: Any, event_number: int, rows: Mapping[str, str | None]
) -> Mapping[str, Any]:
    """Call `quantcloud_commit` by an asyncpg connection, and return its only row."""
    conditions, written = (map(rows.__getitem__, names) for names in (_CONDITIONS, _ROWS))
    return await connection.fetchrow(_COMMIT, _WRITE_LOCK, *conditions, event_number, *written)


def _lock(connection: AlchemyConnection) -> None:
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITE_LOCK})")


def _refuse_closed(connection: Any, _record: object, _proxy: object) -> None:
    """Make the pool replace a connection that PostgreSQL has closed."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def _terminate(connection: Any, _record: object) -> None:
    """End a connection at once: to close it, the driver waits for the database, without limit."""
    connection.driver_connection.terminate()


def _driver(connection: AsyncConnection) -> Any:
    """Return the asyncpg connection behind a connection."""
    return cast("Any", connection.sync_connection).connection.driver_connection


def _migrate(connection: AlchemyConnection) -> None:
    version = connection.dialect.server_version_info or (0,)
    if int(version[0]) < OLDEST_VERSION:
        raise StoreError(f"it has version {version[0]}; use version {OLDEST_VERSION} or newer")
    with connection.begin():
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        migrate(connection)


def redacted(url: str) -> str:
    """Return the URL without its password."""
    try:
        return make_url(url).set(query={}).render_as_string(hide_password=True)
    except ArgumentError:
        return "postgresql://..."
