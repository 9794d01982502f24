"""Runs under leases: which writes are accepted, and how a run ends."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from quantcloud.domain.account import MonthlyUsage
from quantcloud.domain.errors import FailedPrecondition
from quantcloud.domain.job import (
    InvalidTransitionError,
    JobStatus,
    Lease,
    StaleLeaseError,
)
from quantcloud.storage import Room
from unit.storage.builders import (
    STALE,
    T0,
    at,
    claim_one,
    complete,
    finish,
    queue,
    result_of,
    routed,
    start,
    submit,
    to,
    usage_of,
)


async def _refused(store, job_id, *calls) -> None:
    """Check that none of `calls` changes the job."""
    before = await store.events.latest("alice", job_id)
    for call in calls:
        with pytest.raises(StaleLeaseError):
            await call
    assert await store.events.latest("alice", job_id) == before
    assert await store.jobs.result("alice", job_id) is None
    assert (await store.accounts.usage("alice", T0)).simulator_seconds == 0


def _run_writes(store, job, lease):
    return [
        store.jobs.advance(job.id, [to(JobStatus.RUNNING)], lease=lease),
        complete(
            store, job.id, lease, result_of(job), [to(JobStatus.COMPLETED)], simulator_seconds=1.0
        ),
        store.jobs.end(job.id, lease, [to(JobStatus.FAILED)], usage=usage_of(1.0)),
        store.jobs.requeue(job.id, lease, T0),
    ]


async def test_advance_writes_each_change_as_an_event(store):
    job = await submit(store)
    events = await store.jobs.advance(job.id, routed(1))
    assert [event.sequence for event in events] == [2, 3, 4]
    assert [event.job.status.value for event in events] == ["analyzing", "routing", "queued"]
    assert events[-1].job == await store.jobs.get("alice", job.id)
    assert events[-1].job.queued_at == at(1)
    assert (events[-1].job.backend, events[-1].job.method) == ("local_simulator", "statevector")
    assert [event.job.backend for event in events[:2]] == [None, None]
    assert await store.events.after("alice", job.id, 1, 10) == events
    assert await store.jobs.advance(job.id, []) == []


async def test_advance_is_all_or_nothing(store):
    job = await submit(store)
    with pytest.raises(InvalidTransitionError):
        await store.jobs.advance(job.id, [to(JobStatus.ANALYZING), to(JobStatus.RUNNING)])
    assert await store.jobs.get("alice", job.id) == job
    assert len(await store.events.after("alice", job.id, 0, 10)) == 1


async def test_advance_neither_dispatches_nor_ends_a_run(store):
    job = await queue(store)
    with pytest.raises(ValueError, match="claim"):
        await store.jobs.advance(job.id, [to(JobStatus.DISPATCHED)])
    claim = await start(store)
    for status in (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.TIMEOUT):
        with pytest.raises(ValueError, match="advance"):
            await store.jobs.advance(job.id, [to(status)], lease=claim.lease)
    with pytest.raises(ValueError, match="completes"):
        await complete(store, job.id, claim.lease, result_of(job), [to(JobStatus.FAILED)])
    with pytest.raises(ValueError, match="completes"):
        await store.jobs.end(job.id, claim.lease, [to(JobStatus.CANCELLED)])
    assert (await store.jobs.get("alice", job.id)).status is JobStatus.RUNNING


async def test_only_the_exact_lease_can_write_a_run(store):
    job = await queue(store)
    claim = await claim_one(store)
    real = claim.lease
    for lease in (
        STALE,
        Lease(real.owner, real.attempt, "guess"),
        Lease(real.owner, real.attempt + 1, real.token),
        Lease("server-2", real.attempt, real.token),
    ):
        await _refused(store, job.id, *_run_writes(store, job, lease))
    await _refused(store, job.id, store.jobs.advance(job.id, [to(JobStatus.RUNNING)]))
    await store.jobs.advance(job.id, [to(JobStatus.RUNNING)], lease=real)


async def test_a_job_without_a_lease_accepts_no_lease(store):
    job = await queue(store)
    await _refused(store, job.id, *_run_writes(store, job, STALE))


@pytest.mark.parametrize("how", ["requeue", "recover", "cancel"])
async def test_a_lease_that_ended_cannot_write(store, how):
    job = await queue(store)
    claim = await start(store)
    if how == "requeue":
        await store.jobs.requeue(job.id, claim.lease, T0)
        await start(store)
    elif how == "recover":
        await store.jobs.recover(T0)
    else:
        await store.jobs.cancel("alice", job.id, T0)
    await _refused(store, job.id, *_run_writes(store, job, claim.lease))


async def test_complete_writes_result_event_and_usage_together(store):
    job = await queue(store)
    claim = await start(store, seconds=1)
    event = await complete(
        store,
        job.id,
        claim.lease,
        result_of(job),
        [to(JobStatus.COMPLETED, 2, metadata={"note": 1})],
        simulator_seconds=1.25,
        qpu_tasks=2,
        cost_usd=0.5,
    )
    assert event.job.status is JobStatus.COMPLETED
    assert event.job.completed_at == at(2)
    assert event.job.metadata == {"note": 1}
    assert await store.jobs.get("alice", job.id) == event.job
    assert await store.jobs.result("alice", job.id) == result_of(job)
    # Submitted on the last day of March, ended on the first of April.
    assert await store.accounts.usage("alice", T0) == MonthlyUsage(total_jobs=1)
    assert await store.accounts.usage("alice", at(2)) == MonthlyUsage(1.25, 2, 0, 0.5)


async def test_a_job_completes_once(store):
    job = await queue(store)
    claim = await start(store)
    await finish(store, claim, simulator_seconds=1.0)
    with pytest.raises(StaleLeaseError):
        await finish(store, claim, simulator_seconds=1.0)
    assert (await store.accounts.usage("alice", T0)).simulator_seconds == 1.0
    assert len(await store.events.after("alice", job.id, 0, 20)) == 7


@pytest.mark.parametrize("status", [JobStatus.FAILED, JobStatus.TIMEOUT])
async def test_end_counts_what_the_run_used(store, status):
    job = await queue(store)
    claim = await start(store)
    event = await store.jobs.end(
        job.id,
        claim.lease,
        [to(status, error_message="too slow")],
        usage=usage_of(60.0, 1, 0.25),
    )
    assert (event.job.status, event.job.error_message) == (status, "too slow")
    assert await store.jobs.result("alice", job.id) is None
    assert await store.accounts.usage("alice", T0) == MonthlyUsage(60.0, 1, 1, 0.25)


async def test_the_database_enforces_one_end_and_one_result(store):
    job = await queue(store)
    await finish(store, await start(store))
    event = (
        "INSERT INTO job_events SELECT cursor + 100, job_id, account_id, sequence + {}, "
        "occurred_at, status, backend, method, queued_at, started_at, completed_at, "
        "error_message, metadata, metadata_sequence, attempt, earlier FROM job_events "
        "WHERE status = '{}'"
    )
    for statement in (
        "INSERT INTO job_results SELECT * FROM job_results",
        event.format(0, "running"),
        event.format(1, "completed"),
        "UPDATE jobs SET status = 'running'",
        "UPDATE jobs SET lease_token = 'x'",
    ):

        def write(connection, statement=statement) -> None:
            with connection.begin():
                connection.execute(text(statement))

        with pytest.raises(IntegrityError):
            await store._database.write(write)
    assert (await store.jobs.get("alice", job.id)).status is JobStatus.COMPLETED


@pytest.mark.parametrize("stage", ["submitted", "queued", "dispatched", "running"])
async def test_cancel_ends_a_job_in_any_status(store, stage):
    if stage == "submitted":
        job = await submit(store)
    else:
        job = await queue(store)
        if stage == "dispatched":
            await claim_one(store)
        elif stage == "running":
            await start(store)
    event = await store.jobs.cancel("alice", job.id, at(5))
    assert (event.job.status, event.job.completed_at) == (JobStatus.CANCELLED, at(5))
    assert await store.events.latest("alice", job.id) == event
    assert await store.jobs.cancel("alice", job.id, at(6)) is None
    assert await store.events.latest("alice", job.id) == event
    assert await store.jobs.claim("server-1", Room(5), at(6), concurrency={}) == []


async def test_a_completed_job_cannot_be_cancelled(store):
    job = await queue(store)
    await finish(store, await start(store))
    with pytest.raises(FailedPrecondition, match="completed") as caught:
        await store.jobs.cancel("alice", job.id, T0)
    assert caught.value.reason == "JOB_ALREADY_FINISHED"
    assert caught.value.metadata == {"id": job.id, "status": "completed"}


async def test_cancel_against_complete_has_one_winner(store):
    jobs = [await queue(store) for _ in range(20)]
    claims = [await start(store) for _ in jobs]
    calls = []
    for number, claim in enumerate(claims):
        pair = [finish(store, claim), store.jobs.cancel("alice", claim.job.id, T0)]
        calls += pair[::-1] if number % 2 else pair
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    for number, claim in enumerate(claims):
        first, second = outcomes[2 * number : 2 * number + 2]
        events = await store.events.after("alice", claim.job.id, 6, 10)
        status = events[0].job.status
        assert len(events) == 1
        assert not isinstance(first, Exception)
        if number % 2:
            assert status is JobStatus.CANCELLED
            assert isinstance(second, StaleLeaseError)
        else:
            assert status is JobStatus.COMPLETED
            assert isinstance(second, FailedPrecondition)
        result = await store.jobs.result("alice", claim.job.id)
        assert (result is not None) == (status is JobStatus.COMPLETED)


async def test_requeued_job_keeps_its_place(store):
    first = await queue(store, seconds=1)
    second = await queue(store, seconds=2)
    claim = await start(store, seconds=3)
    assert claim.job.id == first.id
    event = await store.jobs.requeue(first.id, claim.lease, at(4))
    assert (event.job.status, event.job.queued_at) == (JobStatus.QUEUED, at(1))
    assert event.job.started_at is None
    assert await store.jobs.queue_position(second) == 2
    again = await claim_one(store, seconds=5)
    assert (again.job.id, again.lease.attempt) == (first.id, 2)
    assert again.lease.token != claim.lease.token


async def test_a_job_can_be_requeued_any_number_of_times(store):
    job = await queue(store)
    for _ in range(5):
        claim = await start(store)
        await store.jobs.requeue(job.id, claim.lease, T0)
    assert (await store.jobs.get("alice", job.id)).status is JobStatus.QUEUED


async def test_the_third_lost_worker_fails_the_job(store):
    job = await queue(store)
    for _ in range(2):
        claim = await start(store)
        event = await store.jobs.requeue(job.id, claim.lease, T0, lost=True)
        assert event.job.status is JobStatus.QUEUED
    await start(store)
    (event,) = await store.jobs.recover(at(9))
    assert (event.job.status, event.job.attempt) == (JobStatus.FAILED, 3)
    assert event.job.metadata == {"num_qubits": 2, "reason": "WORKER_LOST"}
    assert event.job.error_message == "the worker that ran this job was lost 3 times"
    assert event.job.completed_at == at(9)


async def test_recover_requeues_every_leased_job(store):
    running = await queue(store, seconds=1)
    dispatched = await queue(store, "bob", seconds=2)
    waiting = await queue(store, seconds=3)
    await start(store, seconds=4)
    await claim_one(store, seconds=4)
    events = await store.jobs.recover(at(5))
    assert {event.job.id for event in events} == {running.id, dispatched.id}
    for event in events:
        assert event.job.status is JobStatus.QUEUED
        assert event.job.queued_at in {at(1), at(2)}
        assert event.job.started_at is None
    assert await store.jobs.get("alice", waiting.id) == waiting
    assert await store.jobs.recover(at(6)) == []
