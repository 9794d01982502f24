"""A run begins while the transaction of its claim waits for the disk."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from quantcloud.backends.base import installed_backends
from quantcloud.backends.fleet import Fleet
from quantcloud.domain.execution import Outcome
from quantcloud.domain.job import Job, JobStatus
from quantcloud.scheduling import scheduler as scheduling
from quantcloud.scheduling.scheduler import Scheduler
from quantcloud.settings import DEFAULT_TIERS
from quantcloud.storage import NewJob, Store, sqlite
from unit.storage.builders import ANALYSIS, QASM, T0, new_job, routed, spoil

PATIENCE = 10


class Engine:
    """Runs what it may, and says what it began on and what was broken off."""

    slots, backlog = 2, 8

    def __init__(self) -> None:
        self.begun: asyncio.Queue[str] = asyncio.Queue()
        self.broken_off: asyncio.Queue[str] = asyncio.Queue()
        self.may_end = asyncio.Event()

    def is_ready(self, backend):
        return True

    def subscribe(self, listener):
        pass

    async def execute(self, execution, *, time_limit, on_start):
        on_start()
        self.begun.put_nowait(execution.job_id)
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.broken_off.put_nowait(execution.job_id)
            raise
        return Outcome({"00": execution.shots}, 1.0)


class Served:
    """A store, an engine, and the scheduler between them, which has claimed before."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.engine = Engine()
        fleet = Fleet(installed_backends(), memory_limit=1 << 30)
        self.scheduler = Scheduler(
            store, self.engine, fleet, owner="server-1", clock=lambda: T0,
            limits=DEFAULT_TIERS.__getitem__,
        )  # fmt: skip
        self.ended: asyncio.Queue[Job] = asyncio.Queue()
        store.subscribe(self._listen)

    def _listen(self, events) -> None:
        for event in events:
            if event.job.status.is_terminal:
                self.ended.put_nowait(event.job)

    def submit(self, job: Job) -> asyncio.Future:
        new = NewJob(job, QASM, ANALYSIS, routed())
        return asyncio.ensure_future(self.store.jobs.create_all([new], max_waiting=None))


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    store = await Store.open(tmp_path / "store.db")
    await store.accounts.ensure("alice", at=T0)
    served = Served(store)
    await served.scheduler.start()
    # How long a claim takes is known then.
    await served.submit(first := new_job())
    served.engine.may_end.set()
    assert await asyncio.wait_for(served.engine.begun.get(), PATIENCE) == first.id
    await served.ended.get()
    served.engine.may_end.clear()
    yield served
    await served.scheduler.stop(0.0)
    await store.close()


async def test_a_run_begins_before_its_job_is_durable_and_tells_of_it_after(served, monkeypatch):
    # A disk that takes its time.
    monkeypatch.setattr(sqlite, "_QUICK_COMMIT_SECONDS", -1.0)
    commit, begun = served.store._database._writer.prepared.commit, asyncio.Event()
    loop, held = asyncio.get_running_loop(), []

    def held_up() -> float:
        # In the thread that waits for the disk.
        held.append(asyncio.run_coroutine_threadsafe(begun.wait(), loop).result(PATIENCE))
        return commit()

    served.store._database._writer.prepared.commit = held_up
    job = new_job()
    submitted = served.submit(job)
    assert await asyncio.wait_for(served.engine.begun.get(), PATIENCE) == job.id
    served.engine.may_end.set()
    # It has run, and nobody knows of it.
    await asyncio.sleep(0)
    assert (await served.store.jobs.list("alice", limit=9, offset=0)).total == 1
    assert served.ended.empty()
    begun.set()
    await submitted
    ended = await asyncio.wait_for(served.ended.get(), PATIENCE)
    assert (ended.id, ended.status, ended.sequence) == (job.id, JobStatus.COMPLETED, 7)
    assert held


async def test_a_run_is_broken_off_where_its_claim_does_not_become_durable(served, monkeypatch):
    monkeypatch.setattr(scheduling, "RETRY_SECONDS", 0.01)

    job = new_job()
    submitted = served.submit(job)
    await asyncio.sleep(0)
    spoilt = served.store._writer.submit(spoil, brief=True)
    for outcome in await asyncio.gather(spoilt, submitted, return_exceptions=True):
        assert isinstance(outcome, IntegrityError)
    assert await asyncio.wait_for(served.engine.begun.get(), PATIENCE) == job.id
    assert await asyncio.wait_for(served.engine.broken_off.get(), PATIENCE) == job.id
    assert (await served.store.jobs.list("alice", limit=9, offset=0)).total == 1
    # Sent again it runs, and so do others.
    served.engine.may_end.set()
    await asyncio.gather(served.submit(job), served.submit(new_job()))
    ended = [await asyncio.wait_for(served.ended.get(), PATIENCE) for _ in range(2)]
    assert {each.status for each in ended} == {JobStatus.COMPLETED}
