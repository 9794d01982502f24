"""The costs of the feed: its reads, its memory, and its work per batch."""

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
from unit.watching.world import ADA, NEVER, STATUSES, World, change, changes, now


class Reads:
    """A log and queues that record what was read."""

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


async def test_a_queue_position_is_read_only_if_it_is_sent(world: World):
    """It is read once, and not for an event with later ones in memory or in the log."""
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
    for replay in (feed.watch_job(ADA, job, 0), feed.watch_job(ADA, job, 3)):
        received = [each async for each in replay]
        assert [each.queue_position for each in received] == [None] * len(received)
    (last,) = await changes(everything, 1)
    for event in (last, await change(watch)):
        assert event.job.status is JobStatus.CANCELLED
    for each in (watch, everything):
        await each.aclose()
    assert "queue_position" not in reads.made


async def test_a_replay_reads_only_wanted_events(world: World):
    """The number of other events does not matter; one page would hold 256 events."""
    for _ in range(70):
        await world.advance(await world.submit(), *STATUSES[1:-1])
    job = await world.submit()
    await world.store.jobs.cancel(ADA, job, now())
    reads = Reads(world.store)
    feed = EventFeed(reads, QueueMonitor(reads, 0.0), NEVER)
    watch = feed.watch_account(ADA, 0, EventFilter({JobStatus.CANCELLED}))
    assert [event.job.id for event in await changes(watch, 1)] == [job]
    assert reads.made == ["latest_cursor", "account_after"]
    await watch.aclose()


async def test_a_large_result_is_not_published_in_memory(world: World):
    """Slow readers would keep it in memory; the log has it."""
    job = await world.submit()
    (event,) = await world.store.events.after(ADA, job, 0, 1)
    watch = world.feed.watch_job(ADA, job, None)
    await anext(watch)
    for sequence, outcomes in ((2, 256), (3, 257)):
        counts = {f"{n:010b}": 1 for n in range(outcomes)}
        result = JobResult(job, "b", counts, 1.0)
        world.feed.publish([replace(event, sequence=sequence, result=result)])
        received = await change(watch)
        assert received.result == (result if outcomes == 256 else None)
    await watch.aclose()


async def test_very_many_watchers_are_notified_in_batches(world: World):
    """Other tasks run between the batches."""
    job = await world.submit()
    watches = [world.feed.watch_job(ADA, job, None) for _ in range(500)]
    for watch in watches:
        await anext(watch)
    notified: list[int] = []

    async def follow(number: int, watch: AsyncGenerator[JobUpdate]) -> None:
        async with aclosing(watch):
            await anext(watch)
            notified.append(number)

    following = [asyncio.ensure_future(follow(n, watch)) for n, watch in enumerate(watches)]
    await asyncio.sleep(0)
    (event,) = await world.store.events.after(ADA, job, 0, 1)
    world.feed.publish([replace(event, sequence=2)])
    some = [await asyncio.sleep(0, len(notified)) for _ in range(10)]
    await asyncio.gather(*following)
    assert sorted(notified) == list(range(500))
    assert any(0 < number < 500 for number in some)
