"""A SQLite file on a full disk, or locked by another process."""

import asyncio
import sqlite3

import pytest
from sqlalchemy import text

from quantcloud.domain.errors import Unavailable
from quantcloud.domain.job import JobStatus
from quantcloud.storage import Store
from quantcloud.storage.database import sqlite_file
from unit.storage.builders import ANALYSIS, QASM, T0, create, logged, new_job, routed, submit, to


async def test_a_full_disk_fails_writes_whole_until_there_is_space(path):
    store = await Store.open(path)
    await store.accounts.ensure("alice", at=T0)
    kept = await submit(store)

    def limit(connection, pages: int) -> None:
        with connection.begin():
            connection.execute(text(f"PRAGMA max_page_count={pages}"))

    (pages,) = await store._database.read(lambda c: c.execute(text("PRAGMA page_count")).one())
    await store._database.write(lambda c: limit(c, pages + 2))
    # Hardly compressible, and small enough to be packed on the event loop.
    long = "".join(new_job().id for _ in range(1600))
    big, small = new_job(), new_job()
    outcomes = await asyncio.gather(
        store.jobs.advance(kept.id, [to(JobStatus.ANALYZING)]),
        create(store, big, long, ANALYSIS, max_waiting=None),
        create(store, small, QASM, ANALYSIS, max_waiting=None),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
    assert await store.jobs.get("alice", kept.id) == kept
    assert (await store.jobs.list("alice", limit=9, offset=0)).total == 1
    assert len(await logged(store, "alice")) == 1
    await store._database.write(lambda c: limit(c, 100_000))
    await create(store, big, long, ANALYSIS, max_waiting=None)
    assert (await store.accounts.usage("alice", T0)).total_jobs == 2
    await store.close()


async def test_a_database_locked_for_too_long_is_unavailable_until_it_is_unlocked(
    path, monkeypatch
):
    monkeypatch.setattr(sqlite_file, "BUSY_SECONDS", 0.05)
    store = await Store.open(path)
    job = await submit(store)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable) as caught:
        await store.jobs.advance(job.id, routed())
    assert caught.value.reason == "STORE_UNAVAILABLE"
    assert await store.jobs.get("alice", job.id) == job
    other.execute("ROLLBACK")
    other.close()
    assert len(await store.jobs.advance(job.id, routed())) == 3
    await store.close()
