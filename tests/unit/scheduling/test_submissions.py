"""A job is stored and claimed in one transaction; so are a run's end and the next claim."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from quantcloud.domain.errors import Unavailable
from quantcloud.domain.job import JobStatus
from quantcloud.domain.news import News
from quantcloud.scheduling import claim_loop
from quantcloud.storage import Store
from unit.scheduling.served import DEADLINE, Served
from unit.storage.builders import T0, new_job, spoil


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    store = await Store.open(tmp_path / "store.db")
    await store.accounts.ensure("alice", at=T0)
    served = Served(store)
    await served.scheduler.start()
    yield served
    await served.scheduler.stop(0.0)
    await store.close()


async def test_a_submission_is_claimed_in_its_transaction(served: Served):
    commits: list[list[JobStatus]] = []
    served.store.subscribe(lambda events: commits.append([event.job.status for event in events]))
    await served.submit(new_job())
    assert commits == [["submitted", "analyzing", "routing", "queued", "dispatched"]]


async def test_the_end_of_a_run_and_the_next_claim_are_one_transaction(served: Served):
    slots = served.engine.slots
    jobs = [new_job() for _ in range(slots + 1)]
    for job in jobs:
        await served.submit(job)
    commits: list[list[tuple[str, str]]] = []
    served.store.subscribe(
        lambda events: commits.append([(event.job.id, event.job.status) for event in events])
    )
    served.engine.may_end.set()
    async with asyncio.timeout(DEADLINE):
        for _ in jobs:
            await served.ended.get()
    # The room of the first run to end goes to the job that waits.
    claimed = next(commit for commit in commits if (jobs[-1].id, "dispatched") in commit)
    assert [job_id for job_id, status in claimed if status == "completed"]


async def test_a_job_whose_transaction_fails_is_not_run(served: Served, monkeypatch):
    monkeypatch.setattr(claim_loop, "RETRY_SECONDS", 0.01)
    job = new_job()
    submitted = served.submit(job)
    await asyncio.sleep(0)
    spoilt = served.store._writer.submit(spoil, cost=0.0)
    for outcome in await asyncio.gather(spoilt, submitted, return_exceptions=True):
        assert isinstance(outcome, Unavailable)
    assert (await served.store.jobs.list("alice", limit=9, offset=0)).total == 0
    # The same job runs when it is submitted again, and so do others.
    served.engine.may_end.set()
    await asyncio.gather(served.submit(job), served.submit(new_job()))
    ended = [await asyncio.wait_for(served.ended.get(), DEADLINE) for _ in range(2)]
    assert {each.status for each in ended} == {JobStatus.COMPLETED}
    assert served.engine.cancelled.empty()


async def test_news_are_wanted_if_they_concern_a_run_or_a_job_that_waits(served: Served):
    def wanted(status: JobStatus, job_id: str = "elsewhere") -> bool:
        return served.store._writer.wants(News(job_id, "alice", status, None))

    served.stop_listening()
    # The first claim, at the start, ends before the second of these.
    for _ in range(2):
        await served.store.leases.heartbeat("server-1", T0)
    assert wanted(JobStatus.QUEUED)
    assert not wanted(JobStatus.DISPATCHED)
    assert not wanted(JobStatus.COMPLETED)
    jobs = [new_job() for _ in range(served.engine.slots + 1)]
    for job in jobs:
        await served.submit(job)
    # This server runs the first jobs, and another may end one of its leases.
    assert wanted(JobStatus.DISPATCHED, jobs[0].id)
    assert not wanted(JobStatus.DISPATCHED, jobs[-1].id)
    # The last job waits, maybe for a run of its account elsewhere.
    assert wanted(JobStatus.COMPLETED)
