"""Queues that move: who is notified, in which order, and that it delays no checkpoint."""

import asyncio
from contextlib import aclosing
from dataclasses import replace

from quantcloud.domain.job import JobStatus
from quantcloud.watching import queues
from quantcloud.watching.feed import EventFeed
from quantcloud.watching.queues import QueueMonitor
from quantcloud.watching.subscription import Subscription
from unit.watching.world import ADA, NEVER, World, change, checkpoint

PATIENCE = 10


async def test_a_queue_that_grows_behind_a_job_does_not_delay_checkpoints(world: World):
    """Its watch wakes each time, but has nothing to send."""
    feed = EventFeed(world.store.events, world.queues, 0.05)
    world.store.subscribe(feed.publish)
    job = await world.submit()
    await world.advance(job, JobStatus.ANALYZING, JobStatus.ROUTING, JobStatus.QUEUED)
    (event,) = await world.store.events.after(ADA, job, 3, 1)
    over = asyncio.Event()

    async def grow() -> None:
        number = 0
        while not over.is_set():
            number += 1
            behind = replace(event.job, id=f"behind-{number}")
            feed.publish([replace(event, job=behind, cursor=event.cursor + number)])
            await asyncio.sleep(0.005)

    growing = asyncio.ensure_future(grow())
    async with aclosing(feed.watch_job(ADA, job, None)) as watch:
        assert (await change(watch)).sequence == 4
        for _ in range(2):
            update = await asyncio.wait_for(checkpoint(watch), PATIENCE)
            assert (update.sequence, update.queue_position) == (4, 1)
    over.set()
    await growing


async def test_readings_of_a_queue_are_published_in_order(world: World):
    """The next reading waits for the current one, however long it takes."""
    job = await world.submit()
    await world.advance(job, JobStatus.ANALYZING, JobStatus.ROUTING, JobStatus.QUEUED)
    (event,) = await world.store.events.after(ADA, job, 3, 1)
    asked: asyncio.Queue[asyncio.Future[dict[str, int]]] = asyncio.Queue()

    class Slow:
        async def queue_position(self, _job) -> int:
            return 3

        async def queue_positions(self, _backend) -> dict[str, int]:
            answer = asyncio.get_running_loop().create_future()
            asked.put_nowait(answer)
            return await answer

    feed = EventFeed(world.store.events, QueueMonitor(Slow(), 0.0), NEVER)
    async with aclosing(feed.watch_job(ADA, job, None)) as watch:
        assert (await anext(watch)).queue_position == 3
        moved = asyncio.ensure_future(anext(watch))
        other = replace(event, job=replace(event.job, id="other", status=JobStatus.DISPATCHED))
        feed.publish([other])
        first = await asyncio.wait_for(asked.get(), PATIENCE)
        feed.publish([other])
        for _ in range(10):
            await asyncio.sleep(0)
        assert asked.empty()
        first.set_result({job: 2})
        assert (await moved).queue_position == 2
        second = await asyncio.wait_for(asked.get(), PATIENCE)
        second.set_result({job: 1})
        assert (await anext(watch)).queue_position == 1


async def test_all_followers_are_notified_of_a_reading_before_the_next(world: World, monkeypatch):
    monkeypatch.setattr(queues, "_NOTIFIED_PER_SECOND", 1e9)
    job = await world.submit()
    await world.advance(job, JobStatus.ANALYZING, JobStatus.ROUTING, JobStatus.QUEUED)
    (event,) = await world.store.events.after(ADA, job, 3, 1)
    notified: asyncio.Queue[int] = asyncio.Queue()
    places = [2, 1]

    class Moving:
        async def queue_position(self, _job) -> int:
            return places[0]

        async def queue_positions(self, _backend) -> dict[str, int]:
            return {job: places.pop(0)}

    class Waiting(Subscription):
        def set_position(self, position: int) -> None:
            notified.put_nowait(position)

    monitor = QueueMonitor(Moving(), 0.0)
    for _ in range(1000):
        monitor.follow(Waiting(), "b", job)
    monitor.notice(event)
    received = [await notified.get()]
    monitor.notice(event)
    received += [await asyncio.wait_for(notified.get(), PATIENCE) for _ in range(1999)]
    assert received == [2] * 1000 + [1] * 1000
