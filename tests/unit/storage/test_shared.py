"""Several servers on one PostgreSQL: each publishes every event once and in order."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from quantcloud.domain.account import Tier
from quantcloud.domain.errors import Unavailable
from quantcloud.domain.job import JobEvent, JobStatus
from quantcloud.storage import NewJob, Room, Store, notices
from quantcloud.storage.database import postgres
from quantcloud.storage.notices import Notices
from unit.storage.builders import (
    ANALYSIS,
    QASM,
    T0,
    UNLIMITED,
    new_job,
    queue,
    ran,
    result_of,
    routed,
    submit,
)
from unit.storage.conftest import EMPTY, VERSIONS, Servers
from unit.storage.elsewhere import writing_elsewhere

pytestmark = pytest.mark.skipif(not VERSIONS, reason="there is no PostgreSQL here")


@pytest.fixture(params=VERSIONS[-1:])
async def url(request, servers: Servers) -> AsyncIterator[str]:
    server = await servers.get(request.param)
    yield server.url("store")
    await server.execute(EMPTY, "store")


class Listener:
    """Collects the events that one server publishes."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.events: list[JobEvent] = []
        self._changed = asyncio.Event()
        store.subscribe(self._add)

    def _add(self, events) -> None:
        self.events.extend(events)
        self._changed.set()

    async def until(self, number: int) -> list[int]:
        """Wait for `number` events and return their cursors."""
        async with asyncio.timeout(30):
            while len(self.events) < number:
                self._changed.clear()
                await self._changed.wait()
        return [event.cursor for event in self.events]


async def _three(url: str, poll_seconds: float) -> list[Listener]:
    return [Listener(await Store.open(url, poll_seconds=poll_seconds)) for _ in range(3)]


async def _converge(servers: list[Listener]) -> None:
    for name in ("alice", "bob", "carol"):
        await servers[0].store.accounts.ensure(name, at=T0)

    async def live(server: Listener, name: str) -> None:
        for _ in range(10):
            job = await submit(server.store, name)
            await servers[1].store.jobs.advance(job.id, routed())

    await asyncio.gather(
        *(live(each, name) for each, name in zip(servers, ("alice", "bob", "carol"), strict=True))
    )
    published = [await each.until(30 * 4) for each in servers]
    assert published[0] == sorted(set(published[0]))
    assert published[1] == published[2] == published[0]
    assert servers[1].events == servers[0].events
    for each in servers:
        await each.store.close()


async def test_all_servers_publish_the_same_events(url):
    # Notifications alone must do: the poll would come too late.
    await _converge(await _three(url, 3600))


async def test_lost_notifications_only_cause_a_delay(url, monkeypatch):
    monkeypatch.setattr(Notices, "_notified", lambda *_: None)
    await _converge(await _three(url, 0.05))


async def test_a_large_commit_is_published_elsewhere_in_small_parts(url):
    writer, *others = await _three(url, 0.1)
    await writer.store.accounts.ensure("alice", at=T0)
    sizes: list[int] = []
    others[0].store.subscribe(lambda events: sizes.append(len(events)))
    new = []
    for _ in range(100):
        job = new_job()
        new.append(NewJob(job, QASM, ANALYSIS, ran(), result_of(job)))
    await writer.store.jobs.create_all(new, max_waiting=None)
    published = [await server.until(700) for server in (writer, *others)]
    assert published[0] == published[1] == published[2]
    # A watch buffers at most 256 events.
    assert max(sizes) <= 256
    for server in (writer, *others):
        await server.store.close()


async def test_only_events_that_a_listener_wants_are_read(url, monkeypatch):
    writer = await Store.open(url)
    reader = await Store.open(url, poll_seconds=0.05)
    built, told, published = [], [], asyncio.Queue()
    events_of = notices.events_of
    monkeypatch.setattr(
        notices, "events_of", lambda rows: built.append(len(rows := [*rows])) or events_of(rows)
    )

    def wants(news) -> bool:
        told.append(news)
        return news.account_id == "bob"

    reader.subscribe(lambda events: [published.put_nowait(event) for event in events], wants)
    for account in ("alice", "bob", "alice"):
        job = await submit(writer, account)
        await writer.jobs.advance(job.id, routed())
    async with asyncio.timeout(30):
        events = [await published.get() for _ in range(4)]
        # The news of an event that nobody wants are not told again.
        last = await submit(writer, "bob")
        events.append(await published.get())
    assert {event.job.account_id for event in events} == {"bob"}
    assert events[-1].job == last
    assert [news.account_id for news in told].count("alice") == 4
    assert told[1].status is JobStatus.QUEUED
    assert told[1].backend == "local_simulator"
    assert sum(built) == 3
    for store in (writer, reader):
        await store.close()


async def test_an_unreadable_row_is_published_when_it_is_readable(url, monkeypatch):
    writer, *others = await _three(url, 0.1)
    tried = asyncio.Event()

    def broken(_rows):
        tried.set()
        raise ValueError("damaged")

    with monkeypatch.context() as patch:
        patch.setattr(notices, "events_of", broken)
        await submit(writer.store)
        await tried.wait()
    for server in others:
        assert len(await server.until(1)) == 1
    for server in (writer, *others):
        await server.store.close()


async def test_turns_and_limits_hold_across_servers(url):
    stores = [await Store.open(url) for _ in range(3)]
    for account in ("alice", "bob"):
        for _ in range(5):
            await queue(stores[0], account)
    order = []
    for number in range(4):
        (claim,) = await stores[number % 3].jobs.claim("s", Room(1), T0, concurrency=UNLIMITED)
        order.append(claim.job.account_id)
    assert order == ["alice", "bob", "alice", "bob"]
    limits = dict.fromkeys(Tier, 3)
    taken = await asyncio.gather(
        *(store.jobs.claim("s", Room(9), T0, concurrency=limits) for store in stores)
    )
    assert sum(map(len, taken)) == 2
    for store in stores:
        await store.close()


async def test_an_exhausted_pool_is_unavailable(url, monkeypatch):
    monkeypatch.setattr(postgres, "POOL_SECONDS", 0.05)
    store = await Store.open(url, connections=1)
    async with store._database._read_engine.connect():
        with pytest.raises(Unavailable) as caught:
            await store.accounts.get("alice")
    assert caught.value.reason == "STORE_UNAVAILABLE"
    assert await store.accounts.get("alice") is None
    await store.close()


async def test_a_lock_held_for_too_long_is_unavailable_until_it_is_released(url, monkeypatch):
    monkeypatch.setitem(postgres._SESSION, "lock_timeout", "50")
    store = await Store.open(url)
    async with writing_elsewhere(url):
        with pytest.raises(Unavailable):
            await store.accounts.ensure("alice", at=T0)
    assert (await store.accounts.ensure("alice", at=T0)).id == "alice"
    await store.close()


async def test_lost_connections_are_replaced(url, servers):
    store = await Store.open(url)
    job = await submit(store)
    server = await servers.get(VERSIONS[-1])
    await server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
        "'quantcloud'"
    )
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(10):
        while True:
            try:
                assert await store.jobs.get("alice", job.id) == job
                await store.jobs.advance(job.id, routed())
                break
            except Unavailable:
                await asyncio.sleep(0)
    assert loop.time() > 0
    await store.close()
