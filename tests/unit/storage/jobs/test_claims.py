"""Which jobs are dispatched next."""

import asyncio
from collections import Counter

from quantcloud.domain.account import Tier
from quantcloud.domain.job import Job, JobStatus, Lease
from quantcloud.storage import Room
from unit.storage.builders import (
    ANALYSIS,
    QASM,
    T0,
    UNLIMITED,
    at,
    claim_one,
    finish,
    queue,
    start,
    submit,
    with_status,
)


async def _claimed(store, slots, concurrency=UNLIMITED) -> list[str]:
    claims = await store.jobs.claim("server-1", Room(slots), T0, concurrency=concurrency)
    return [claim.job.account_id for claim in claims]


async def test_a_claim_has_everything_that_a_run_needs(store):
    await store.accounts.ensure("alice", at=T0, tier=Tier.DEVELOPER)
    job = await queue(store, seconds=1)
    claim = await claim_one(store, seconds=2)
    assert claim.job.id == job.id
    assert (claim.job.status, claim.job.attempt) == (JobStatus.DISPATCHED, 1)
    assert claim.job == await store.jobs.get("alice", job.id)
    assert (claim.lease.owner, claim.lease.attempt) == ("server-1", 1)
    assert len(claim.lease.token) == 32
    assert (*await store.jobs.input_of(claim), claim.tier) == (QASM, ANALYSIS, None, Tier.DEVELOPER)
    latest = await store.events.latest("alice", job.id)
    assert (latest.sequence, latest.occurred_at, latest.job) == (5, at(2), claim.job)


async def test_within_an_account_the_job_queued_first_goes_first(store):
    jobs = [await queue(store, seconds=n) for n in (3, 1, 2)]
    claims = await store.jobs.claim("server-1", Room(5), T0, concurrency=UNLIMITED)
    assert [claim.job.id for claim in claims] == [jobs[1].id, jobs[2].id, jobs[0].id]


async def test_accounts_take_turns_within_a_claim(store):
    for number in range(5):
        await queue(store, "alice", seconds=number)
    await queue(store, "bob", seconds=100)
    await queue(store, "carol", seconds=50)
    await queue(store, "carol", seconds=51)
    assert await _claimed(store, 6) == ["alice", "carol", "bob", "alice", "carol", "alice"]


async def test_accounts_take_turns_from_claim_to_claim(store):
    for number in range(6):
        await queue(store, "alice", seconds=number)
    for number in range(3):
        await queue(store, "bob", seconds=100 + number)
    await queue(store, "carol", seconds=200)
    order = [account for _ in range(10) for account in await _claimed(store, 1)]
    assert order == ["alice", "bob", "carol", "alice", "bob", "alice", "bob", *["alice"] * 3]


async def test_a_new_accounts_first_job_goes_before_hundreds_of_waiting_jobs(store):
    await store.accounts.ensure("alice", at=T0)
    await asyncio.gather(*(queue(store, "alice") for _ in range(300)))
    assert await _claimed(store, 1) == ["alice"]
    await queue(store, "bob", seconds=500)
    assert await _claimed(store, 1) == ["bob"]


async def test_turns_survive_a_restart(store, location):
    for account in ("alice", "bob"):
        for _ in range(2):
            await queue(store, account)
    first = await _claimed(store, 1)
    other = await type(store).open(location)
    assert {*first, *await _claimed(other, 1)} == {"alice", "bob"}
    await other.close()


async def test_slots_limit_a_claim(store):
    for _ in range(3):
        await queue(store)
    assert await _claimed(store, 0) == []
    assert await _claimed(store, -1) == []
    assert len(await _claimed(store, 2)) == 2
    assert len(await _claimed(store, 2)) == 1
    assert await _claimed(store, 2) == []


async def test_jobs_that_are_not_queued_are_not_claimed(store):
    await submit(store)
    assert await _claimed(store, 5) == []


async def test_the_concurrency_of_an_accounts_tier_is_never_exceeded(store):
    limits = {Tier.EXPLORER: 2, Tier.DEVELOPER: 3, Tier.ENTERPRISE: 100}
    await store.accounts.ensure("bob", at=T0, tier=Tier.DEVELOPER)
    for _ in range(6):
        await queue(store, "alice")
        await queue(store, "bob")
    assert Counter(await _claimed(store, 3, limits)) == {"alice": 2, "bob": 1}
    assert Counter(await _claimed(store, 20, limits)) == {"bob": 2}
    assert await _claimed(store, 20, limits) == []
    page = await store.jobs.list(
        "bob", limit=20, offset=0, wanted=with_status(JobStatus.DISPATCHED)
    )
    assert page.total == 3
    await store.jobs.cancel("bob", page.items[0].id, T0)
    assert await _claimed(store, 20, limits) == ["bob"]


async def test_running_jobs_count_and_ended_ones_do_not(store):
    limits = dict.fromkeys(Tier, 1)
    for _ in range(3):
        await queue(store)
    claim = await start(store)
    assert await _claimed(store, 5, limits) == []
    await finish(store, claim)
    assert await _claimed(store, 5, limits) == ["alice"]


async def test_an_account_at_its_limit_blocks_no_other(store):
    limits = dict.fromkeys(Tier, 1)
    for account in ("alice", "bob", "carol"):
        for _ in range(2):
            await queue(store, account)
    assert sorted(await _claimed(store, 2, limits) + await _claimed(store, 2, limits)) == [
        "alice",
        "bob",
        "carol",
    ]


async def test_concurrent_claims_share_no_job(store):
    await store.accounts.ensure("alice", at=T0)
    jobs: list[Job] = await asyncio.gather(*(queue(store) for _ in range(60)))
    claims = await asyncio.gather(
        *(store.jobs.claim(f"server-{n}", Room(5), T0, concurrency=UNLIMITED) for n in range(20))
    )
    taken = [claim for share in claims for claim in share]
    assert Counter(claim.job.id for claim in taken) == Counter(job.id for job in jobs)
    leases: set[Lease] = {claim.lease for claim in taken}
    assert len({lease.token for lease in leases}) == 60
