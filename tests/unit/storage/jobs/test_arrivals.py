"""Jobs that are created and claimed in one transaction, before their rows are written."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from quantcloud.domain.account import MonthlyUsage, Tier
from quantcloud.domain.errors import QuotaExceeded, Unavailable
from quantcloud.domain.job import JobStatus, StaleLeaseError
from quantcloud.storage import JobRecord, NewJob, Room, Store
from quantcloud.storage.database.tables import accounts
from unit.storage.builders import (
    ANALYSIS,
    QASM,
    T0,
    UNLIMITED,
    at,
    complete,
    new_job,
    ran,
    result_of,
    routed,
    spoil,
    stored_circuit,
    to,
)

STORY = ["submitted", "analyzing", "routing", "queued", "dispatched"]
USERS = ("alice", "bob", "carol")


def arrive(store: Store, job, seconds: float = 0, **limits):
    """Submit a queued job to the next transaction; return the future of its creation."""
    new = NewJob(job, QASM, ANALYSIS, routed(seconds))
    return asyncio.ensure_future(store.jobs.create_all([new], **{"max_waiting": None, **limits}))


async def arrivals(store: Store, *jobs, only_arrivals: bool = True, concurrency=UNLIMITED, **room):
    """Create and claim jobs in one transaction; return the claims and the published commits."""
    commits = []
    unsubscribe = store.subscribe(commits.append)
    tasks = [arrive(store, job, number) for number, job in enumerate(jobs)]
    claims = await store.jobs.claim(
        "server-1",
        Room(**{"cores": 9, **room}),
        at(1),
        concurrency=concurrency,
        only_arrivals=only_arrivals,
    )
    await asyncio.gather(*tasks)
    unsubscribe()
    return claims, commits


async def test_a_job_is_claimed_in_the_transaction_that_creates_it(store):
    await store.accounts.ensure("alice", at=T0, tier=Tier.DEVELOPER)
    job = new_job()
    (claim,), commits = await arrivals(store, job)
    assert [[event.job.status for event in commit] for commit in commits] == [STORY]
    assert claim.job.id == job.id
    assert await store.jobs.input_of(claim) == (QASM, ANALYSIS, None)
    assert (claim.tier, claim.used.total_jobs) == (Tier.DEVELOPER, 1)
    assert claim.job == await store.jobs.get("alice", job.id)
    assert (await stored_circuit(store, job.id))[0] == QASM
    log = await store.events.after("alice", job.id, 0, 9)
    assert log == [*commits[0]]
    assert [event.cursor for event in log] == [*range(log[0].cursor, log[0].cursor + 5)]
    # The job's row has the lease.
    await store.jobs.advance(job.id, [to(JobStatus.RUNNING)], lease=claim.lease)


async def test_a_job_that_ran_inline_is_written_with_its_result(store):
    await store.accounts.ensure("alice", at=T0)
    job, waits = new_job(), new_job(seconds=1)
    result = result_of(job, metadata={"seed": 7})
    done = NewJob(job, QASM, ANALYSIS, ran(0, 1), result, simulator_seconds=0.25)
    commits = []
    store.subscribe(commits.append)
    written = asyncio.ensure_future(store.jobs.create_all([done], max_waiting=None))
    claims, _ = await arrivals(store, waits)
    # The completed job is not claimed and takes no slot.
    assert [claim.job.id for claim in claims] == [waits.id]
    (events,) = await written
    assert [event.job.status for event in events] == [*STORY, "running", "completed"]
    assert events == [*commits[0][:7]] == [*await store.events.after("alice", job.id, 0, 9)]
    assert [event.result for event in events] == [None] * 6 + [result]
    last = events[-1].job
    assert last == await store.jobs.get("alice", job.id)
    assert (last.attempt, last.started_at, last.completed_at) == (1, at(0), at(1))
    assert await store.jobs.result("alice", job.id) == result
    # No analysis is stored, because the job will not run.
    assert await stored_circuit(store, job.id) == (QASM, None)
    assert await store.accounts.usage("alice", T0) == MonthlyUsage(0.25, total_jobs=2)
    # The completed job is not counted again.
    assert await store.jobs.recover(at(3)) != []
    assert await store.accounts.usage("alice", T0) == MonthlyUsage(0.25, total_jobs=2)


async def test_a_run_that_ends_in_the_next_month_counts_there(store):
    await store.accounts.ensure("alice", at=T0)
    job = new_job()
    new = NewJob(job, QASM, ANALYSIS, ran(0, 2), result_of(job), simulator_seconds=0.25)
    await store.jobs.create_all([new], max_waiting=None)
    assert await store.accounts.usage("alice", T0) == MonthlyUsage(total_jobs=1)
    assert await store.accounts.usage("alice", at(2)) == MonthlyUsage(0.25)


async def test_a_job_that_has_run_does_not_count_against_the_limit_of_waiting_jobs(store):
    await store.accounts.ensure("alice", at=T0)
    jobs = [new_job(), new_job()]
    ran_before = [NewJob(job, QASM, ANALYSIS, ran(), result_of(job)) for job in jobs]
    waits = [NewJob(new_job(), QASM, ANALYSIS) for _ in range(2)]
    with pytest.raises(QuotaExceeded, match="2 more are requested and the limit is 1"):
        await store.jobs.create_all([*ran_before, *waits], max_waiting=1)
    assert (await store.jobs.list("alice", limit=9, offset=0)).items == []
    await store.jobs.create_all([ran_before[0], waits[0]], max_waiting=1)
    assert await store.jobs.waiting_count("alice") == 1
    await store.jobs.create_all([ran_before[1]], max_waiting=1)
    with pytest.raises(QuotaExceeded, match="the limit is 1"):
        await store.jobs.create_all([waits[1]], max_waiting=1)


@pytest.mark.parametrize("completed", [True, False])
async def test_a_new_job_has_a_result_only_if_it_has_completed(store, completed):
    job = new_job()
    changes, result = (ran(), None) if completed else (routed(), result_of(job))
    with pytest.raises(ValueError, match="result"):
        await store.jobs.create_all(
            [NewJob(job, QASM, ANALYSIS, changes, result)], max_waiting=None
        )


async def test_only_arrivals_claims_jobs_of_its_transaction_alone(store):
    await store.accounts.ensure("alice", at=T0)
    await arrive(store, new_job())
    claims, _ = await arrivals(store, cores=9)
    assert (list(claims), claims.left) == ([], False)
    first = new_job()
    claims, _ = await arrivals(store, first, new_job(), cores=1)
    assert [claim.job.id for claim in claims] == [first.id]
    assert claims.left


async def test_limits_count_the_other_jobs_of_the_same_transaction(store):
    await store.accounts.ensure("alice", at=T0)
    tasks = [arrive(store, new_job(), max_waiting=3) for _ in range(5)]
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [list] * 3 + [QuotaExceeded] * 2
    assert (await store.accounts.usage("alice", T0)).total_jobs == 3
    assert await store.jobs.waiting_count("alice") == 3
    # Claimed jobs do not count as waiting.
    await store.jobs.claim("server-1", Room(2), T0, concurrency=UNLIMITED)
    tasks = [arrive(store, new_job(), max_waiting=3) for _ in range(5)]
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [list] * 2 + [QuotaExceeded] * 3


def count_jobs(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT count(*) FROM jobs").fetchone()[0]


@pytest.fixture(scope="module")
def loop():
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def two_stores(loop, tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")

    async def opened(name: str) -> Store:
        return await Store.open(folder / name)

    stores = [loop.run(opened(name)) for name in ("arrivals.db", "stored.db")]
    yield stores
    for store in stores:
        loop.run(store.close())


submissions = st.lists(
    st.tuples(st.sampled_from(USERS), st.sampled_from([None, 0.001, 0.004, 0.2])),
    min_size=1,
    max_size=12,
)


rooms = st.fixed_dictionaries(
    {
        "cores": st.integers(0, 4),
        "short": st.integers(0, 8),
        "seconds": st.sampled_from([0.0, 0.003, 0.009, 1.0]),
        "concurrency": st.builds(lambda most: dict.fromkeys(Tier, most), st.integers(1, 4)),
    }
)


@given(submitted=submissions, claim=rooms)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_arrivals_are_chosen_like_stored_jobs(loop, two_stores, submitted, claim):

    async def chosen(store: Store, *, only_arrivals: bool):
        jobs = [new_job(user, predicted_seconds=takes) for user, takes in submitted]
        for user in USERS:
            await store.accounts.ensure(user, at=T0)
        if only_arrivals:
            claims, _ = await arrivals(store, *jobs, **claim)
        else:
            await asyncio.gather(*(arrive(store, job, n) for n, job in enumerate(jobs)))
            claims, _ = await arrivals(store, **claim, only_arrivals=False)
        ids = [job.id for job in jobs]
        claimed = [ids.index(each.job.id) for each in claims]
        for job in jobs:
            await store.jobs.cancel(job.account_id, job.id, T0)
        return claimed, claims.left

    first, second = two_stores
    assert loop.run(chosen(first, only_arrivals=True)) == loop.run(
        chosen(second, only_arrivals=False)
    )


async def test_a_claim_fails_if_its_commit_fails(sqlite_store, path):
    store = sqlite_store
    await store.accounts.ensure("alice", at=T0)
    job = new_job()
    failing = store._writer.submit(spoil)
    arriving = arrive(store, job)
    claiming = store.jobs.claim("server-1", Room(1), T0, concurrency=UNLIMITED)
    outcomes = await asyncio.gather(failing, arriving, claiming, return_exceptions=True)
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
    assert count_jobs(path) == 0
    await arrive(store, job)
    assert (await store.jobs.get("alice", job.id)).status is JobStatus.QUEUED


async def test_a_run_can_be_completed_by_its_known_record(store):
    await store.accounts.ensure("alice", at=T0)
    (claim,), _ = await arrivals(store, new_job())
    end = [to(JobStatus.RUNNING, 51), to(JobStatus.COMPLETED, 52)]
    await complete(store, claim.job.id, claim.lease, result_of(claim.job), end, known=claim.record)
    job = await store.jobs.get("alice", claim.job.id)
    assert (job.status, job.sequence, job.started_at) == (JobStatus.COMPLETED, 7, at(51))


async def test_the_known_record_may_be_out_of_date(store):
    await store.accounts.ensure("alice", at=T0)
    (first, second), _ = await arrivals(store, new_job(), new_job())
    await store.jobs.advance(first.job.id, [to(JobStatus.RUNNING, 51)], lease=first.lease)
    await complete(store,
        first.job.id, first.lease, result_of(first.job), [to(JobStatus.COMPLETED, 52)],
        known=first.record,
    )  # fmt: skip
    assert (await store.jobs.get("alice", first.job.id)).sequence == 7
    await store.jobs.cancel("alice", second.job.id, at(51))
    end = [to(JobStatus.RUNNING, 51), to(JobStatus.COMPLETED, 52)]
    known: JobRecord = second.record
    with pytest.raises(StaleLeaseError):
        await complete(store, second.job.id, second.lease, result_of(second.job), end, known=known)
    assert (await store.jobs.get("alice", second.job.id)).status is JobStatus.CANCELLED
    assert await store.jobs.result("alice", second.job.id) is None


async def test_pending_rows_are_written_before_other_units_read(store):
    await store.accounts.ensure("alice", at=T0)
    job = new_job()
    arriving = arrive(store, job)
    cancelled = await store.jobs.cancel("alice", job.id, at(1))
    await arriving
    assert cancelled is not None
    assert cancelled.sequence == 5
    assert (await store.jobs.get("alice", job.id)).status is JobStatus.CANCELLED
    # A unit that writes and then fails does not undo another job.
    other = new_job()

    def half(tx) -> None:
        tx.write(insert(accounts), {"id": "half", "tier": "explorer", "created_at": T0, "turn": 0})
        raise RuntimeError

    arriving = arrive(store, other)
    with pytest.raises(RuntimeError):
        await store._writer.run(half)
    await arriving
    assert (await store.jobs.get("alice", other.id)).sequence == 4
    assert (await stored_circuit(store, other.id))[0] == QASM
    assert (await store.accounts.usage("alice", T0)).total_jobs == 2
