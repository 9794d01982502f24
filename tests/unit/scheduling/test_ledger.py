"""Runs reserve cores and memory, and wait while others hold them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quantcloud.domain.execution import Outcome
from quantcloud.domain.job import Job, JobStatus
from quantcloud.scheduling import ledger
from quantcloud.storage import Store
from unit.scheduling.served import DEADLINE, Served
from unit.storage.builders import T0, new_job

MEMORY = 100
WIDE, NARROW = 60, 10
USERS = ("alice", "bob", "carol")


class Engine:
    """An engine whose runs end one at a time, when the test says so."""

    backlog = 0
    trouble = None

    def __init__(self, slots: int) -> None:
        self.slots = self.cores = slots
        self.running: dict[str, asyncio.Future[None]] = {}
        self.threads: dict[str, int] = {}
        self.started: asyncio.Queue[str] = asyncio.Queue()

    def is_ready(self, backend):
        return True

    def subscribe(self, listener):
        pass

    async def execute(self, execution, *, time_limit, on_start):
        on_start()
        self.threads[execution.job_id] = execution.threads
        may_end = self.running[execution.job_id] = asyncio.get_running_loop().create_future()
        self.started.put_nowait(execution.job_id)
        try:
            await may_end
        finally:
            del self.running[execution.job_id]
        return Outcome({"00": execution.shots}, 1.0)


class Machine(Served):
    """A server with four cores and room for one wide run."""

    def __init__(self, store: Store, **options: float) -> None:
        super().__init__(store, Engine(4), memory_bytes=MEMORY, **options)

    async def started(self, number: int) -> list[str]:
        async with asyncio.timeout(DEADLINE):
            return [await self.engine.started.get() for _ in range(number)]

    async def end(self, job: Job) -> None:
        self.engine.running[job.id].set_result(None)
        ended = await asyncio.wait_for(self.ended.get(), DEADLINE)
        assert (ended.id, ended.status) == (job.id, JobStatus.COMPLETED)

    def is_waiting(self, job: Job) -> bool:
        return job.id not in self.engine.running


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    store = await Store.open(tmp_path / "store.db")
    for user in USERS:
        await store.accounts.ensure(user, at=T0)
    machine = Machine(store)
    await machine.scheduler.start()
    yield machine
    await machine.scheduler.stop(0.0)
    await store.close()


async def test_two_wide_runs_never_meet(machine: Machine):
    first, second = new_job("alice"), new_job("bob")
    await machine.submit(first, memory_bytes=WIDE)
    await machine.submit(second, memory_bytes=WIDE)
    assert await machine.started(1) == [first.id]
    assert (await machine.store.jobs.get("bob", second.id)).status is JobStatus.QUEUED
    await machine.end(first)
    assert await machine.started(1) == [second.id]
    await machine.end(second)


async def test_a_run_holds_its_cores(machine: Machine):
    wide, narrow = new_job("alice"), new_job("bob")
    await machine.submit(wide, cores=3)
    await machine.submit(narrow, cores=2)
    assert await machine.started(1) == [wide.id]
    assert machine.is_waiting(narrow)
    other = new_job("carol")
    await machine.submit(other)
    assert await machine.started(1) == [other.id]
    await machine.end(wide)
    assert await machine.started(1) == [narrow.id]


async def test_small_runs_of_other_accounts_pass_a_job_that_waits_for_memory(machine: Machine):
    held, wide, own, other = (new_job(user) for user in ("alice", "bob", "bob", "carol"))
    await machine.submit(held, memory_bytes=WIDE)
    await machine.started(1)
    await machine.submit(wide, memory_bytes=WIDE)
    # Within an account, jobs start in the order of their submission.
    await machine.submit(own, memory_bytes=NARROW)
    await machine.submit(other, memory_bytes=NARROW)
    assert await machine.started(1) == [other.id]
    assert machine.is_waiting(wide)
    assert machine.is_waiting(own)
    await machine.end(held)
    assert await machine.started(2) == [wide.id, own.id]


async def test_a_job_that_waits_for_memory_is_passed_for_a_while_only(
    machine: Machine, monkeypatch
):
    monkeypatch.setattr(ledger, "_PASS_SECONDS", 0.0)
    held, wide = new_job("alice"), new_job("bob")
    await machine.submit(held, memory_bytes=MEMORY - NARROW)
    await machine.started(1)
    await machine.submit(wide, memory_bytes=WIDE)
    late = [new_job("carol") for _ in range(2)]
    for job in late:
        await machine.submit(job, memory_bytes=NARROW)
    assert [*machine.engine.running] == [held.id]
    await machine.end(held)
    assert await machine.started(3) == [wide.id, *(job.id for job in late)]


async def test_a_job_that_no_longer_fits_runs_alone(machine: Machine):
    """The limit was higher when the job was admitted."""
    small, huge, last = (new_job(user) for user in USERS)
    await machine.submit(small, memory_bytes=NARROW)
    await machine.submit(huge, memory_bytes=2 * MEMORY)
    assert await machine.started(1) == [small.id]
    await machine.end(small)
    assert await machine.started(1) == [huge.id]
    await machine.submit(last, memory_bytes=NARROW)
    assert machine.is_waiting(last)
    await machine.end(huge)
    assert await machine.started(1) == [last.id]


async def test_needs_survive_a_restart(machine: Machine):
    first, second = new_job("alice"), new_job("bob")
    await machine.submit(first, memory_bytes=WIDE)
    await machine.submit(second, memory_bytes=WIDE)
    await machine.started(1)
    await machine.scheduler.stop(0.0)
    again = Machine(machine.store)
    await again.scheduler.start()
    # It is bob's turn.
    assert await again.started(1) == [second.id]
    assert again.is_waiting(first)
    await again.end(second)
    assert await again.started(1) == [first.id]
    await again.scheduler.stop(0.0)


# Runs that gain from any number of threads.
PARALLEL: dict[str, float] = {"parallel": 0.99, "seconds": 10.0}


async def test_a_run_that_gains_takes_the_cores_that_are_idle(machine: Machine):
    other, gains = new_job("alice"), new_job("bob")
    await machine.submit(other, seconds=10.0)
    await machine.submit(gains, **PARALLEL)
    assert set(await machine.started(2)) == {other.id, gains.id}
    assert machine.engine.threads == {other.id: 1, gains.id: 3}
    assert machine.scheduler.idle_threads() == 1
    await machine.end(gains)
    assert machine.scheduler.idle_threads() == 3


async def test_jobs_that_come_later_start_beside_a_run_on_all_cores(machine: Machine):
    gains, *later = (new_job(user) for user in ("alice", "bob", "bob", "bob", "carol"))
    await machine.submit(gains, **PARALLEL)
    await machine.started(1)
    assert machine.engine.threads == {gains.id: 4}
    for job in later:
        await machine.submit(job, **PARALLEL)
    await machine.started(3)
    # All workers are busy now, and nothing is idle.
    assert sorted(machine.engine.threads.values()) == [1, 1, 1, 4]
    await machine.end(gains)
    await machine.started(1)
    assert machine.engine.threads[later[-1].id] == 1


async def test_no_run_takes_cores_that_a_job_waits_for(machine: Machine):
    held, waits, gains = (new_job(user) for user in USERS)
    await machine.submit(held, memory_bytes=WIDE)
    await machine.started(1)
    await machine.submit(waits, memory_bytes=WIDE)
    await machine.submit(gains, **PARALLEL)
    assert await machine.started(1) == [gains.id]
    assert machine.engine.threads[gains.id] == 1
    assert machine.is_waiting(waits)


async def test_runs_that_are_claimed_together_share_the_idle_cores(machine: Machine):
    jobs = [new_job(user) for user in ("alice", "bob")]
    submitted = [machine.submit(job, **PARALLEL) for job in jobs]
    await asyncio.gather(*submitted)
    await machine.started(2)
    assert sorted(machine.engine.threads.values()) == [2, 2]


async def test_a_setting_bounds_the_threads_of_a_run(machine: Machine):
    await machine.scheduler.stop(0.0)
    bounded = Machine(machine.store, threads_per_run=3)
    await bounded.scheduler.start()
    assert bounded.scheduler.idle_threads() == 3
    job = new_job("alice")
    await bounded.submit(job, **PARALLEL)
    await bounded.started(1)
    assert bounded.engine.threads == {job.id: 3}
    await bounded.scheduler.stop(0.0)
