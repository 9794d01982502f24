"""When the store fails or a lease is lost, the reported state is true and no job is left behind."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quantcloud.aio import retry
from quantcloud.domain.account import MonthlyUsage
from quantcloud.domain.errors import Unavailable
from quantcloud.domain.job import JobStatus
from quantcloud.engine.base import ExecutionFailed
from quantcloud.scheduling import start_record
from quantcloud.storage import Store
from unit.scheduling.served import DEADLINE, Served
from unit.storage.builders import T0, new_job, queue


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(tmp_path / "store.db")
    await store.accounts.ensure("alice", at=T0)
    yield store
    await store.close()


@pytest.fixture
async def served(store: Store) -> AsyncIterator[Served]:
    served = Served(store, check_seconds=0.01)
    await served.scheduler.start()
    yield served
    await served.scheduler.stop(0.0)


async def test_an_outage_is_not_charged_to_a_run_that_failed_during_it(
    store: Store, served: Served, monkeypatch
):
    monkeypatch.setattr(start_record, "_WRITE_AFTER_SECONDS", 0.0)
    monkeypatch.setattr(retry, "RETRY_SECONDS", 0.0)
    now = 0.0
    monkeypatch.setattr(start_record, "time", Clock(lambda: now))
    away, advance = asyncio.Event(), store.jobs.advance
    tries = 0

    async def failing(*arguments, **options):
        nonlocal now, tries
        tries += 1
        away.set()
        if tries < 5:
            # One hour per try.
            now += 3600.0
            raise Unavailable("the store is away", reason="STORE_UNAVAILABLE")
        return await advance(*arguments, **options)

    async def execute(_execution, *, time_limit, on_start):
        nonlocal now
        on_start()
        now += 2.0
        # From now on, the record of its start waits for the store.
        store.jobs.advance = failing
        failed = asyncio.get_running_loop().create_future()
        failed.set_exception(ExecutionFailed("no"))
        await failed

    served.engine.execute = execute
    await queue(store)
    job = await asyncio.wait_for(served.ended.get(), DEADLINE)
    assert job.status is JobStatus.FAILED
    assert (await store.accounts.usage("alice", T0)).simulator_seconds == 2.0


class Clock:
    """A `time` module whose monotonic clock a test sets."""

    def __init__(self, monotonic) -> None:
        self.monotonic = monotonic


async def test_a_start_that_could_not_be_written_is_written_with_the_end(
    store: Store, served: Served, monkeypatch
):
    monkeypatch.setattr(start_record, "_WRITE_AFTER_SECONDS", 0.0)
    failed, advance = asyncio.Event(), store.jobs.advance

    async def failing(*_, **__):
        failed.set()
        raise RuntimeError("no lease was lost")

    job = new_job()
    served.engine.may_end.clear()
    store.jobs.advance = failing
    await served.submit(job)
    await asyncio.wait_for(failed.wait(), DEADLINE)
    store.jobs.advance = advance
    served.engine.may_end.set()
    ended = await asyncio.wait_for(served.ended.get(), DEADLINE)
    assert (ended.status, ended.sequence) == (JobStatus.COMPLETED, 7)
    assert served.engine.cancelled.empty()


async def test_a_lease_that_no_run_holds_is_given_back(store: Store, served: Served):
    """The reason does not matter: here, giving back the job failed too."""
    end, requeue = store.jobs.end, store.jobs.requeue

    async def failing(*_, **__):
        store.jobs.end, store.jobs.requeue = end, broken
        raise RuntimeError("the end was not written")

    async def broken(*_, **__):
        store.jobs.requeue = requeue
        raise RuntimeError("nor was it given back")

    store.jobs.end = failing
    served.engine.may_end.set()
    job = new_job()
    await served.submit(job)
    ended = await asyncio.wait_for(served.ended.get(), DEADLINE)
    assert (ended.id, ended.status, ended.attempt) == (job.id, JobStatus.COMPLETED, 2)


async def test_the_check_for_unheld_leases_keeps_the_leases_of_runs(
    store: Store, served: Served, monkeypatch
):
    looked, disown = asyncio.Queue(), store.leases.disown

    async def counted(*arguments):
        given_back = await disown(*arguments)
        looked.put_nowait(given_back)
        return given_back

    monkeypatch.setattr(store.leases, "disown", counted)
    jobs = [new_job() for _ in range(20)]
    for job in jobs:
        await served.submit(job)
    assert [await asyncio.wait_for(looked.get(), DEADLINE) for _ in range(5)] == [[]] * 5
    served.engine.may_end.set()
    ended = [await asyncio.wait_for(served.ended.get(), DEADLINE) for _ in jobs]
    assert {job.attempt for job in ended} == {1}
    assert {job.status for job in ended} == {JobStatus.COMPLETED}


async def test_a_missing_job_is_not_failed_for_used_up_time(
    store: Store, served: Served, monkeypatch
):
    ran = asyncio.Event()
    monkeypatch.setattr("quantcloud.scheduling.runner.simulator_seconds_left", lambda *_: 0)
    end = store.jobs.end

    async def undone(_job_id, *arguments, **options):
        try:
            return await end("00000000-0000-4000-8000-000000000000", *arguments, **options)
        finally:
            ran.set()

    monkeypatch.setattr(store.jobs, "end", undone)
    await queue(store)
    await asyncio.wait_for(ran.wait(), DEADLINE)
    assert (await store.accounts.usage("alice", T0)) == MonthlyUsage(total_jobs=1)
