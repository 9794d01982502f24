"""Reads of a SQLite file beside each other, given up, and at the close."""

import asyncio
import threading

import pytest
from sqlalchemy import text

from quantcloud.domain.errors import Unavailable
from quantcloud.storage import Store
from quantcloud.storage.database.sqlite import READERS, SqliteDatabase

PATIENCE = 10
# Tells when it has begun.
ENDLESS = text(
    "WITH RECURSIVE n(x) AS (SELECT tell() UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
)


class Held:
    """Reads that last until they may end."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._may_end = threading.Event()
        self._begun: asyncio.Queue[None] = asyncio.Queue()

    async def begin(self) -> asyncio.Task[str]:
        loop = asyncio.get_running_loop()

        def work(_connection) -> str:
            loop.call_soon_threadsafe(self._begun.put_nowait, None)
            assert self._may_end.wait(PATIENCE)
            return "read"

        task = asyncio.ensure_future(self._store._database.read(work))
        await asyncio.wait_for(self._begun.get(), PATIENCE)
        return task

    def end(self) -> None:
        self._may_end.set()


async def give_up(database: SqliteDatabase, reading: asyncio.Task) -> list[asyncio.Future]:
    """Cancel a read; what is still to be heard of its thread."""
    under_way = [*database._readings]
    reading.cancel()
    await asyncio.wait([reading])
    assert reading.cancelled()
    return under_way


async def test_a_read_that_was_given_up_holds_up_no_other(sqlite_store):
    held = Held(sqlite_store)
    await give_up(sqlite_store._database, await held.begin())
    for _ in range(2 * READERS):
        assert await asyncio.wait_for(sqlite_store.jobs.active_count(), PATIENCE) == 0
    held.end()


async def test_the_statement_of_a_read_that_was_given_up_is_broken_off(sqlite_store):
    database = sqlite_store._database
    begun, loop = asyncio.Event(), asyncio.get_running_loop()

    def tell() -> int:
        loop.call_soon_threadsafe(begun.set)
        return 1

    def work(connection) -> None:
        connection.driver_connection.create_function("tell", 0, tell)
        connection.execute(ENDLESS)

    reading = asyncio.ensure_future(database.read(work))
    await asyncio.wait_for(begun.wait(), PATIENCE)
    under_way = await give_up(database, reading)
    _, left = await asyncio.wait(under_way, timeout=PATIENCE)
    assert not left


async def test_a_read_is_broken_off_though_it_was_given_up_between_two_statements(sqlite_store):
    database = sqlite_store._database
    between, go_on = threading.Event(), threading.Event()

    def work(connection) -> None:
        connection.driver_connection.create_function("tell", 0, lambda: 1)
        between.set()
        assert go_on.wait(PATIENCE)
        connection.execute(ENDLESS)

    reading = asyncio.ensure_future(database.read(work))
    await asyncio.to_thread(between.wait, PATIENCE)
    under_way = await give_up(database, reading)
    go_on.set()
    _, left = await asyncio.wait(under_way, timeout=PATIENCE)
    for reader in database._readers:
        await reader.interrupt()
    assert not left


async def test_the_end_of_a_transaction_is_not_broken_off(sqlite_store):
    """The next read of the connection would find itself within it."""
    database = sqlite_store._database
    ending, go_on = threading.Event(), threading.Event()

    def wait_at_its_end(statement: str) -> None:
        if statement == "ROLLBACK":
            ending.set()
            go_on.wait(PATIENCE)

    def work(connection) -> None:
        connection.driver_connection.set_trace_callback(wait_at_its_end)
        raise LookupError

    reading = asyncio.ensure_future(database.read(work))
    await asyncio.to_thread(ending.wait, PATIENCE)
    under_way = await give_up(database, reading)
    go_on.set()
    await asyncio.wait(under_way, timeout=PATIENCE)
    for _ in range(2 * READERS):
        assert await sqlite_store.jobs.active_count() == 0


async def test_a_read_that_waits_when_the_store_closes_is_told_so(path):
    store = await Store.open(path)
    held = Held(store)
    reading = [await held.begin() for _ in range(READERS)]
    late = asyncio.ensure_future(store.jobs.active_count())
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(store.close())
    await asyncio.sleep(0)
    held.end()
    assert await asyncio.gather(*reading) == ["read"] * READERS
    with pytest.raises(Unavailable, match="closed"):
        await asyncio.wait_for(late, PATIENCE)
    await asyncio.wait_for(closing, PATIENCE)
