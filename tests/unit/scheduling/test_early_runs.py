"""A run begins while the transaction of its claim waits for the disk."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from quantcloud.domain.job import JobStatus
from quantcloud.scheduling import scheduler as scheduling
from quantcloud.storage import Store
from quantcloud.storage.database import sqlite
from unit.scheduling.served import PATIENCE, Served
from unit.storage.builders import T0, new_job, spoil


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
