"""The event feed on a real store: no gap, no duplicate, no reordering, at any reader's pace."""

import asyncio
import random
from itertools import pairwise
from pathlib import Path

import pytest

from quantcloud.domain.errors import InvalidArgument, NotFound, Unavailable
from quantcloud.domain.event_filter import EventFilter
from quantcloud.domain.job import JobStatus
from quantcloud.domain.news import News
from quantcloud.storage import Store
from quantcloud.watching import job_watch, recent
from quantcloud.watching.account_watch import LARGEST_GROUP
from quantcloud.watching.subscription import Subscription
from unit.watching.world import ADA, BOB, STATUSES, World, change, changes, checkpoint, collect, now


async def test_a_live_watch_gets_every_event(world: World):
    job = await world.submit()
    watch = asyncio.create_task(collect(world.feed.watch_job(ADA, job, 0)))
    await world.finish(job)
    events = await watch
    assert [event.job.status for event in events] == STATUSES
    assert [event.sequence for event in events] == [1, 2, 3, 4, 5]
    assert world.feed.watchers == 0


async def test_a_later_watch_gets_every_event(world: World):
    job = await world.submit()
    await world.finish(job)
    events = await collect(world.feed.watch_job(ADA, job, 0))
    assert [event.job.status for event in events] == STATUSES
    latest = await collect(world.feed.watch_job(ADA, job, None))
    assert [event.sequence for event in latest] == [5]
    assert await collect(world.feed.watch_job(ADA, job, 5)) == []


async def test_each_event_is_published_when_it_happens(world: World):
    job = await world.submit()
    events = world.feed.watch_job(ADA, job, None)
    for status in STATUSES[:-1]:
        if status is not JobStatus.SUBMITTED:
            await world.advance(job, status)
        assert (await change(events)).job.status is status
    await events.aclose()
    assert world.feed.watchers == 0


async def test_a_stream_gets_checkpoints_until_the_feed_closes(world: World):
    feed = World(world.store, checkpoint_seconds=0.01).feed
    checkpoints = feed.checkpoints()
    for _ in range(3):
        await anext(checkpoints)
    assert feed.watchers == 1
    feed.close()
    with pytest.raises(Unavailable, match="resume"):
        await anext(checkpoints)
    assert feed.watchers == 0
    with pytest.raises(Unavailable, match="resume"):
        await anext(feed.checkpoints())


async def test_a_brief_watch_gets_the_last_of_concurrent_events(world: World):
    job = await world.submit()
    events = world.feed.watch_job(ADA, job, None, brief=True)
    assert (await change(events)).job.status is JobStatus.SUBMITTED
    # After the brief wait at the start, updates come at once.
    await world.advance(job, JobStatus.ANALYZING, JobStatus.ROUTING, JobStatus.QUEUED)
    assert (await change(events)).sequence == 4
    await world.store.jobs.cancel(ADA, job, now())
    assert [event.sequence for event in await collect(events)] == [5]


async def test_a_brief_watch_waits_briefly_for_the_end(world: World, monkeypatch):
    monkeypatch.setattr(job_watch, "_BRIEF_WAIT_SECONDS", 60)
    job = await world.submit()
    published = asyncio.create_task(collect(world.feed.watch_job(ADA, job, None, brief=True)))
    await world.finish(job)
    assert [event.sequence for event in await published] == [len(STATUSES)]
    # A shutdown does not wait for it.
    other = await world.submit()
    published = asyncio.create_task(collect(world.feed.watch_job(ADA, other, None, brief=True)))
    await asyncio.sleep(0)
    assert world.feed.watchers == 1
    world.feed.close()
    with pytest.raises(Unavailable):
        await published


async def test_a_slow_reader_gets_events_from_the_log(world: World):
    """While the reader pauses, more events arrive than memory holds for it."""
    events = world.feed.watch_account(ADA, None)
    assert not (await anext(events)).events
    jobs = []
    for _ in range(60):
        jobs.append(await world.submit())
        await world.finish(jobs[-1])
    published = await changes(events, 60 * len(STATUSES))
    await events.aclose()
    assert all(a.cursor < b.cursor for a, b in pairwise(published))
    for job in jobs:
        assert [e.job.status for e in published if e.job.id == job] == STATUSES


async def test_disconnects_and_resumes_lose_nothing(world: World):
    """30 watchers on 10 jobs stop at random and resume; each gets every event once."""
    rng = random.Random(7)
    jobs = [await world.submit() for _ in range(10)]

    async def watcher(job: str) -> list[int]:
        received: list[int] = []
        while not received or received[-1] < len(STATUSES):
            events = world.feed.watch_job(ADA, job, received[-1] if received else 0)
            patience = rng.randrange(1, 4)
            async for published in events:
                if published.checkpoint:  # the queue moved
                    continue
                received.append(published.sequence)
                patience -= 1
                if not patience:
                    break
            await events.aclose()
        return received

    async with asyncio.TaskGroup() as tasks:
        watchers = [tasks.create_task(watcher(job)) for job in jobs for _ in range(3)]
        for job in jobs:
            tasks.create_task(world.finish(job))
    for task in watchers:
        assert task.result() == [1, 2, 3, 4, 5]


async def test_an_account_gets_events_of_only_its_own_jobs(world: World):
    events = world.feed.watch_account(ADA, 0)
    mine = await world.submit(ADA)
    await world.submit(BOB)
    also_mine = await world.submit(ADA)
    received = await changes(events, 2)
    await events.aclose()
    assert [event.job.id for event in received] == [mine, also_mine]


async def test_events_that_are_available_together_come_in_one_update(world: World):
    jobs = [await world.submit() for _ in range(40)]
    for job in jobs:
        await world.finish(job)
    log = [event for job in jobs for event in await collect(world.feed.watch_job(ADA, job, 0))]
    log.sort(key=lambda event: event.cursor)
    watch = world.feed.watch_account(ADA, 0)
    updates, left = [], len(log)
    while left:
        updates.append(await anext(watch))
        left -= len(updates[-1].events)
    assert [placed.event for update in updates for placed in update.events] == log
    assert [update.cursor for update in updates] == [u.events[-1].event.cursor for u in updates]
    assert max(len(update.events) for update in updates) == LARGEST_GROUP
    assert len(updates) <= len(log) // LARGEST_GROUP + 1
    # Later events come at once.
    late = await world.submit()
    (placed,) = (await anext(watch)).events
    assert placed.event.job.id == late
    await watch.aclose()


async def test_a_watch_gets_only_wanted_events(world: World):
    for _ in range(3):
        await world.finish(await world.submit())
    wanted = EventFilter(statuses={JobStatus.SUBMITTED, JobStatus.CANCELLED})
    watch = world.feed.watch_account(ADA, 0, wanted)
    received = (await anext(watch)).events
    await watch.aclose()
    assert [each.event.job.status for each in received] == [
        JobStatus.SUBMITTED,
        JobStatus.CANCELLED,
    ] * 3


async def test_a_cursor_resumes_an_accounts_watch(world: World):
    job = await world.submit()
    await world.finish(job)
    log = await collect(world.feed.watch_job(ADA, job, 0))
    resumed = world.feed.watch_account(ADA, log[2].cursor)
    assert await changes(resumed, 2) == log[3:]
    await resumed.aclose()


async def test_a_watch_that_starts_now_begins_with_a_cursor(world: World):
    await world.submit()
    events = world.feed.watch_account(ADA, None)
    first = await anext(events)
    assert not first.events
    await events.aclose()
    missed = await world.submit()
    resumed = world.feed.watch_account(ADA, first.cursor)
    (event,) = await changes(resumed, 1)
    await resumed.aclose()
    assert event.job.id == missed


async def test_events_that_a_filter_hides_do_not_delay_checkpoints(tmp_path: Path):
    store = await Store.open(tmp_path / "quantcloud.db")
    await store.accounts.ensure(ADA, email=None, name=None, at=now())
    world = World(store, checkpoint_seconds=0.05)
    events = world.feed.watch_account(ADA, None, EventFilter(statuses={JobStatus.COMPLETED}))
    start = await anext(events)
    stop = asyncio.Event()

    async def keep_submitting() -> None:
        while not stop.is_set():
            await world.submit()

    busy = asyncio.create_task(keep_submitting())
    later = await anext(events)
    stop.set()
    await busy
    await events.aclose()
    await store.close()
    assert not later.events
    assert later.cursor > start.cursor


async def test_idle_watches_get_checkpoints(tmp_path: Path):
    store = await Store.open(tmp_path / "quantcloud.db")
    await store.accounts.ensure(ADA, email=None, name=None, at=now())
    world = World(store, checkpoint_seconds=0.01)
    job = await world.submit()
    events = world.feed.watch_job(ADA, job, None)
    first = await change(events)
    for _ in range(2):
        quiet = await checkpoint(events)
        assert (quiet.sequence, quiet.event) == (1, None)
    await events.aclose()
    resumed = world.feed.watch_job(ADA, job, 1)
    for event in (first, None):
        quiet = await checkpoint(resumed)
        assert (quiet.sequence, quiet.event) == (1, event)
    await resumed.aclose()
    everything = world.feed.watch_account(ADA, None)
    for _ in range(2):
        assert await anext(everything) == (first.cursor, ())
    await everything.aclose()
    await store.close()


async def test_waiting_jobs_watches_are_notified_when_their_queue_moves(world: World):
    jobs = [await world.submit() for _ in range(3)]
    for job in jobs:
        for status in STATUSES[1:-1]:
            await world.advance(job, status)
    events = world.feed.watch_job(ADA, jobs[-1], None)
    await anext(events)
    for left, job in ((2, jobs[0]), (1, jobs[1])):
        moved = asyncio.ensure_future(anext(events))
        await world.store.jobs.cancel(ADA, job, now())
        published = await moved
        assert (published.checkpoint, published.queue_position, published.sequence) == (
            True,
            left,
            4,
        )
    await events.aclose()
    assert not world.queues._followers


async def test_another_accounts_job_is_not_found(world: World):
    job = await world.submit(ADA)
    with pytest.raises(NotFound):
        await anext(world.feed.watch_job(BOB, job, None))
    assert world.feed.watchers == 0


async def test_a_sequence_or_cursor_beyond_the_last_event_is_refused(world: World):
    job = await world.submit()
    with pytest.raises(InvalidArgument, match="at most 1"):
        await anext(world.feed.watch_job(ADA, job, 2))
    with pytest.raises(InvalidArgument, match="after_cursor"):
        await anext(world.feed.watch_account(ADA, 10**9))


async def test_closing_ends_every_watch(world: World):
    job = await world.submit()
    watches = [world.feed.watch_job(ADA, job, None), world.feed.watch_account(ADA, None)]
    for watch in watches:
        await anext(watch)
    assert world.feed.watchers == 2
    ends = [asyncio.ensure_future(collect(watch)) for watch in watches]
    world.feed.close()
    for ended in await asyncio.gather(*ends, return_exceptions=True):
        assert isinstance(ended, Unavailable)
    assert world.feed.watchers == 0
    with pytest.raises(Unavailable):
        await collect(world.feed.watch_job(ADA, job, None))


async def test_news_are_wanted_while_a_watch_may_need_them(world: World, monkeypatch):
    def wanted(job: str, account: str, backend: str | None = None) -> bool:
        return world.feed.wants(News(job, account, JobStatus.COMPLETED, backend))

    assert not wanted("j", ADA)
    job = await world.submit()
    # A watch that begins now would get the events of the job from memory.
    assert wanted(job, ADA)
    monkeypatch.setattr(recent, "_SECONDS", -1.0)
    assert not wanted(job, ADA)
    events = world.feed.watch_job(ADA, job, None)
    await anext(events)
    assert wanted(job, ADA)
    assert not wanted("j", ADA, "b")
    await events.aclose()
    assert not wanted(job, ADA)
    # A watch of a queued job shows its place in the queue of its backend.
    follower = Subscription()
    world.queues.follow(follower, "b", job)
    assert wanted("j", BOB, "b")
    world.queues.leave(follower, "b")
    assert not wanted("j", BOB, "b")
    account = world.feed.watch_account(BOB, None)
    await anext(account)
    assert wanted("j", BOB)
    assert not wanted("j", ADA)
    await account.aclose()
