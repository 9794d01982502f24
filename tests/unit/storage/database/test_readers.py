"""Reads of a SQLite file: concurrent, cancelled, and during a close."""

import asyncio
import threading

import pytest
from sqlalchemy import text

from quantcloud.domain.errors import Unavailable
from quantcloud.storage import Store
from quantcloud.storage.database.sqlite import READERS, SqliteDatabase

TIMEOUT = 10
# `started` is a function that the test defines.
ENDLESS = text(
    "WITH RECURSIVE n(x) AS (SELECT started() UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
)


class Blocked:
    """Reads that run until `end`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._may_end = threading.Event()
        self._started: asyncio.Queue[None] = asyncio.Queue()

    async def begin(self) -> asyncio.Task[str]:
        loop = asyncio.get_running_loop()

        def work(_connection) -> str:
            loop.call_soon_threadsafe(self._started.put_nowait, None)
            assert self._may_end.wait(TIMEOUT)
            return "read"

        task = asyncio.ensure_future(self._store._database.read(work))
        await asyncio.wait_for(self._started.get(), TIMEOUT)
        return task

    def end(self) -> None:
        self._may_end.set()


async def cancel(database: SqliteDatabase, reading: asyncio.Task) -> list[asyncio.Future]:
    """Cancel a read; return the futures of the reads that still run in threads."""
    running = [*database._readings]
    reading.cancel()
    await asyncio.wait([reading])
    assert reading.cancelled()
    return running


async def test_a_cancelled_read_blocks_no_other(sqlite_store):
    blocked = Blocked(sqlite_store)
    await cancel(sqlite_store._database, await blocked.begin())
    for _ in range(2 * READERS):
        assert await asyncio.wait_for(sqlite_store.jobs.active_count(), TIMEOUT) == 0
    blocked.end()


async def test_the_statement_of_a_cancelled_read_is_interrupted(sqlite_store):
    database = sqlite_store._database
    event, loop = asyncio.Event(), asyncio.get_running_loop()

    def started() -> int:
        loop.call_soon_threadsafe(event.set)
        return 1

    def work(connection) -> None:
        connection.driver_connection.create_function("started", 0, started)
        connection.execute(ENDLESS)

    reading = asyncio.ensure_future(database.read(work))
    await asyncio.wait_for(event.wait(), TIMEOUT)
    running = await cancel(database, reading)
    _, left = await asyncio.wait(running, timeout=TIMEOUT)
    assert not left


async def test_a_read_cancelled_between_two_statements_is_interrupted(sqlite_store):
    database = sqlite_store._database
    between, go_on = threading.Event(), threading.Event()

    def work(connection) -> None:
        connection.driver_connection.create_function("started", 0, lambda: 1)
        between.set()
        assert go_on.wait(TIMEOUT)
        connection.execute(ENDLESS)

    reading = asyncio.ensure_future(database.read(work))
    await asyncio.to_thread(between.wait, TIMEOUT)
    running = await cancel(database, reading)
    go_on.set()
    _, left = await asyncio.wait(running, timeout=TIMEOUT)
    for reader in database._readers:
        reader.prepared.driver_connection.interrupt()
    assert not left


async def test_the_end_of_a_transaction_is_not_interrupted(sqlite_store):
    """Otherwise the connection's next read would run within that transaction."""
    database = sqlite_store._database
    ending, go_on = threading.Event(), threading.Event()

    def wait_at_its_end(statement: str) -> None:
        if statement == "ROLLBACK":
            ending.set()
            go_on.wait(TIMEOUT)

    def work(connection) -> None:
        connection.driver_connection.set_trace_callback(wait_at_its_end)
        raise LookupError

    reading = asyncio.ensure_future(database.read(work))
    await asyncio.to_thread(ending.wait, TIMEOUT)
    running = await cancel(database, reading)
    go_on.set()
    await asyncio.wait(running, timeout=TIMEOUT)
    for _ in range(2 * READERS):
        assert await sqlite_store.jobs.active_count() == 0


async def test_a_read_that_waits_when_the_store_closes_fails(path):
    store = await Store.open(path)
    blocked = Blocked(store)
    reading = [await blocked.begin() for _ in range(READERS)]
    late = asyncio.ensure_future(store.jobs.active_count())
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(store.close())
    await asyncio.sleep(0)
    blocked.end()
    assert await asyncio.gather(*reading) == ["read"] * READERS
    with pytest.raises(Unavailable, match="closed"):
        await asyncio.wait_for(late, TIMEOUT)
    await asyncio.wait_for(closing, TIMEOUT)
