"""Monthly limits hold in the transaction that creates a job; usage is counted once."""

import asyncio
from dataclasses import replace

import pytest

from quantcloud.domain.account import MonthlyLimits, MonthlyUsage, Tier
from quantcloud.domain.errors import QuotaExceeded
from quantcloud.domain.execution import RunOptions
from quantcloud.domain.job import JobStatus
from quantcloud.storage import Room, Store
from unit.storage import builders
from unit.storage.builders import (
    T0,
    at,
    claim_one,
    finish,
    new_job,
    queue,
    start,
    submit,
    to,
)

LIMITS = MonthlyLimits(simulator_minutes=1.0, qpu_tasks=3, credits_usd=10.0)
APRIL = at(2)
THREE = dict.fromkeys(Tier, 3)


async def create(store: Store, limits: MonthlyLimits = LIMITS, **fields) -> None:
    await builders.create(store, new_job(**fields), max_waiting=None, monthly=limits)


async def concurrently(number: int, make) -> list[QuotaExceeded]:
    """Make `number` submissions concurrently; return the refusals."""
    outcomes = await asyncio.gather(*(make() for _ in range(number)), return_exceptions=True)
    refused = [outcome for outcome in outcomes if outcome is not None]
    assert all(isinstance(error, QuotaExceeded) for error in refused), refused
    return refused


async def test_one_of_fifty_submissions_gets_the_months_last_task(store):
    await store.accounts.ensure("alice", at=T0)
    for _ in range(2):
        await create(store, reserved_qpu_tasks=1)
    refused = await concurrently(50, lambda: create(store, reserved_qpu_tasks=1))
    assert len(refused) == 49
    assert refused[0].message == (
        "qpu_tasks: 3 of the month's 3 tasks on quantum hardware are used, 1 more is requested; "
        "it resets at 2025-04-01T00:00:00Z"
    )
    assert refused[0].metadata == {
        "limit": "qpu_tasks", "maximum": "3", "used": "3", "requested": "1",
        "resets_at": "2025-04-01T00:00:00Z",
    }  # fmt: skip
    assert await store.accounts.usage("alice", T0) == MonthlyUsage(0.0, 3, 3, 0.0)


async def test_concurrent_submissions_never_exceed_the_months_credits(store):
    await store.accounts.ensure("alice", at=T0)
    limits = replace(LIMITS, qpu_tasks=None)
    refused = await concurrently(
        50, lambda: create(store, limits, reserved_qpu_tasks=1, reserved_cost_usd=0.1 + 0.2)
    )
    assert len(refused) == 50 - 33
    assert {error.metadata["limit"] for error in refused} == {"credits_usd"}
    assert "this job costs $0.30" in refused[0].message


async def test_one_of_fifty_submissions_gets_the_last_waiting_place(store):
    await submit(store)

    async def create_waiting() -> None:
        await builders.create(store, new_job(), max_waiting=2, monthly=LIMITS)

    refused = await concurrently(50, create_waiting)
    assert len(refused) == 49
    assert {error.metadata["limit"] for error in refused} == {"max_waiting_jobs"}


async def test_simulator_time_is_limited_until_the_next_month(store):
    await queue(store)
    await finish(store, await start(store), seconds=1, simulator_seconds=59.9)
    await create(store)
    await queue(store)
    await finish(store, await start(store), seconds=1, simulator_seconds=0.2)
    (refused,) = await concurrently(1, lambda: create(store))
    assert refused.metadata["limit"] == "simulator_minutes"
    assert refused.metadata["resets_at"] == "2025-04-01T00:00:00Z"
    await create(store, reserved_qpu_tasks=1)  # quantum hardware has its own limit
    await create(store, submitted_at=APRIL)


async def test_a_limit_of_none_refuses_nothing(store):
    await queue(store)
    await finish(store, await start(store), simulator_seconds=1e9, qpu_tasks=10_000)
    unlimited = MonthlyLimits(None, None, 1.0)
    await create(store, unlimited)
    await create(store, unlimited, reserved_qpu_tasks=1, reserved_cost_usd=1.0)


QUANTUM = {"reserved_qpu_tasks": 1, "reserved_cost_usd": 2.5}
USED = MonthlyUsage(0.0, 1, 1, 2.5)
BACK = MonthlyUsage(0.0, 0, 1, 0.0)


async def test_a_reservation_counts_in_the_month_of_the_submission(store):
    await queue(store, seconds=0, **QUANTUM)
    assert await store.accounts.usage("alice", T0) == USED
    claim = await start(store, seconds=1)
    await finish(store, claim, seconds=5, qpu_tasks=1, cost_usd=2.5)
    assert await store.accounts.usage("alice", T0) == USED
    assert await store.accounts.usage("alice", at(5)) == MonthlyUsage()


@pytest.mark.parametrize("end", ["cancelled", "unroutable", "failed", "lost"])
async def test_a_job_that_did_not_run_gives_its_reservation_back(store, end):
    if end == "unroutable":
        job = await submit(store, **QUANTUM)
        await store.jobs.advance(job.id, [to(JobStatus.FAILED, 5)])
    elif end == "cancelled":
        job = await queue(store, **QUANTUM)
        await store.jobs.cancel("alice", job.id, at(5))
        await store.jobs.cancel("alice", job.id, at(6))
    elif end == "failed":
        await queue(store, **QUANTUM)
        claim = await claim_one(store)
        await store.jobs.end(claim.job.id, claim.lease, [to(JobStatus.FAILED, 5)])
    else:
        job = await queue(store, **QUANTUM)
        for _ in range(3):
            await claim_one(store)
            await store.jobs.recover(at(5))
        assert (await store.jobs.get("alice", job.id)).status is JobStatus.FAILED
    assert await store.accounts.usage("alice", T0) == BACK
    assert await store.accounts.usage("alice", at(5)) == MonthlyUsage()


async def test_a_cancelled_run_is_charged_up_to_the_cancellation(store):
    await queue(store, seconds=-10)
    claim = await start(store, seconds=-8)
    await store.jobs.cancel("alice", claim.job.id, at(-0.5))
    assert await store.accounts.usage("alice", T0) == MonthlyUsage(7.5, 0, 1, 0.0)
    await queue(store, seconds=-10, **QUANTUM)
    claim = await start(store, seconds=-8)
    await store.jobs.cancel("alice", claim.job.id, at(-0.5))
    assert await store.accounts.usage("alice", T0) == MonthlyUsage(7.5, 1, 2, 2.5)


async def test_a_cancelled_run_is_charged_at_most_until_its_lease_or_time_limit_ends(store):
    """The server may have died, or the run may have ended while the database was away."""
    total = 0
    for wanted, heartbeat, longest in (
        (None, None, 60),
        (20, None, 20),
        (90, None, 60),
        (20, 7, 7),
    ):
        await queue(store, options=RunOptions(timeout_seconds=wanted))
        claim = await start(store)
        if heartbeat is not None:
            await store.leases.heartbeat(claim.lease.owner, at(heartbeat))
        await store.jobs.cancel("alice", claim.job.id, at(3600), job_seconds=60)
        total += longest
        assert (await store.accounts.usage("alice", at(3600))).simulator_seconds == total


async def test_a_thousand_waiting_jobs_do_not_delay_another_accounts_first(store):
    await store.accounts.ensure("alice", at=T0)
    await asyncio.gather(*(queue(store, "alice", seconds=n / 1000) for n in range(1000)))
    claims = await store.jobs.claim("server", Room(2), T0, concurrency=THREE)
    assert [claim.job.account_id for claim in claims] == ["alice", "alice"]
    first = await queue(store, "bob", seconds=5)
    (claim,) = await store.jobs.claim("server", Room(1), T0, concurrency=THREE)
    assert claim.job.id == first.id
    # At most three run at once, no matter how many slots are free.
    claims = await store.jobs.claim("server", Room(99), T0, concurrency=THREE)
    assert [claim.job.account_id for claim in claims] == ["alice"]
