"""The event log, and what is published."""

import asyncio
from dataclasses import replace

import pytest

from quantcloud.domain.event_filter import EventFilter
from quantcloud.domain.job import JobStatus
from quantcloud.storage import NewJob
from quantcloud.storage.jobs.reading import events as event_log
from unit.storage.builders import (
    ANALYSIS,
    QASM,
    T0,
    claim_one,
    complete,
    create,
    finish,
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

BATCH = "0190f7a0-0000-7000-8000-000000000000"


async def test_the_events_of_a_job_show_each_change(store):
    job = await queue(store, seconds=1)
    claim = await start(store, seconds=2)
    await finish(store, claim, seconds=3)
    events = await store.events.after("alice", job.id, 0, 100)
    assert [event.sequence for event in events] == [1, 2, 3, 4, 5, 6, 7]
    assert [event.job.status.value for event in events] == [
        "submitted",
        "analyzing",
        "routing",
        "queued",
        "dispatched",
        "running",
        "completed",
    ]
    assert [event.job.sequence for event in events] == [1, 2, 3, 4, 5, 6, 7]
    assert [event.job.attempt for event in events] == [0, 0, 0, 0, 1, 1, 1]
    assert events[4].job == claim.job
    assert events[-1].job == await store.jobs.get("alice", job.id)
    assert await store.events.after("alice", job.id, 5, 1) == [events[5]]
    assert await store.events.after("alice", job.id, 7, 10) == []
    assert await store.events.after("alice", job.id, 99, 10) == []
    assert await store.events.latest("alice", job.id) == events[-1]


async def test_events_of_an_account_are_those_of_all_its_jobs(store):
    assert await store.events.latest_cursor("alice") == 0
    first = await submit(store)
    await submit(store, "bob")
    second = await submit(store)
    await store.jobs.advance(first.id, [to(JobStatus.ANALYZING)])
    events = await logged(store, "alice")
    assert [event.job.id for event in events] == [first.id, second.id, first.id]
    cursors = [event.cursor for event in events]
    assert cursors == sorted(set(cursors))
    assert await logged(store, "alice", cursors[0], 1) == [events[1]]
    assert await logged(store, "alice", cursors[-1], 1) == []
    assert await store.events.latest_cursor("alice") == cursors[-1]


@pytest.mark.parametrize(
    "wanted",
    [
        EventFilter(statuses, batch_id)
        for statuses in ((), (JobStatus.QUEUED,), (JobStatus.CANCELLED, JobStatus.ROUTING))
        for batch_id in (None, BATCH, "none")
    ],
)
@pytest.mark.parametrize(("searched", "limit"), [(5, 3), (3, 5), (999, 999), (1, 1)])
async def test_wanted_events_are_read_in_stretches(store, monkeypatch, wanted, searched, limit):
    monkeypatch.setattr(event_log, "_SEARCHED_ROWS", searched)
    for number in range(6):
        job = await queue(store, batch_id=BATCH if number % 2 else None)
        if number % 3 == 0:
            await store.jobs.cancel("alice", job.id, T0)
    everything = await logged(store, "alice")
    found, cursor, more = [], 0, True
    while more:
        before = cursor
        events, cursor, more = await store.events.account_after("alice", cursor, limit, wanted)
        assert len(events) <= limit
        assert all(before < event.cursor <= cursor for event in events)
        assert cursor > before or not more
        found += events
    assert found == [event for event in everything if wanted.wants(event)]
    assert await logged(store, "alice", cursor) == [e for e in everything if e.cursor > cursor]
    assert not [event for event in everything if event.cursor > cursor and wanted.wants(event)]


async def test_a_commit_is_published_before_its_caller_resumes(store):
    published = []
    store.subscribe(published.extend)
    job = await submit(store)
    assert [event.job for event in published] == [job]
    events = await store.jobs.advance(job.id, routed())
    assert published[1:] == events
    claim = await claim_one(store)
    assert published[-1].job == claim.job
    (event,) = await store.jobs.recover(T0)
    assert published[-1] == event
    assert await logged(store, "alice") == published


async def test_a_refused_change_is_not_published(store):
    job = await submit(store)
    published = []
    store.subscribe(published.extend)
    with pytest.raises(Exception, match="cannot go from"):
        await store.jobs.advance(job.id, [to(JobStatus.ANALYZING), to(JobStatus.RUNNING)])
    await store.accounts.ensure("bob", at=T0)
    assert published == []


async def test_a_failing_listener_stops_neither_the_others_nor_the_store(store, caplog):
    published = []

    def broken(_events) -> None:
        raise RuntimeError("this listener is broken")

    end_broken = store.subscribe(broken)
    end = store.subscribe(published.extend)
    job = await submit(store)
    assert len(published) == 1
    assert "this listener is broken" in caplog.text
    end_broken()
    end()
    await store.jobs.cancel("alice", job.id, T0)
    assert len(published) == 1


async def test_cursors_follow_the_order_of_commits_and_sequences_have_no_gaps(store):
    published = []
    store.subscribe(published.extend)
    accounts = ["alice", "bob", "carol"]
    for account in accounts:
        await store.accounts.ensure(account, at=T0)

    async def live(number: int) -> None:
        job = new_job(accounts[number % 3])
        await create(store, job, QASM, ANALYSIS, max_waiting=None)
        for change in routed():
            await store.jobs.advance(job.id, [change])
        if number % 4 == 0:
            await store.jobs.cancel(job.account_id, job.id, T0)

    await asyncio.gather(*(live(number) for number in range(100)))
    cursors = [event.cursor for event in published]
    assert cursors == sorted(set(cursors))
    stored = {account: await logged(store, account) for account in accounts}
    assert sum(map(len, stored.values())) == len(published) == 425
    for account in accounts:
        assert stored[account] == [e for e in published if e.job.account_id == account]
        by_job: dict[str, list[int]] = {}
        for event in stored[account]:
            by_job.setdefault(event.job.id, []).append(event.sequence)
        for sequences in by_job.values():
            assert sequences == list(range(1, len(sequences) + 1))


@pytest.mark.parametrize("one_row", [False, True])
async def test_each_event_has_the_metadata_of_its_time(store, one_row):
    routing, ended = {"routing": {"a": 1}}, {"routing": {"a": 1, "actual_seconds": 0.1}}
    *before, queued = routed()
    queue_it = [*before, replace(queued, metadata=routing)]
    completion = to(JobStatus.COMPLETED, 3, metadata=ended)
    await store.accounts.ensure("alice", at=T0)
    job = new_job(metadata={"num_qubits": 2})
    if one_row:
        changes = [*queue_it, *ran()[3:5], completion]
        new = NewJob(job, QASM, ANALYSIS, changes, result_of(job), 0.1)
        await store.jobs.create_all([new], max_waiting=None)
    else:
        await create(store, job, QASM, ANALYSIS, queue_it, max_waiting=None)
        claim = await start(store)
        await complete(store, job.id, claim.lease, result_of(job), [completion])
    expected = [{"num_qubits": 2}] * 3 + [routing] * 3 + [ended]
    events = await store.events.after("alice", job.id, 0, 10)
    assert [event.job.metadata for event in events] == expected
    assert [event.job.metadata for event in await logged(store, "alice")] == expected
    assert (await store.events.latest("alice", job.id)).job.metadata == ended
    assert (await store.jobs.get("alice", job.id)).metadata == ended
