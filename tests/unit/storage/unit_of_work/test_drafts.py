"""Drafts: on PostgreSQL a submission, or the end of a run, is one call that holds the lock."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import event

from quantcloud.domain.account import MonthlyLimits, MonthlyUsage, Tier
from quantcloud.domain.errors import AlreadyExists, QuotaExceeded
from quantcloud.domain.job import Change, InvalidTransitionError, JobStatus, StaleLeaseError
from quantcloud.storage import IdempotencyKey, NewJob, Room, Store
from quantcloud.storage.unit_of_work.transaction import WAITING
from unit.storage.builders import (
    ANALYSIS,
    QASM,
    T0,
    claim_one,
    complete,
    create,
    logged,
    new_job,
    queue,
    ran,
    result_of,
    routed,
    start,
    submit,
    to,
)
from unit.storage.conftest import EMPTY, VERSIONS, Servers

pytestmark = pytest.mark.skipif(not VERSIONS, reason="there is no PostgreSQL here")
LIMITS = MonthlyLimits(simulator_minutes=1.0, qpu_tasks=2, credits_usd=1.0)


@pytest.fixture(params=VERSIONS)
async def url(request, servers: Servers) -> AsyncIterator[str]:
    server = await servers.get(request.param)
    yield server.url("store")
    await server.execute(EMPTY, "store")


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    opened = await Store.open(url)
    await opened.accounts.ensure("alice", at=T0)
    yield opened
    await opened.close()


class _Calls:
    """Counts a store's transactions that read, and its calls with drafts."""

    def __init__(self, store: Store) -> None:
        self.transactions = self.drafts = 0
        self._apply = store._writer._apply
        store._writer._apply = self._counted
        event.listen(store._database._write_engine.sync_engine, "begin", self._begun)

    def _begun(self, _connection) -> None:
        self.transactions += 1

    async def _counted(self, *draft):
        self.drafts += 1
        return await self._apply(*draft)


def _completed(**fields) -> NewJob:
    job = new_job(**fields)
    return NewJob(job, QASM, ANALYSIS, ran(), result_of(job), 0.5)


async def _submit(store: Store, *new: NewJob, key: str | None = None, **options):
    options = {"max_waiting": 9, "monthly": LIMITS, **options}
    named = None if key is None else IdempotencyKey(key, b"digest")
    return await store.jobs.create_all(new, key=named, **options)


async def test_submissions_of_one_moment_are_one_call(store):
    published = []
    store.subscribe(published.extend)
    calls = _Calls(store)
    new = [_completed(tags=(f"{number}", "ä\n\U0001f600")) for number in range(9)]
    created = await asyncio.gather(
        *(_submit(store, each, key=str(number)) for number, each in enumerate(new))
    )
    assert (calls.transactions, calls.drafts) == (0, 1)
    assert published == [event for (events,) in created for event in events]
    assert [event.cursor for event in published] == [*range(1, 9 * 7 + 1)]
    assert [*await logged(store, "alice")] == published
    for each, (events,) in zip(new, created, strict=True):
        assert await store.jobs.get("alice", each.job.id) == events[-1].job
        assert await store.jobs.result("alice", each.job.id) == each.result
    assert await store.accounts.usage("alice", T0) == MonthlyUsage(4.5, 0, 9, 0.0)


async def test_the_end_of_a_run_is_one_call(store):
    job = await queue(store)
    claim = await start(store)
    known = replace(claim.record, job=await store.jobs.get("alice", job.id))
    calls = _Calls(store)
    result, changes = result_of(job), [to(JobStatus.COMPLETED, metadata={"ran": "ü"})]
    end = await complete(
        store, job.id, claim.lease, result, changes, known=known, simulator_seconds=2.0
    )
    assert (calls.transactions, calls.drafts) == (0, 1)
    assert await store.jobs.get("alice", job.id) == end.job
    assert (await logged(store, "alice"))[-1] == end
    assert await store.jobs.result("alice", job.id) == result
    assert (await store.accounts.usage("alice", T0)).simulator_seconds == 2.0


async def test_the_start_of_a_run_is_one_call(store):
    job = await queue(store)
    claim = await claim_one(store)
    calls = _Calls(store)
    started = [to(JobStatus.RUNNING)]
    options = {"lease": claim.lease, "known": claim.record}
    (event,) = await store.jobs.advance(job.id, started, **options)
    assert (calls.transactions, calls.drafts) == (0, 1)
    assert (await logged(store, "alice"))[-1] == event
    # As after a lost answer: the second try finds what the first one wrote.
    with pytest.raises(InvalidTransitionError) as caught:
        await store.jobs.advance(job.id, started, **options)
    assert caught.value.present is JobStatus.RUNNING


async def test_drafts_go_before_a_claim_of_stored_jobs(store):
    first, second = await queue(store), await queue(store, seconds=1)
    claim = await start(store)
    known = replace(claim.record, job=await store.jobs.get("alice", first.id))
    calls = _Calls(store)
    packed = await store.jobs.pack(result_of(first))
    done = [to(JobStatus.COMPLETED)]
    # These calls submit at once, so they are one batch.
    _, claimed, created = await asyncio.gather(
        store.jobs.end(first.id, claim.lease, done, result=packed, known=known),
        store.jobs.claim("s", Room(1), T0, concurrency=dict.fromkeys(Tier, 1)),
        store.jobs.create_all([_completed()], max_waiting=9),
    )
    assert [each.job.id for each in claimed] == [second.id]
    assert created[0][-1].job.status is JobStatus.COMPLETED
    # The claim alone reads. It sees the end, or the account would have no place.
    assert (calls.transactions, calls.drafts) == (1, 1)


async def test_a_lost_lease_is_refused_and_delays_nobody(store):
    job = await queue(store)
    claim = await start(store)
    known = replace(claim.record, job=await store.jobs.get("alice", job.id))
    await store.jobs.requeue(job.id, claim.lease, T0)
    calls = _Calls(store)
    done = [to(JobStatus.COMPLETED)]
    ended, created = await asyncio.gather(
        complete(store, job.id, claim.lease, result_of(job), done, known=known),
        _submit(store, _completed()),
        return_exceptions=True,
    )
    assert isinstance(ended, StaleLeaseError)
    assert created[0][-1].job.status is JobStatus.COMPLETED
    # The submission alone is drafted again. The end reads what became of its lease.
    assert (calls.transactions, calls.drafts) == (1, 2)


@pytest.mark.parametrize("status", sorted(WAITING))
async def test_jobs_that_wait_count_against_the_limit(store, status):
    steps: list[Change] = []
    for change in routed():
        if status in {JobStatus.SUBMITTED, *(step.status for step in steps)}:
            break
        steps.append(change)
    job = await submit(store)
    if steps:
        await store.jobs.advance(job.id, steps)
    assert (await store.jobs.get("alice", job.id)).status is status
    calls = _Calls(store)
    new = [NewJob(new_job(), QASM, ANALYSIS) for _ in range(4)]
    outcomes = await asyncio.gather(
        *(_submit(store, each, max_waiting=3) for each in new), return_exceptions=True
    )
    # The condition is the account's, so all its submissions are tried in order.
    assert [type(outcome) for outcome in outcomes] == [list, list, QuotaExceeded, QuotaExceeded]
    assert (calls.transactions, calls.drafts) == (1, 1)


@pytest.mark.parametrize(
    ("used", "asked"),
    [
        (MonthlyUsage(simulator_seconds=60.0), {}),
        (MonthlyUsage(qpu_tasks=2), {"reserved_qpu_tasks": 1}),
        (MonthlyUsage(total_cost_usd=0.6), {"reserved_cost_usd": 0.5}),
    ],
)
async def test_the_month_counts_against_the_limits(store, used, asked):
    new = NewJob(new_job(**asked), QASM, ANALYSIS)
    await _submit(store, new)
    spent = new_job(reserved_qpu_tasks=used.qpu_tasks, reserved_cost_usd=used.total_cost_usd)
    whole = NewJob(spent, QASM, ANALYSIS, ran(), result_of(spent), used.simulator_seconds)
    await _submit(store, whole, monthly=None)
    with pytest.raises(QuotaExceeded):
        await _submit(store, NewJob(new_job(**asked), QASM, ANALYSIS))


async def test_what_a_draft_adds_counts_against_its_own_limits(store):
    new = [NewJob(new_job(reserved_qpu_tasks=1), QASM, ANALYSIS) for _ in range(4)]
    outcomes = await asyncio.gather(*(_submit(store, each) for each in new), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [list, list, QuotaExceeded, QuotaExceeded]


async def test_a_key_is_used_once(store):
    calls = _Calls(store)
    first, second = await asyncio.gather(*(_submit(store, _completed(), key="k") for _ in "ab"))
    (again,) = await _submit(store, _completed(), key="k")
    assert first[0][0] == second[0][0] == again[0]
    with pytest.raises(AlreadyExists):
        await store.jobs.create_all(
            [_completed()], max_waiting=9, key=IdempotencyKey("k", b"another")
        )
    # Both later requests were refused, and then read.
    assert (calls.transactions, calls.drafts) == (3, 3)


async def test_events_between_a_draft_and_the_next_transaction_are_published(store, url):
    """One batch makes a draft and a transaction, and another server writes in between."""
    job = await submit(store)
    other = await Store.open(url)
    published = []
    store.subscribe(published.extend)
    apply = store._writer._apply

    async def then_elsewhere(*draft):
        applied = await apply(*draft)
        await submit(other)
        return applied

    store._writer._apply = then_elsewhere
    await asyncio.gather(_submit(store, _completed()), store.jobs.advance(job.id, routed()))
    assert [event.cursor for event in published] == [*range(2, 2 + 7 + 1 + 3)]
    await other.close()


async def test_a_large_value_is_not_drafted(store):
    calls = _Calls(store)
    counts = {f"{number:022b}": number + 1 for number in range(300_000)}
    job = new_job()
    whole = NewJob(job, QASM, ANALYSIS, ran(), result_of(job, counts=counts))
    await _submit(store, whole)
    assert (calls.transactions, calls.drafts) == (1, 0)
    result = await store.jobs.result("alice", job.id)
    assert result is not None
    assert result.counts == counts


async def test_the_wait_for_the_lock_is_measured(store, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "quantcloud.storage.database.postgres.commits.observe", lambda *times: seen.append(times)
    )
    await create(store, new_job(), max_waiting=None)
    (times,) = seen
    assert [*times] == sorted(times)
