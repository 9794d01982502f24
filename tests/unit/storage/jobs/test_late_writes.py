"""A server comes back after its leases expired: its late writes are refused."""

import asyncio

import pytest

from quantcloud.domain.job import JobStatus, StaleLeaseError
from quantcloud.storage import Claim, Room, Store
from unit.storage.builders import UNLIMITED, at, complete, queue, result_of, to

NUMBER = 100


async def _claim_all(store: Store, owner: str, seconds: float) -> list[Claim]:
    claims = await store.jobs.claim(owner, Room(NUMBER), at(seconds), concurrency=UNLIMITED)
    assert len(claims) == NUMBER
    started = (
        store.jobs.advance(claim.job.id, [to(JobStatus.RUNNING, seconds)], lease=claim.lease)
        for claim in claims
    )
    await asyncio.gather(*started)
    return claims


def _complete(store: Store, claim: Claim, counts: dict[str, int], seconds: float):
    return complete(store,
        claim.job.id, claim.lease, result_of(claim.job, counts=counts),
        [to(JobStatus.COMPLETED, seconds)], simulator_seconds=1.0,
    )  # fmt: skip


async def test_none_of_a_hundred_late_writes_is_accepted(store: Store):
    await asyncio.gather(*(queue(store, seconds=number / 1000) for number in range(NUMBER)))
    await store.leases.heartbeat("first", at(30))
    late = await _claim_all(store, "first", 1)
    await store.leases.heartbeat("second", at(90))
    assert await store.leases.take_back("second", at(29)) == []
    assert len(await store.leases.take_back("second", at(31))) == NUMBER
    timely = await _claim_all(store, "second", 32)
    # Half of the late writes arrive during the second runs, half after them.
    before, after = timely[: NUMBER // 2], timely[NUMBER // 2 :]
    await asyncio.gather(*(_complete(store, claim, {"11": 1}, 33) for claim in before))
    await store.leases.heartbeat("first", at(90))
    refused = await asyncio.gather(
        *(_complete(store, claim, {"00": 1}, 34) for claim in late), return_exceptions=True
    )
    assert [type(error) for error in refused] == [StaleLeaseError] * NUMBER
    await asyncio.gather(*(_complete(store, claim, {"11": 1}, 35) for claim in after))
    for claim in timely:
        result = await store.jobs.result("alice", claim.job.id)
        assert result is not None
        assert result.counts == {"11": 1}
        events = await store.events.after("alice", claim.job.id, 0, 99)
        assert [event.sequence for event in events] == list(range(1, 11))
        assert [event.job.status for event in events].count(JobStatus.COMPLETED) == 1
    used = await store.accounts.usage("alice", at(33))
    assert used.simulator_seconds == pytest.approx(NUMBER)


async def test_a_server_that_comes_back_in_time_keeps_its_runs(store: Store):
    await queue(store)
    await store.leases.heartbeat("first", at(30))
    (claim,) = await store.jobs.claim("first", Room(1), at(1), concurrency=UNLIMITED)
    await store.leases.heartbeat("first", at(60))
    assert await store.leases.take_back("second", at(31)) == []
    steps = [to(JobStatus.RUNNING, 40), to(JobStatus.COMPLETED, 41)]
    event = await complete(store, claim.job.id, claim.lease, result_of(claim.job), steps)
    assert event.job.attempt == 1
