"""The event feed on a real store: no gap, no double, no reorder, whatever the reader's pace."""

import asyncio
import random
from itertools import pairwise
from pathlib import Path

import pytest

from quantcloud.domain.errors import InvalidArgument, NotFound, Unavailable
from quantcloud.domain.event_filter import EventFilter
from quantcloud.domain.job import JobStatus
from quantcloud.storage import Store
from quantcloud.watching import job_watch
from quantcloud.watching.account_watch import LARGEST_GROUP
from unit.watching.world import ADA, BOB, STORY, World, change, changes, checkpoint, collect, now


async def test_the_whole_story_is_told_live(world: World):
    job = await world.submit()
    watch = asyncio.create_task(collect(world.feed.watch_job(ADA, job, 0)))
    await world.tell_story(job)
    events = await watch
    assert [event.job.status for event in events] == STORY
    assert [event.sequence for event in events] == [1, 2, 3, 4, 5]
    assert world.feed.watchers == 0


async def test_the_whole_story_is_told_afterwards(world: World):
    job = await world.submit()
    await world.tell_story(job)
    events = await collect(world.feed.watch_job(ADA, job, 0))
    assert [event.job.status for event in events] == STORY
    latest = await collect(world.feed.watch_job(ADA, job, None))
    assert [event.sequence for event in latest] == [5]
    assert await collect(world.feed.watch_job(ADA, job, 5)) == []


async def test_each_event_comes_as_it_happens(world: World):
    job = await world.submit()
    events = world.feed.watch_job(ADA, job, None)
    for status in STORY[:-1]:
        if status is not JobStatus.SUBMITTED:
            await world.advance(job, status)
        assert (await change(events)).job.status is status
    await events.aclose()
    assert world.feed.watchers == 0


async def test_beats_come_in_the_time_of_checkpoints_until_the_feed_closes(world: World):
    feed = World(world.store, checkpoint_seconds=0.01).feed
    beats = feed.beats()
    for _ in range(3):
        await anext(beats)
    assert feed.watchers == 1
    feed.close()
    with pytest.raises(Unavailable, match="resume"):
        await anext(beats)
    assert feed.watchers == 0
    with pytest.raises(Unavailable, match="resume"):
        await anext(feed.beats())


async def test_a_brief_watch_has_the_last_of_what_came_together(world: World):
    job = await world.submit()
    events = world.feed.watch_job(ADA, job, None, brief=True)
    assert (await change(events)).job.status is JobStatus.SUBMITTED
    # Longer than a moment after its beginning it is told at once.
    await world.advance(job, JobStatus.ANALYZING, JobStatus.ROUTING, JobStatus.QUEUED)
    assert (await change(events)).sequence == 4
    await world.store.jobs.cancel(ADA, job, now())
    assert [event.sequence for event in await collect(events)] == [5]


async def test_a_brief_watch_waits_a_moment_for_the_end(world: World, monkeypatch):
    monkeypatch.setattr(job_watch, "_BRIEF_WAIT_SECONDS", 60)
    job = await world.submit()
    told = asyncio.create_task(collect(world.feed.watch_job(ADA, job, None, brief=True)))
    await world.tell_story(job)
    assert [event.sequence for event in await told] == [len(STORY)]
    # The server does not wait for it.
    other = await world.submit()
    told = asyncio.create_task(collect(world.feed.watch_job(ADA, other, None, brief=True)))
    await asyncio.sleep(0)
    assert world.feed.watchers == 1
    world.feed.close()
    with pytest.raises(Unavailable):
        await told


async def test_a_slow_reader_is_fed_from_the_log(world: World):
    """More events than memory holds for it come while the reader looks away."""
    events = world.feed.watch_account(ADA, None)
    assert not (await anext(events)).events
    jobs = []
    for _ in range(60):
        jobs.append(await world.submit())
        await world.tell_story(jobs[-1])
    told = await changes(events, 60 * len(STORY))
    await events.aclose()
    assert all(a.cursor < b.cursor for a, b in pairwise(told))
    for job in jobs:
        assert [e.job.status for e in told if e.job.id == job] == STORY


async def test_disconnects_and_resumes_lose_nothing(world: World):
    """30 watchers on 10 jobs hang up at random and resume; each sees every event once."""
    rng = random.Random(7)
    jobs = [await world.submit() for _ in range(10)]

    async def watcher(job: str) -> list[int]:
        seen: list[int] = []
        while not seen or seen[-1] < len(STORY):
            events = world.feed.watch_job(ADA, job, seen[-1] if seen else 0)
            patience = rng.randrange(1, 4)
            async for told in events:
                if told.checkpoint:  # the queue moved
                    continue
                seen.append(told.sequence)
                patience -= 1
                if not patience:
                    break
            await events.aclose()
        return seen

    async with asyncio.TaskGroup() as tasks:
        watchers = [tasks.create_task(watcher(job)) for job in jobs for _ in range(3)]
        for job in jobs:
            tasks.create_task(world.tell_story(job))
    for task in watchers:
        assert task.result() == [1, 2, 3, 4, 5]


async def test_an_account_sees_its_own_jobs_only(world: World):
    events = world.feed.watch_account(ADA, 0)
    mine = await world.submit(ADA)
    await world.submit(BOB)
    also_mine = await world.submit(ADA)
    seen = await changes(events, 2)
    await events.aclose()
    assert [event.job.id for event in seen] == [mine, also_mine]


async def test_what_is_there_together_comes_together(world: World):
    jobs = [await world.submit() for _ in range(40)]
    for job in jobs:
        await world.tell_story(job)
    log = [event for job in jobs for event in await collect(world.feed.watch_job(ADA, job, 0))]
    log.sort(key=lambda event: event.cursor)
    watch = world.feed.watch_account(ADA, 0)
    updates, left = [], len(log)
    while left:
        updates.append(await anext(watch))
        left -= len(updates[-1].events)
    assert [seen.event for update in updates for seen in update.events] == log
    assert [update.cursor for update in updates] == [u.events[-1].event.cursor for u in updates]
    assert max(len(update.events) for update in updates) == LARGEST_GROUP
    assert len(updates) <= len(log) // LARGEST_GROUP + 1
    # What comes then comes at once.
    late = await world.submit()
    (seen,) = (await anext(watch)).events
    assert seen.event.job.id == late
    await watch.aclose()


async def test_a_watch_has_only_what_is_wanted(world: World):
    for _ in range(3):
        await world.tell_story(await world.submit())
    wanted = EventFilter(statuses={JobStatus.SUBMITTED, JobStatus.CANCELLED})
    watch = world.feed.watch_account(ADA, 0, wanted)
    seen = (await anext(watch)).events
    await watch.aclose()
    assert [each.event.job.status for each in seen] == [
        JobStatus.SUBMITTED,
        JobStatus.CANCELLED,
    ] * 3


async def test_a_cursor_resumes_the_account(world: World):
    job = await world.submit()
    await world.tell_story(job)
    log = await collect(world.feed.watch_job(ADA, job, 0))
    resumed = world.feed.watch_account(ADA, log[2].cursor)
    assert await changes(resumed, 2) == log[3:]
    await resumed.aclose()


async def test_a_watch_that_starts_now_tells_where_to_resume(world: World):
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


async def test_what_a_filter_hides_keeps_no_checkpoint_away(tmp_path: Path):
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


async def test_quiet_times_have_checkpoints(tmp_path: Path):
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


async def test_a_queue_that_moves_is_told_to_those_who_wait(world: World):
    jobs = [await world.submit() for _ in range(3)]
    for job in jobs:
        for status in STORY[1:-1]:
            await world.advance(job, status)
    events = world.feed.watch_job(ADA, jobs[-1], None)
    await anext(events)
    for left, job in ((2, jobs[0]), (1, jobs[1])):
        moved = asyncio.ensure_future(anext(events))
        await world.store.jobs.cancel(ADA, job, now())
        told = await moved
        assert (told.checkpoint, told.queue_position, told.sequence) == (True, left, 4)
    await events.aclose()
    assert not world.queues._followers


async def test_another_accounts_job_is_not_found(world: World):
    job = await world.submit(ADA)
    with pytest.raises(NotFound):
        await anext(world.feed.watch_job(BOB, job, None))
    assert world.feed.watchers == 0


async def test_what_was_never_reached_is_refused(world: World):
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
