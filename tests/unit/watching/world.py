"""A store with a feed on its commits, and what watchers see."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from quantcloud.domain.job import Change, Job, JobEvent, JobStatus, OptimizationTarget
from quantcloud.openqasm import examine
from quantcloud.storage import Store
from quantcloud.watching.feed import EventFeed
from quantcloud.watching.queues import QueueMonitor
from quantcloud.watching.update import AccountUpdate, JobUpdate
from support.circuits import BELL

ADA, BOB = "ada", "bob"
ANALYSIS = examine(BELL)
STORY = [
    JobStatus.SUBMITTED, JobStatus.ANALYZING, JobStatus.ROUTING, JobStatus.QUEUED,
    JobStatus.CANCELLED,
]  # fmt: skip
NEVER = 3600.0


def now() -> datetime:
    return datetime.now(UTC)


class World:
    """A store with accounts, and a feed on its commits."""

    def __init__(
        self, store: Store, checkpoint_seconds: float = NEVER, position_seconds: float = 0.0
    ) -> None:
        self.store = store
        self.queues = QueueMonitor(store.jobs, position_seconds)
        self.feed = EventFeed(store.events, self.queues, checkpoint_seconds)
        store.subscribe(self.feed.publish)

    async def submit(self, account: str = ADA) -> str:
        job = Job(
            id=str(uuid.uuid4()), account_id=account, status=JobStatus.SUBMITTED, shots=1,
            optimize_for=OptimizationTarget.BALANCED, submitted_at=now(), seed=1,
        )  # fmt: skip
        await self.store.jobs.create(job, BELL, ANALYSIS, max_waiting=None)
        return job.id

    async def advance(self, job_id: str, *statuses: JobStatus) -> None:
        """Take a job through changes that are committed together."""
        names = {JobStatus.QUEUED: {"backend": "b", "method": "m"}}
        changes = [Change(status, now(), **names.get(status, {})) for status in statuses]
        await self.store.jobs.advance(job_id, changes)

    async def tell_story(self, job_id: str, account: str = ADA) -> None:
        for status in STORY[1:-1]:
            await self.advance(job_id, status)
        await self.store.jobs.cancel(account, job_id, now())


async def collect(updates: AsyncIterator[JobUpdate]) -> list[JobEvent]:
    return [seen.event async for seen in updates if seen.event and not seen.checkpoint]


async def change(updates: AsyncIterator[JobUpdate]) -> JobEvent:
    """The event of the next sighting, which is no checkpoint."""
    seen = await anext(updates)
    assert seen.event is not None
    assert not seen.checkpoint
    return seen.event


async def changes(updates: AsyncIterator[AccountUpdate], number: int) -> list[JobEvent]:
    """The next events of an account, of which as many come as are asked for, and no checkpoint."""
    seen: list[JobEvent] = []
    while len(seen) < number:
        update = await anext(updates)
        assert update.events
        seen += [event for event, _ in update.events]
    assert len(seen) == number
    return seen


async def checkpoint(updates: AsyncIterator[JobUpdate]) -> JobUpdate:
    seen = await anext(updates)
    assert seen.checkpoint
    return seen
