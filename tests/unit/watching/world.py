"""A store with a feed of its commits, and functions that read watches."""

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
from unit.storage.builders import create

ADA, BOB = "ada", "bob"
ANALYSIS = examine(BELL)
STATUSES = [
    JobStatus.SUBMITTED, JobStatus.ANALYZING, JobStatus.ROUTING, JobStatus.QUEUED,
    JobStatus.CANCELLED,
]  # fmt: skip
NEVER = 3600.0


def now() -> datetime:
    return datetime.now(UTC)


class World:
    """A store with accounts, and a feed of its commits."""

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
            optimize_for=OptimizationTarget.BALANCED, submitted_at=now(),
            changed_at=now(), seed=1,
        )  # fmt: skip
        await create(self.store, job, BELL, ANALYSIS, max_waiting=None)
        return job.id

    async def advance(self, job_id: str, *statuses: JobStatus) -> None:
        """Apply changes to a job that are committed together."""
        names = {JobStatus.QUEUED: {"backend": "b", "method": "m"}}
        changes = [Change(status, now(), **names.get(status, {})) for status in statuses]
        await self.store.jobs.advance(job_id, changes)

    async def finish(self, job_id: str, account: str = ADA) -> None:
        for status in STATUSES[1:-1]:
            await self.advance(job_id, status)
        await self.store.jobs.cancel(account, job_id, now())


async def collect(updates: AsyncIterator[JobUpdate]) -> list[JobEvent]:
    return [update.event async for update in updates if update.event and not update.checkpoint]


async def change(updates: AsyncIterator[JobUpdate]) -> JobEvent:
    """Return the event of the next update, which is not a checkpoint."""
    update = await anext(updates)
    assert update.event is not None
    assert not update.checkpoint
    return update.event


async def changes(updates: AsyncIterator[AccountUpdate], number: int) -> list[JobEvent]:
    """Return the next `number` events of an account, which must come without checkpoints."""
    received: list[JobEvent] = []
    while len(received) < number:
        update = await anext(updates)
        assert update.events
        received += [event for event, _ in update.events]
    assert len(received) == number
    return received


async def checkpoint(updates: AsyncIterator[JobUpdate]) -> JobUpdate:
    update = await anext(updates)
    assert update.checkpoint
    return update
