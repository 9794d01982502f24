"""A claim that committed although it seemed to fail, because the answer to its commit was lost."""

import asyncio
from pathlib import Path

from sqlalchemy import select

from quantcloud.domain.errors import Unavailable
from quantcloud.domain.job import JobStatus
from quantcloud.scheduling import claim_loop
from quantcloud.storage import Store
from quantcloud.storage.database.tables import jobs
from unit.scheduling.served import DEADLINE, Served
from unit.storage.builders import queue


async def test_a_job_whose_claim_lost_its_answer_is_given_back_and_run(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(claim_loop, "RETRY_SECONDS", 0.01)
    store = await Store.open(tmp_path / "store.db")
    real, claims = store.jobs.claim, 0

    async def claim(*arguments, **options):
        nonlocal claims
        claims += 1
        taken = await real(*arguments, **options)
        if claims == 1:
            raise Unavailable("the answer was lost", reason="STORE_UNAVAILABLE")
        return taken

    monkeypatch.setattr(store.jobs, "claim", claim)
    job = await queue(store)
    statuses: list[JobStatus] = []
    ended = asyncio.Event()

    def listen(events):
        statuses.extend(event.job.status for event in events)
        if statuses[-1].is_terminal:
            ended.set()

    store.subscribe(listen)
    served = Served(store)
    served.engine.may_end.set()
    await served.scheduler.start()
    await asyncio.wait_for(ended.wait(), DEADLINE)
    await served.scheduler.stop(0.0)
    assert statuses == ["dispatched", "queued", "dispatched", "running", "completed"]
    # No run was lost, so the job has no losses.
    query = select(jobs.c.losses).where(jobs.c.id == job.id)
    assert await store._database.read(lambda c: c.execute(query).scalar_one()) == 0
    await store.close()
