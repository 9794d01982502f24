"""Damaged data or a failure affects only its own job."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from quantcloud.domain.errors import Unavailable
from quantcloud.domain.execution import Noise, RunOptions
from quantcloud.domain.job import Job, JobStatus
from quantcloud.scheduling import claim_loop
from quantcloud.storage import Store
from unit.scheduling.served import DEADLINE, Served
from unit.storage.builders import T0, new_job, queue, routed, submit


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    store = await Store.open(path)
    for account in ("alice", "bob"):
        await store.accounts.ensure(account, at=T0)
    yield store
    await store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def _damage(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(statement, values).rowcount == 1


async def _ended(served: Served, number: int) -> dict[str, Job]:
    async with asyncio.timeout(DEADLINE):
        jobs = [await served.ended.get() for _ in range(number)]
    return {job.id: job for job in jobs}


async def test_an_unreadable_circuit_fails_only_its_job(store: Store, path: Path):
    damaged, whole = await queue(store), await queue(store, "bob")
    _damage(path, "UPDATE job_circuits SET qasm = ? WHERE job_id = ?", b"\0\xff\xfe", damaged.id)
    served = Served(store)
    served.engine.may_end.set()
    await served.scheduler.start()
    # This job is claimed early, in the transaction that stores it.
    coming = new_job("bob")
    await served.submit(coming)
    ended = await _ended(served, 3)
    await served.scheduler.stop(0.0)
    assert ended[damaged.id].status is JobStatus.FAILED
    assert "submit it again" in str(ended[damaged.id].error_message)
    assert {ended[job.id].status for job in (whole, coming)} == {JobStatus.COMPLETED}
    assert await store.jobs.active_count() == 0


async def test_unknown_fields_of_a_newer_server_are_ignored(store: Store, path: Path):
    job = await queue(store, options=RunOptions(memory=True))
    _damage(
        path,
        "UPDATE job_circuits SET analysis = json_set(analysis, '$.newer', 1) WHERE job_id = ?",
        job.id,
    )
    _damage(
        path, "UPDATE jobs SET options = json_set(options, '$.newer', null) WHERE id = ?", job.id
    )
    assert (await store.jobs.get("alice", job.id)).options == RunOptions(memory=True)
    served = Served(store)
    served.engine.may_end.set()
    await served.scheduler.start()
    assert (await _ended(served, 1))[job.id].status is JobStatus.COMPLETED
    await served.scheduler.stop(0.0)


@pytest.mark.parametrize("newer", ["newer", "noise.newer"])
async def test_unknown_options_of_a_newer_server_fail_only_their_job(
    store: Store, path: Path, newer: str
):
    options = RunOptions(noise=Noise(readout=0.1), timeout_seconds=3)
    job, other = await queue(store, options=options), await queue(store, "bob")
    statement = "UPDATE jobs SET options = json_set(options, ?, 0.5) WHERE id = ?"
    _damage(path, statement, f"$.{newer}", job.id)
    assert (await store.jobs.get("alice", job.id)).options == options
    served = Served(store)
    served.engine.may_end.set()
    await served.scheduler.start()
    ended = await _ended(served, 2)
    await served.scheduler.stop(0.0)
    assert ended[other.id].status is JobStatus.COMPLETED
    assert ended[job.id].status is JobStatus.FAILED
    assert str(ended[job.id].error_message).startswith(f"options: {newer} ")


async def test_jobs_of_a_failed_claim_are_claimed_again(store: Store, monkeypatch):
    """A job that arrived meanwhile is claimed too."""
    monkeypatch.setattr(claim_loop, "RETRY_SECONDS", 0.01)
    served = Served(store)
    await served.scheduler.start()
    engine, database, commit = served.engine, store._database, store._database._commit
    later, arrived = new_job("bob"), []

    async def failing_once(connection, **options) -> None:
        database._commit = commit
        arrived.append(served.submit(later))
        raise OperationalError("COMMIT", None, sqlite3.OperationalError("disk I/O error"))

    held = await submit(store)
    await store.jobs.advance(held.id, routed())
    database._commit = failing_once
    engine.may_end.set()
    assert {*await _ended(served, 2)} == {held.id, later.id}
    await arrived[0]
    await served.scheduler.stop(0.0)


async def test_many_failed_claims_cause_one_retry(store: Store, monkeypatch):
    served = Served(store)
    await served.scheduler.start()
    timers: list[float] = []
    loop = asyncio.get_running_loop()
    call_later = loop.call_later

    def noted(delay, callback, *arguments):
        if callback == served.scheduler._claims.notice:
            timers.append(delay)
        return call_later(delay, callback, *arguments)

    async def away(*_, **__):
        raise Unavailable("the disk is full", reason="STORE_UNAVAILABLE")

    monkeypatch.setattr(loop, "call_later", noted)
    monkeypatch.setattr(store._database, "transact", away)
    for _ in range(20):
        with pytest.raises(Unavailable):
            await served.submit(new_job())
    assert len(timers) == 1
    await served.scheduler.stop(0.0)
