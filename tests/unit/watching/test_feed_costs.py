"""What the feed reads, keeps and does at a time."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from quantcloud.domain.event_filter import EventFilter
from quantcloud.domain.job import JobResult, JobStatus
from quantcloud.storage import Store
from quantcloud.watching.feed import EventFeed
from quantcloud.watching.queues import QueueMonitor
from quantcloud.watching.update import JobUpdate
from unit.watching.world import ADA, NEVER, STORY, World, change, changes, now


class Reads:
    """A log and queues that tell what was read of them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.made: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        for part in (self._store.events, self._store.jobs):
            if hasattr(part, name):
                self.made.append(name)
                return getattr(part, name)
        raise AttributeError(name)


async def test_a_watch_right_after_the_submission_reads_nothing(world: World):
    reads = Reads(world.store)
    feed = EventFeed(reads, QueueMonitor(reads, 0.0), NEVER)
    world.store.subscribe(feed.publish)
    job = await world.submit()
    for after in (None, 0):
        watch = feed.watch_job(ADA, job, after)
        assert (await change(watch)).sequence == 1
        await watch.aclose()
    assert reads.made == []


async def test_the_place_of_a_queued_job_is_read_only_where_it_matters(world: World):
    """Not for an event that others follow, in memory or in the log; once otherwise."""
    reads = Reads(world.store)
    feed = EventFeed(reads, QueueMonitor(reads, 0.0), NEVER)
    world.store.subscribe(feed.publish)
    job = await world.submit()
    watch = feed.watch_job(ADA, job, None)
    everything = feed.watch_account(ADA, 0)
    assert (await change(watch)).sequence == 1
    assert [event.sequence for event in await changes(everything, 1)] == [1]
    for status in (JobStatus.ANALYZING, JobStatus.ROUTING, JobStatus.QUEUED):
        await world.advance(job, status)
    reads.made.clear()
    for _ in range(2):
        await change(watch)
    assert reads.made == []
    assert (await anext(watch)).queue_position == 1
    update = await anext(everything)
    assert [place for _, place in update.events] == [None, None, 1]
    assert reads.made == ["queue_position", "queue_position"]
    await world.store.jobs.cancel(ADA, job, now())
    reads.made.clear()
    for told in (feed.watch_job(ADA, job, 0), feed.watch_job(ADA, job, 3)):
        seen = [each async for each in told]
        assert [each.queue_position for each in seen] == [None] * len(seen)
    (last,) = await changes(everything, 1)
    for event in (last, await change(watch)):
        assert event.job.status is JobStatus.CANCELLED
    for each in (watch, everything):
        await each.aclose()
    assert "queue_position" not in reads.made


async def test_a_replay_reads_only_what_is_wanted(world: World):
    """However much else there is in between; a page would hold 256 events."""
    for _ in range(70):
        await world.advance(await world.submit(), *STORY[1:-1])
    job = await world.submit()
    await world.store.jobs.cancel(ADA, job, now())
    reads = Reads(world.store)
    feed = EventFeed(reads, QueueMonitor(reads, 0.0), NEVER)
    watch = feed.watch_account(ADA, 0, EventFilter({JobStatus.CANCELLED}))
    assert [event.job.id for event in await changes(watch, 1)] == [job]
    assert reads.made == ["latest_cursor", "account_after"]
    await watch.aclose()


async def test_a_large_result_is_not_handed_over(world: World):
    """Slow readers would keep it; the log has it."""
    job = await world.submit()
    (event,) = await world.store.events.after(ADA, job, 0, 1)
    watch = world.feed.watch_job(ADA, job, None)
    await anext(watch)
    for sequence, outcomes in ((2, 256), (3, 257)):
        counts = {f"{n:010b}": 1 for n in range(outcomes)}
        result = JobResult(job, "b", counts, 1.0)
        world.feed.publish([replace(event, sequence=sequence, result=result)])
        told = await change(watch)
        assert told.result == (result if outcomes == 256 else None)
    await watch.aclose()


async def test_very_many_watchers_are_told_in_turns(world: World):
    """Whoever else has something to do comes in between."""
    job = await world.submit()
    watches = [world.feed.watch_job(ADA, job, None) for _ in range(500)]
    for watch in watches:
        await anext(watch)
    told: list[int] = []

    async def follow(number: int, watch: AsyncGenerator[JobUpdate]) -> None:
        async with aclosing(watch):
            await anext(watch)
            told.append(number)

    following = [asyncio.ensure_future(follow(n, watch)) for n, watch in enumerate(watches)]
    await asyncio.sleep(0)
    (event,) = await world.store.events.after(ADA, job, 0, 1)
    world.feed.publish([replace(event, sequence=2)])
    some = [await asyncio.sleep(0, len(told)) for _ in range(10)]
    await asyncio.gather(*following)
    assert sorted(told) == list(range(500))
    assert any(0 < number < 500 for number in some)
