"""Leases end when their owner sends no heartbeat for too long, and not before."""

import asyncio
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from quantcloud.domain.errors import Unavailable
from quantcloud.domain.job import JobStatus, StaleLeaseError
from quantcloud.scheduling.lease_keeper import LeaseKeeper
from unit.storage.builders import T0, at, claim_one, finish, queue, start


class Clock:
    def __init__(self) -> None:
        self.now = T0

    def __call__(self):
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def lease_keeper(store, owner: str, clock: Clock) -> LeaseKeeper:
    return LeaseKeeper(
        store,
        owner=owner,
        clock=clock,
        lease_seconds=30,
        heartbeat_seconds=10,
        lease_check_seconds=5,
    )


async def test_a_lease_lasts_while_its_owner_sends_heartbeats(store):
    clock = Clock()
    own, other = lease_keeper(store, "server-1", clock), lease_keeper(store, "server-2", clock)
    job = await queue(store)
    await own.beat()
    await start(store)
    for _ in range(12):
        for each in (own, other):
            await each.beat()
        clock.pass_seconds(10)
        assert list(await other.take_back()) == []
    for _ in range(2):
        clock.pass_seconds(10)
        await other.beat()
        assert list(await own.take_back()) == []
    (event,) = await other.take_back()
    assert (event.job.id, event.job.status, event.occurred_at) == (
        job.id, JobStatus.QUEUED, clock.now,
    )  # fmt: skip
    assert event.job.queued_at == at(0)
    assert list(await other.take_back()) == []


async def test_an_owner_whose_lease_expired_cannot_write(store):
    await queue(store)
    await store.leases.heartbeat("server-1", at(30))
    claim = await start(store)
    await store.leases.take_back("server-2", at(30))
    await store.leases.heartbeat("server-1", at(60))
    with pytest.raises(StaleLeaseError):
        await finish(store, claim)
    again = await start(store)
    with pytest.raises(StaleLeaseError):
        await finish(store, claim)
    await finish(store, again)


async def test_an_expired_owner_that_returns_before_the_sweep_keeps_its_leases(store):
    await queue(store)
    await store.leases.heartbeat("server-1", at(30))
    claim = await start(store)
    await store.leases.heartbeat("server-1", at(90))
    assert await store.leases.take_back("server-2", at(89)) == []
    await finish(store, claim)


async def test_the_third_loss_fails_the_job(store):
    job = await queue(store)
    for _ in range(3):
        await claim_one(store)
        (event,) = await store.leases.take_back("server-2", at(1))
    assert event.job.status is JobStatus.FAILED
    assert event.job.metadata["reason"] == "WORKER_LOST"
    assert (await store.jobs.get("alice", job.id)).completed_at == at(1)


async def test_a_cancel_survives_the_loss_of_the_lease(store):
    job = await queue(store)
    await start(store)
    await store.jobs.cancel("alice", job.id, at(1))
    assert await store.leases.take_back("server-2", at(99)) == []
    assert (await store.jobs.get("alice", job.id)).status is JobStatus.CANCELLED


async def test_leases_of_an_owner_that_stops_expire_at_once(store):
    await queue(store)
    await store.leases.heartbeat("server-1", at(30))
    await claim_one(store)
    await store.leases.release("server-1")
    assert len(await store.leases.take_back("server-2", at(1))) == 1


async def test_an_owner_sweeps_only_after_heartbeats_for_a_lease_time(store):
    """After an outage every lease looks expired; the owners get time to extend theirs."""
    clock = Clock()
    own = lease_keeper(store, "server-1", clock)
    await queue(store)
    await claim_one(store)  # its owner never sent a heartbeat
    own = lease_keeper(store, "server-2", clock)
    assert list(await own.take_back()) == []
    await own.beat()
    clock.pass_seconds(29)
    await own.beat()
    assert list(await own.take_back()) == []
    clock.pass_seconds(1)
    assert len(await own.take_back()) == 1


async def test_a_server_that_was_suspended_waits_again_before_it_sweeps(store):
    clock = Clock()
    own = lease_keeper(store, "server-2", clock)
    await own.beat()
    await queue(store)
    await claim_one(store)
    clock.pass_seconds(100)
    assert list(await own.take_back()) == []
    await own.beat()
    assert list(await own.take_back()) == []


async def test_an_outage_restarts_the_wait_before_a_sweep(store, monkeypatch):
    clock = Clock()
    own = lease_keeper(store, "server-2", clock)
    await own.beat()
    await queue(store)
    await claim_one(store)
    clock.pass_seconds(20)

    async def away(*_):
        raise Unavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(store.leases, "heartbeat", away)
        with pytest.raises(Unavailable):
            await own.beat()
    await own.beat()
    clock.pass_seconds(20)
    await own.beat()
    assert list(await own.take_back()) == []
    clock.pass_seconds(10)
    assert len(await own.take_back()) == 1


async def test_each_outage_is_logged_once(store, monkeypatch):
    """The database is away twice, for many heartbeats each."""
    outage, over = 20, asyncio.Event()
    answers = iter([False, *[True] * outage, False, *[True] * outage, False])

    async def heartbeat(*_):
        if (away := next(answers, None)) is None:
            over.set()
        elif away:
            raise Unavailable("away")

    monkeypatch.setattr(store.leases, "heartbeat", heartbeat)
    keeper = LeaseKeeper(
        store, owner="server-1", clock=Clock(), lease_seconds=30,
        heartbeat_seconds=0.001, lease_check_seconds=30,
    )  # fmt: skip
    with capture_logs() as lines:
        await keeper.start()
        await asyncio.wait_for(over.wait(), 30)
        await keeper.stop()
    assert [line["event"] for line in lines] == ["the leases could not be maintained"] * 2
