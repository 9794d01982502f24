"""PostgreSQL no longer answers on connections that are open; new connections would work.

A network that drops packets does this, and so does a database that moved to another machine.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress

import asyncpg
import pytest

from quantcloud.domain.errors import Unavailable
from quantcloud.storage import Store, notices
from quantcloud.storage.database import postgres
from support.processes import gone
from unit.storage.builders import T0, create, new_job, routed, submit
from unit.storage.conftest import EMPTY, VERSIONS, Servers

pytestmark = pytest.mark.skipif(not VERSIONS, reason="there is no PostgreSQL here")

_SECONDS = 0.5
# How long a test may wait if it fails.
_MOST_SECONDS = 10
_CONNECTIONS = 2
_PIDS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'quantcloud'"


@pytest.fixture(params=VERSIONS[-1:])
async def url(request, servers: Servers, monkeypatch) -> AsyncIterator[str]:
    monkeypatch.setattr(postgres, "READ_SECONDS", _SECONDS)
    monkeypatch.setattr(postgres, "WRITE_SECONDS", _SECONDS)
    monkeypatch.setattr(notices, "READ_SECONDS", _SECONDS)
    server = await servers.get(request.param)
    yield server.url("store")
    await server.execute(EMPTY, "store")


@asynccontextmanager
async def silent(url: str) -> AsyncIterator[None]:
    """Stop the processes behind all connections that are open; close these before the end."""
    connection = await asyncpg.connect(url)
    pids = {row["pid"] for row in await connection.fetch(_PIDS)}
    await connection.close()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        # They execute what they have received, and find their connections closed.
        assert await asyncio.to_thread(gone, pids, _MOST_SECONDS) == set()


async def _fails(*works: Awaitable[object]) -> None:
    async with asyncio.timeout(_MOST_SECONDS):
        failed = await asyncio.gather(*works, return_exceptions=True)
    assert [type(error) for error in failed] == [Unavailable] * len(works)


async def _use_all(store: Store) -> None:
    """Open all connections that read."""
    await asyncio.gather(*(store.accounts.get("alice") for _ in range(_CONNECTIONS)))


async def test_calls_end_in_time_and_the_next_get_new_connections(url):
    store = await Store.open(url, connections=_CONNECTIONS, poll_seconds=0.1)
    job = await submit(store)
    await _use_all(store)
    async with silent(url):
        await _fails(store.jobs.get("alice", job.id), store.jobs.advance(job.id, routed()))
        async with asyncio.timeout(_MOST_SECONDS):
            await store.jobs.advance(job.id, routed())
            assert (await store.jobs.get("alice", job.id)).sequence > job.sequence
            await store.close()


async def test_a_submission_ends_in_time_and_the_next_gets_a_new_connection(url):
    store = await Store.open(url, connections=_CONNECTIONS, poll_seconds=0.1)
    await store.accounts.ensure("alice", at=T0)
    async with silent(url):
        await _fails(create(store, new_job(), max_waiting=None))
        async with asyncio.timeout(_MOST_SECONDS):
            await create(store, new_job(), max_waiting=None)
            await store.close()


async def test_reads_that_are_cancelled_keep_no_connection(url):
    store = await Store.open(url, connections=_CONNECTIONS, poll_seconds=0.1)
    await store.accounts.ensure("alice", at=T0)
    await _use_all(store)
    async with silent(url):
        reads = [
            asyncio.create_task(work)
            for work in (store.accounts.get("alice"), store._database.fetch("SELECT 1"))
        ]
        await asyncio.wait(reads, timeout=_SECONDS / 5)
        for read in reads:
            read.cancel()
        async with asyncio.timeout(_MOST_SECONDS):
            await asyncio.gather(*reads, return_exceptions=True)
            await _use_all(store)
            await store.close()


async def test_events_of_other_servers_go_on_if_the_connection_that_listens_is_silent(url):
    store = await Store.open(url, connections=_CONNECTIONS, poll_seconds=0.05)
    published: asyncio.Queue[str] = asyncio.Queue()
    store.subscribe(lambda events: [published.put_nowait(event.job.id) for event in events])
    await _use_all(store)
    async with silent(url):
        other = await Store.open(url)
        async with asyncio.timeout(_MOST_SECONDS):
            for _ in range(3):
                job = await submit(other)
                assert await published.get() == job.id
            # Its own events follow those of others.
            with suppress(Unavailable):
                await submit(store)
            job = await submit(store)
            assert await published.get() == job.id
            await other.close()
            await store.close()
