"""A run starts while the transaction of its claim waits for the disk."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from quantcloud.domain.job import JobStatus
from quantcloud.scheduling import scheduler as scheduling
from quantcloud.storage import Store
from unit.scheduling.served import DEADLINE, Served
from unit.storage.builders import T0, new_job, spoil


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    store = await Store.open(tmp_path / "store.db")
    await store.accounts.ensure("alice", at=T0)
    served = Served(store)
    await served.scheduler.start()
    # After one job the store knows how long a claim takes.
    await served.submit(first := new_job())
    served.engine.may_end.set()
    assert await asyncio.wait_for(served.engine.started.get(), DEADLINE) == first.id
    await served.ended.get()
    served.engine.may_end.clear()
    yield served
    await served.scheduler.stop(0.0)
    await store.close()


async def test_a_run_starts_before_its_job_is_durable_and_publishes_after(served, monkeypatch):
    # A slow disk.
    monkeypatch.setattr(served.store._database, "_commit_seconds", 1.0)
    commit, begun = served.store._database._writer.prepared.commit, asyncio.Event()
    loop, held = asyncio.get_running_loop(), []

    def slow_commit() -> float:
        # This runs in the thread that waits for the disk.
        held.append(asyncio.run_coroutine_threadsafe(begun.wait(), loop).result(DEADLINE))
        return commit()

    served.store._database._writer.prepared.commit = slow_commit
    job = new_job()
    submitted = served.submit(job)
    assert await asyncio.wait_for(served.engine.started.get(), DEADLINE) == job.id
    served.engine.may_end.set()
    # The job has run, and no one can see it yet.
    await asyncio.sleep(0)
    assert (await served.store.jobs.list("alice", limit=9, offset=0)).total == 1
    assert served.ended.empty()
    begun.set()
    await submitted
    ended = await asyncio.wait_for(served.ended.get(), DEADLINE)
    assert (ended.id, ended.status, ended.sequence) == (job.id, JobStatus.COMPLETED, 7)
    assert held


async def test_a_run_stops_if_its_claim_does_not_become_durable(served, monkeypatch):
    monkeypatch.setattr(scheduling, "RETRY_SECONDS", 0.01)

    job = new_job()
    submitted = served.submit(job)
    await asyncio.sleep(0)
    spoilt = served.store._writer.submit(spoil, cost=0.0)
    for outcome in await asyncio.gather(spoilt, submitted, return_exceptions=True):
        assert isinstance(outcome, IntegrityError)
    assert await asyncio.wait_for(served.engine.started.get(), DEADLINE) == job.id
    assert await asyncio.wait_for(served.engine.cancelled.get(), DEADLINE) == job.id
    assert (await served.store.jobs.list("alice", limit=9, offset=0)).total == 1
    # The same job runs when it is submitted again, and so do others.
    served.engine.may_end.set()
    await asyncio.gather(served.submit(job), served.submit(new_job()))
    ended = [await asyncio.wait_for(served.ended.get(), DEADLINE) for _ in range(2)]
    assert {each.status for each in ended} == {JobStatus.COMPLETED}
