"""Short runs start on a worker before their jobs are stored."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from quantcloud.backends.runs import execution_of
from quantcloud.domain.account import Tier
from quantcloud.domain.errors import QuotaExceeded, Unavailable
from quantcloud.domain.execution import Outcome
from quantcloud.domain.job import Job, JobStatus
from quantcloud.engine.base import WorkerLost
from quantcloud.routing.method import Method
from quantcloud.scheduling import claim_loop, early_worker_runs
from quantcloud.storage import NewJob, Store
from unit.scheduling.served import DEADLINE, Engine, Served
from unit.storage.builders import ANALYSIS, QASM, T0, new_job, routed, spoil

SHORT = 0.001


@pytest.fixture
async def served(tmp_path: Path, monkeypatch) -> AsyncIterator[Served]:
    monkeypatch.setattr(early_worker_runs, "_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(claim_loop, "RETRY_SECONDS", 0.01)
    store = await Store.open(tmp_path / "store.db")
    for name in ("alice", "bob"):
        await store.accounts.ensure(name, at=T0)
    served = Served(store)
    await served.scheduler.start()
    await asyncio.wait_for(served.scheduler._claims._working or asyncio.sleep(0), DEADLINE)
    yield served
    await served.scheduler.stop(0.0)
    await store.close()


@pytest.fixture
def impatient(monkeypatch) -> None:
    """Runs that no claim takes over are dropped soon."""
    monkeypatch.setattr(early_worker_runs, "_UNCLAIMED_SECONDS", 0.01)


def short_job(account: str = "alice", seconds: float = SHORT, **fields: Any) -> NewJob:
    job = new_job(account, predicted_seconds=seconds, **fields)
    return NewJob(job, QASM, ANALYSIS, routed(), method=Method("statevector", 0, seconds))


def start(served: Served, new: NewJob) -> "asyncio.Task[Outcome | None]":
    execution = execution_of(new.job, "local_simulator", "statevector", new.qasm)
    return asyncio.ensure_future(
        served.scheduler.run_early(
            new, execution, Tier.EXPLORER, time_limit=60.0, on_start=lambda: None
        )
    )


async def started(served: Served) -> str:
    return await asyncio.wait_for(served.engine.started.get(), DEADLINE)


async def ended(served: Served) -> Job:
    return await asyncio.wait_for(served.ended.get(), DEADLINE)


async def until_free(served: Served, *runs: "asyncio.Task[Any]") -> None:
    """Wait until runs have ended, and check that nothing holds a share."""
    await asyncio.wait_for(asyncio.wait(runs), DEADLINE)
    assert not served.scheduler._ledger._runs
    assert served.scheduler.is_idle


def early(served: Served, new: NewJob) -> "asyncio.Task[Outcome]":
    return served.scheduler._early._runs[new.job.id].running


async def test_the_outcome_of_a_short_run_is_there_before_its_job_is_stored(served: Served):
    served.engine.may_end.set()
    outcome = await start(served, short_job())
    assert outcome is not None
    assert outcome.counts == {"00": 1024}
    assert (await served.store.jobs.list("alice", limit=9)).total == 0
    assert served.scheduler.is_idle


async def test_a_claim_takes_over_a_run_that_takes_longer(served: Served):
    new = short_job()
    assert await start(served, new) is None
    await served.scheduler.submit([new], max_waiting=None)
    assert await started(served) == new.job.id
    served.engine.may_end.set()
    assert (await ended(served)).status is JobStatus.COMPLETED
    # It ran once.
    assert served.engine.started.empty()
    assert served.engine.cancelled.empty()
    result = await served.store.jobs.result("alice", new.job.id)
    assert result is not None
    assert result.counts == {"00": 1024}


async def test_a_cancelled_job_cancels_the_run_that_its_claim_took_over(served: Served):
    new = short_job()
    assert await start(served, new) is None
    await served.scheduler.submit([new], max_waiting=None)
    served.engine.may_cancel.clear()
    await served.store.jobs.cancel("alice", new.job.id, T0)
    cancelled = await asyncio.wait_for(served.engine.cancelled.get(), DEADLINE)
    assert cancelled == new.job.id
    run = served.scheduler._runs[new.job.id][1]
    served.engine.may_cancel.set()
    await until_free(served, run)
    assert (await served.store.jobs.get("alice", new.job.id)).status is JobStatus.CANCELLED


@pytest.mark.usefixtures("impatient")
async def test_a_run_whose_job_could_not_be_stored_is_dropped(served: Served):
    new = short_job()
    assert await start(served, new) is None
    running = early(served, new)
    submitted = asyncio.ensure_future(served.scheduler.submit([new], max_waiting=None))
    await asyncio.sleep(0)
    spoilt = served.store._writer.submit(spoil, cost=0.0)
    for outcome in await asyncio.gather(spoilt, submitted, return_exceptions=True):
        assert isinstance(outcome, Unavailable)
    assert await asyncio.wait_for(served.engine.cancelled.get(), DEADLINE) == new.job.id
    await until_free(served, running)
    assert (await served.store.jobs.list("alice", limit=9)).total == 0
    assert served.ended.empty()


@pytest.mark.usefixtures("impatient")
async def test_a_run_beyond_the_quota_is_neither_stored_nor_charged(served: Served):
    new = short_job()
    assert await start(served, new) is None
    running = early(served, new)
    with pytest.raises(QuotaExceeded):
        await served.scheduler.submit([new], max_waiting=0)
    await until_free(served, running)
    assert running.cancelled()
    used = await served.store.accounts.usage("alice", T0.date())
    assert (used.total_jobs, used.simulator_seconds) == (0, 0.0)


async def test_a_caller_that_hangs_up_leaves_the_run_to_end_by_itself(served: Served):
    new = short_job()
    submission = start(served, new)
    await started(served)
    running = early(served, new)
    submission.cancel()
    served.engine.may_end.set()
    await asyncio.wait_for(asyncio.wait((submission, running)), DEADLINE)
    assert not served.scheduler._ledger._runs
    assert served.engine.cancelled.empty()


async def test_a_worker_that_is_lost_is_a_loss_of_its_job(served: Served):
    class Losing(Engine):
        async def execute(self, execution, *, time_limit, on_start):
            on_start()
            raise WorkerLost("it died")

    new, statuses = short_job(), list[JobStatus]()
    served.store.subscribe(lambda events: statuses.extend(event.job.status for event in events))
    served.scheduler._early._engine = Losing()
    assert await start(served, new) is None
    served.engine.may_end.set()
    await served.scheduler.submit([new], max_waiting=None)
    assert (await ended(served)).status is JobStatus.COMPLETED
    assert statuses.count(JobStatus.DISPATCHED) == 2
    assert served.engine.started.qsize() == 1


@pytest.mark.parametrize(
    "change", [{"seconds": 1.0}, {"reserved_qpu_tasks": 1}], ids=["long", "hardware"]
)
async def test_other_runs_do_not_start_early(served: Served, change: dict[str, Any]):
    served.engine.may_end.set()
    assert await start(served, short_job(**change)) is None
    assert served.engine.started.empty()


@pytest.mark.parametrize("jobs", [2, 3])
async def test_nothing_starts_early_behind_long_runs(served: Served, jobs: int):
    for _ in range(jobs):
        await served.scheduler.submit([short_job(seconds=1.0)], max_waiting=None)
    for _ in range(served.engine.slots):
        await started(served)
    assert await start(served, short_job("bob")) is None
    assert served.engine.started.empty()


async def test_an_account_has_no_more_runs_than_its_tier_allows(served: Served):
    new = [short_job() for _ in range(4)]
    first = [start(served, each) for each in new]
    for _ in range(3):
        await started(served)
    assert await first[3] is None
    other = start(served, short_job("bob"))
    await started(served)
    served.engine.may_end.set()
    await asyncio.gather(*first, other)
