"""The times of a job's events never go back, even if the servers' clocks differ."""

from quantcloud.domain.job import JobStatus
from quantcloud.storage import Room
from unit.storage.builders import UNLIMITED, at, claim_one, complete, logged, queue, result_of, to


async def test_no_event_is_earlier_than_the_one_before(store):
    job = await queue(store, seconds=100)
    lost = await claim_one(store, seconds=99)
    await store.jobs.requeue(job.id, lost.lease, at(98))
    (claim,) = await store.jobs.claim("server-2", Room(1), at(120), concurrency=UNLIMITED)
    await store.jobs.advance(job.id, [to(JobStatus.RUNNING, 97)], lease=claim.lease)
    end = [to(JobStatus.COMPLETED, 110)]
    await complete(store, job.id, claim.lease, result_of(job), end)
    events = await logged(store, "alice")
    assert [event.occurred_at for event in events] == [
        *[at(100)] * 6, *[at(120)] * 3
    ]  # fmt: skip
    ended = await store.jobs.get("alice", job.id)
    assert (ended.queued_at, ended.started_at, ended.completed_at) == (at(100), at(120), at(120))
    assert ended == events[-1].job


async def test_the_end_of_a_known_run_is_not_earlier_than_its_claim(store):
    job = await queue(store, seconds=100)
    claim = await claim_one(store, seconds=120)
    changes = [to(JobStatus.RUNNING, 90), to(JobStatus.COMPLETED, 80)]
    await complete(store, job.id, claim.lease, result_of(job), changes, known=claim.record)
    assert [event.occurred_at for event in await logged(store, "alice")][-3:] == [at(120)] * 3
