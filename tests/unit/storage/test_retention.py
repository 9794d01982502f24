"""Removal of old history and of idempotency keys."""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import NoResultFound

from quantcloud.domain.cursors import Listing
from quantcloud.domain.errors import AlreadyExists, NotFound, OutOfRange
from quantcloud.domain.job import JobCircuit
from quantcloud.scheduling.housekeeping import Housekeeping
from quantcloud.storage import IdempotencyKey, NewJob, retention
from quantcloud.storage.database.tables import idempotency_keys
from quantcloud.storage.jobs.writing import idempotency
from quantcloud.storage.retention import BATCH
from unit.storage import builders
from unit.storage.builders import (
    ANALYSIS,
    QASM,
    T0,
    at,
    finish,
    logged,
    new_job,
    queue,
    ran,
    result_of,
    routed,
    start,
    stored_circuit,
    submit,
)  # fmt: skip


async def ended(store, account="alice", *, seconds: float, **fields):
    job = await queue(store, account, seconds=seconds, **fields)
    await finish(store, await start(store, seconds=seconds), seconds=seconds)
    return await store.jobs.get(account, job.id)


async def test_old_history_is_removed_but_the_last_event_stays(store):
    old, new = await ended(store, seconds=0), await ended(store, seconds=100)
    waiting = await queue(store, seconds=0)
    assert await store.retention.remove(at(50)) == 1
    assert await store.retention.remove(at(50)) == 0
    assert await store.jobs.get("alice", old.id) == old
    assert (await store.jobs.list("alice", limit=9, offset=0)).total == 3
    assert await store.jobs.result("alice", old.id) is None
    assert (await store.events.latest("alice", old.id)).job == old
    with pytest.raises(NoResultFound):
        await stored_circuit(store, old.id)
    assert await store.jobs.circuit(old) is None
    assert await store.jobs.circuit(new) == JobCircuit(new, QASM)
    assert await store.jobs.result("alice", new.id) == result_of(new)
    assert len(await store.events.after("alice", new.id, 0, 9)) == 7
    assert len(await store.events.after("alice", waiting.id, 0, 9)) == 4


async def test_a_read_of_removed_history_is_out_of_range(store):
    job = await ended(store, seconds=0)
    cursors = [e.cursor for e in await logged(store, "alice")]
    other = await ended(store, "bob", seconds=100)
    await store.retention.remove(at(50))
    for sequence in (0, 5):
        with pytest.raises(OutOfRange) as caught:
            await store.events.after("alice", job.id, sequence, 9)
        assert caught.value.reason == "HISTORY_REMOVED"
        assert caught.value.metadata["oldest_sequence"] == "7"
    assert [e.sequence for e in await store.events.after("alice", job.id, 6, 9)] == [7]
    with pytest.raises(OutOfRange, match="no longer kept") as caught:
        await logged(store, "alice", cursors[4], 9)
    oldest = caught.value.metadata["oldest_cursor"]
    assert store.cursors.read("after_cursor", Listing.EVENTS, oldest) == (cursors[5],)
    assert [e.sequence for e in await logged(store, "alice", cursors[5], 9)] == [7]
    assert len(await logged(store, "bob")) == 7
    assert len(await store.events.after("bob", other.id, 0, 9)) == 7


async def test_history_in_one_row_is_removed_too(store):
    await store.accounts.ensure("alice", at=T0)
    job = new_job()
    done = NewJob(job, QASM, ANALYSIS, ran(), result_of(job))
    (events,) = await store.jobs.create_all([done], max_waiting=None)
    assert await logged(store, "alice") == events
    assert await store.retention.remove(at(50)) == 1
    with pytest.raises(OutOfRange, match="no longer kept"):
        await store.events.after("alice", job.id, 0, 9)
    with pytest.raises(OutOfRange, match="no longer kept"):
        await logged(store, "alice", events[-3].cursor)
    assert await store.events.after("alice", job.id, 6, 9) == events[-1:]
    assert await logged(store, "alice", events[-2].cursor) == events[-1:]


async def test_a_removed_row_counts_with_its_last_event(store):
    await store.accounts.ensure("alice", at=T0)
    job = new_job()
    waiting = NewJob(job, QASM, ANALYSIS, routed())
    (events,) = await store.jobs.create_all([waiting], max_waiting=None)
    await store.jobs.cancel("alice", job.id, at(1))
    assert await store.retention.remove(at(50)) == 1
    with pytest.raises(OutOfRange, match="no longer kept"):
        await logged(store, "alice", events[-2].cursor)
    (cancelled,) = await logged(store, "alice", events[-1].cursor)
    assert cancelled.sequence == 5


async def ran_inline(store, times: Sequence[float], **fields) -> list[str]:
    """Create jobs that ran inline and ended at `times`; return their ids."""
    await store.accounts.ensure("alice", at=T0)
    jobs = [new_job(**fields) for _ in times]
    new = [
        NewJob(job, QASM, ANALYSIS, ran(ended=at), result_of(job))
        for job, at in zip(jobs, times, strict=True)
    ]
    await store.jobs.create_all(new, max_waiting=None)
    return [job.id for job in jobs]


async def count_results(store, jobs: Sequence[str]) -> int:
    found = [await store.jobs.result("alice", job) for job in jobs]
    return sum(result is not None for result in found)


async def test_history_is_removed_in_small_batches(store):
    jobs = await ran_inline(store, [n % 4 for n in range(2 * BATCH + 2)])
    removed = []
    while number := await store.retention.remove(at(50)):
        removed.append(number)
    assert removed == [BATCH, BATCH, 2]
    assert await count_results(store, jobs) == 0
    (late,) = await ran_inline(store, [49])
    assert await store.retention.remove(at(50)) == 1
    assert await count_results(store, [late]) == 0


async def test_a_batch_has_fewer_large_results(store, monkeypatch):
    jobs = await ran_inline(store, [1, 2, 3])
    sizes = retention._NEXT.limit(1)
    (row,) = await store._database.read(lambda c: c.execute(sizes, {"before": at(50)}).all())
    monkeypatch.setattr(retention, "BATCH_BYTES", 2 * row.bytes)
    assert await store.retention.remove(at(50)) == 2
    monkeypatch.setattr(retention, "BATCH_BYTES", row.bytes - 1)
    assert await store.retention.remove(at(50)) == 1
    assert await count_results(store, jobs) == 0


async def test_submissions_are_stored_during_a_long_removal(store):
    jobs = await ran_inline(store, range(5 * BATCH))
    first = asyncio.Event()
    remove = store.retention.remove

    async def recorded(before) -> int:
        number = await remove(before)
        first.set()
        return number

    store.retention.remove = recorded
    keep = timedelta(seconds=10)
    housekeeping = Housekeeping(store, lambda: at(5 * BATCH) + keep, keep)
    removing = asyncio.create_task(housekeeping.tidy())
    await first.wait()
    new = await submit(store)
    assert not removing.done()
    assert (await store.jobs.get("alice", new.id)).id == new.id
    assert await removing == 5 * BATCH
    assert await count_results(store, jobs) == 0


async def test_expired_keys_are_removed_in_batches(store, monkeypatch):
    job = await submit(store)
    row = {"account_id": "alice", "digest": b"", "job_id": job.id, "first_cursor": 1, "number": 1}
    rows = [{**row, "key": str(n), "created_at": at(n % 2)} for n in range(idempotency.BATCH + 3)]
    await store._writer.run(lambda tx: tx.write(insert(idempotency_keys), rows))
    day = 24 * 3600
    assert await store.retention.forget_keys(at(day + 1)) == idempotency.BATCH
    assert await store.retention.forget_keys(at(day + 1)) == 3
    assert await store.retention.forget_keys(at(day + 1)) == 0


def key(name: str = "key", digest: bytes = b"a") -> IdempotencyKey:
    return IdempotencyKey(name, digest)


async def create(store, *, named: IdempotencyKey, account="alice", seconds: float = 0):
    job = new_job(account, seconds=seconds)
    (event,) = await builders.create(store, job, max_waiting=None, key=named)
    return event


async def test_fifty_submissions_with_one_key_create_one_job(store):
    await store.accounts.ensure("alice", at=T0)
    events = await asyncio.gather(*(create(store, named=key(), seconds=n) for n in range(50)))
    assert {event.cursor for event in events} == {events[0].cursor}
    assert {event.job.id for event in events} == {events[0].job.id}
    assert (await store.jobs.list("alice", limit=1, offset=0)).total == 1
    assert (await store.accounts.usage("alice", T0)).total_jobs == 1
    assert await store.jobs.of_key("alice", key(), T0) == [events[0]]


async def test_a_key_finds_its_submissions_among_other_events(store):
    await store.accounts.ensure("alice", at=T0)
    before = await queue(store)
    together = [NewJob(new_job(), QASM, ANALYSIS, changes) for changes in (routed(), (), routed())]
    made = await store.jobs.create_all(together, max_waiting=None, key=key())
    await store.jobs.advance(together[1].job.id, routed())
    await store.jobs.cancel("alice", before.id, T0)
    submitted = [events[0] for events in made]
    assert [event.job.id for event in submitted] == [each.job.id for each in together]
    assert await store.jobs.of_key("alice", key(), T0) == submitted
    again = await store.jobs.create_all(together, max_waiting=None, key=key())
    assert again == [[event] for event in submitted]


async def test_a_key_is_valid_for_one_request_of_one_account_for_a_day(store):
    for account in ("alice", "bob"):
        await store.accounts.ensure(account, at=T0)
    first = await create(store, named=key())
    for call in (
        lambda: create(store, named=key(digest=b"b")),
        lambda: store.jobs.of_key("alice", key(digest=b"b"), T0),
    ):
        with pytest.raises(AlreadyExists) as caught:
            await call()
        assert caught.value.metadata == {"job_id": first.job.id, "idempotency_key": "key"}
    assert (await create(store, named=key(), account="bob")).job.id != first.job.id
    assert await store.jobs.of_key("alice", key("other"), T0) is None
    day = 24 * 3600
    assert await create(store, named=key(), seconds=day - 1) == first
    later = await create(store, named=key(digest=b"c"), seconds=day)
    assert later.job.id != first.job.id
    await store.retention.forget_keys(at(2 * day))
    assert await store.jobs.of_key("alice", key(digest=b"d"), at(day)) is None


async def test_a_refused_submission_does_not_use_its_key(store):
    await store.accounts.ensure("alice", at=T0)
    with pytest.raises(Exception, match="max_waiting_jobs"):
        await builders.create(store, new_job(), max_waiting=0, key=key())
    assert await store.jobs.of_key("alice", key(digest=b"b"), T0) is None


async def test_old_jobs_are_removed_and_usage_keeps_counting_them(store):
    await store.accounts.ensure("alice", at=T0)
    named = await create(store, named=key())
    await store.jobs.cancel("alice", named.job.id, T0)
    old = [await ended(store, seconds=0) for _ in range(2)]
    others, new = await ended(store, "bob", seconds=0), await ended(store, seconds=100)
    waiting = await queue(store, seconds=0)
    used = await store.accounts.usage("alice", T0)
    # The history of one is removed before.
    assert await store.retention.remove(at(0.5)) > 0
    assert await store.retention.remove_jobs(at(50)) == 4
    assert await store.retention.remove_jobs(at(50)) == 0
    for gone in (named.job, *old):
        with pytest.raises(NotFound):
            await store.jobs.get("alice", gone.id)
    with pytest.raises(NotFound):
        await store.jobs.get("bob", others.id)
    listed = await store.jobs.list("alice", limit=9, offset=0)
    assert ({job.id for job in listed.items}, listed.total) == ({new.id, waiting.id}, 2)
    assert (await store.jobs.list("bob", limit=9, offset=0)).total == 0
    assert await store.accounts.usage("alice", T0) == used
    assert used.total_jobs >= 4
    assert await store.retention.remove_jobs(at(200)) == 1
    assert (await store.jobs.list("alice", limit=9, offset=0)).total == 1
    with pytest.raises(OutOfRange, match="no longer kept"):
        await logged(store, "alice")


async def test_a_batch_is_gone_with_its_last_job(store):
    batch = str(uuid.uuid4())
    for seconds in (0, 100):
        await ended(store, batch_id=batch, seconds=seconds)
    await store.events.check_batch("alice", batch)
    assert await store.retention.remove(at(200)) == 2
    assert await store.retention.remove_jobs(at(50)) == 1
    await store.events.check_batch("alice", batch)
    for account in ("bob", "alice"):
        with pytest.raises(NotFound, match=f"batch '{batch}' not found"):
            await store.events.check_batch(account, batch)
        await store.retention.remove_jobs(at(200))


async def test_housekeeping_removes_jobs_after_their_own_time(store):
    old, newer = await ended(store, seconds=0), await ended(store, seconds=60)
    day = timedelta(days=1)
    housekeeping = Housekeeping(store, lambda: at(30) + 2 * day, day, 2 * day)
    assert await housekeeping.tidy() == 1
    with pytest.raises(NotFound):
        await store.jobs.get("alice", old.id)
    assert await store.jobs.get("alice", newer.id) == newer
    assert await store.jobs.result("alice", newer.id) is None
