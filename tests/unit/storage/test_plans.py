"""No query's cost grows with the table it looks in."""

import asyncio
import contextlib
import re
import sqlite3
import uuid

import pytest

from quantcloud.domain.account import Tier
from quantcloud.domain.errors import NotFound
from quantcloud.domain.job import JobStatus, StaleLeaseError
from quantcloud.storage import CircuitPatch, Store
from unit.storage.builders import (
    ANALYSIS,
    QASM,
    STALE,
    T0,
    UNLIMITED,
    finish,
    new_job,
    queue,
    start,
)

# Walking one of these is walking what it is about: the jobs that have not ended, the queue.
PARTIAL = {"ix_jobs_active", "ix_jobs_queue", "ix_jobs_backend_queue"}
SOME_ID = str(uuid.uuid4())


class _Statements:
    """What a store's connections were told, with its values."""

    def __init__(self, store: Store) -> None:
        self.seen: list[str] = []
        database = store._database
        sessions = (database._writer, *database._readers)
        for driver in (database._brief.driver_connection, *(each._conn for each in sessions)):
            driver.set_trace_callback(self._executed)

    def _executed(self, statement: str) -> None:
        if re.match(r"SELECT|WITH|UPDATE|DELETE|INSERT", statement):
            self.seen.append(statement)


CALLS = {
    "get": lambda s, job: s.jobs.get("alice", job.id),
    "list": lambda s, _: s.jobs.list("alice", limit=20, offset=0),
    "list by status": lambda s, _: s.jobs.list(
        "alice", limit=20, offset=0, status=JobStatus.FAILED
    ),
    "create": lambda s, _: s.jobs.create(new_job(), QASM, ANALYSIS, max_waiting=9),
    "qasm": lambda s, job: s.jobs.qasm(job.id),
    "analysis": lambda s, job: s.jobs.analysis(job.id),
    "result": lambda s, job: s.jobs.result("alice", job.id),
    "advance": lambda s, job: s.jobs.advance(job.id, [], lease=None),
    "claim": lambda s, _: s.jobs.claim("server-1", 2, T0, concurrency=UNLIMITED),
    "cancel": lambda s, job: s.jobs.cancel("alice", job.id, T0),
    "requeue": lambda s, job: s.jobs.requeue(job.id, STALE, T0),
    "recover": lambda s, _: s.jobs.recover(T0),
    "active_count": lambda s, _: s.jobs.active_count(),
    "queue_depths": lambda s, _: s.jobs.queue_depths(),
    "queue_position": lambda s, job: s.jobs.queue_position(job),
    "mean_queue_seconds": lambda s, _: s.jobs.mean_queue_seconds(),
    "latest": lambda s, job: s.events.latest("alice", job.id),
    "after": lambda s, job: s.events.after("alice", job.id, 9, 10),
    "account_after": lambda s, _: s.events.account_after("alice", 1, 10),
    "latest_cursor": lambda s, _: s.events.latest_cursor("alice"),
    "ensure": lambda s, _: s.accounts.ensure("alice", at=T0, tier=Tier.DEVELOPER),
    "key create": lambda s, _: s.api_keys.create("alice", "", "", b"", T0, limit=5),
    "key list": lambda s, _: s.api_keys.list("alice"),
    "key find": lambda s, _: s.api_keys.find(b""),
    "key touch": lambda s, _: s.api_keys.touch({SOME_ID: T0}),
    "key revoke": lambda s, _: s.api_keys.revoke("alice", SOME_ID, T0),
    "circuit list": lambda s, _: s.circuits.list("alice", limit=20, offset=0),
    "circuit get": lambda s, _: s.circuits.get("alice", SOME_ID),
    "circuit update": lambda s, _: s.circuits.update("alice", SOME_ID, CircuitPatch(code=""), T0),
    "circuit delete": lambda s, _: s.circuits.delete("alice", SOME_ID),
    "usage": lambda s, _: s.usage.month("alice", T0),
}


@pytest.mark.parametrize("name", CALLS)
async def test_every_query_goes_by_an_index(store, path, name):
    job = await queue(store)
    await finish(store, await start(store))
    job = await queue(store)
    statements = _Statements(store)
    # A refusal has read what it goes by; only the plan matters here.
    with contextlib.suppress(NotFound, StaleLeaseError):
        await CALLS[name](store, job)
    assert statements.seen
    connection = sqlite3.connect(path)
    for statement in statements.seen:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
        for *_, step in plan:
            scan = re.fullmatch(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?", step)
            assert not scan or scan[1] == "waiting" or scan[2] in PARTIAL, (statement, step)
            if name not in {"claim", "recover"}:
                assert "TEMP B-TREE" not in step, (statement, step)
    connection.close()


async def _steps(store: Store, call) -> int:
    """How many hundreds of instructions SQLite's virtual machine took for a write."""
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    def watch(callback) -> None:
        def work(connection) -> None:
            connection.driver_connection.set_progress_handler(callback, 100)

        return store._database.write(work)

    await watch(count)
    await call
    await watch(None)
    return steps


async def test_a_claim_costs_the_same_however_many_jobs_wait(store):
    async def wait(number: int) -> None:
        await asyncio.gather(*(queue(store, seconds=n) for n in range(number)))

    await wait(20)
    few = await _steps(store, store.jobs.claim("server-1", 2, T0, concurrency=UNLIMITED))
    await wait(1000)
    many = await _steps(store, store.jobs.claim("server-1", 2, T0, concurrency=UNLIMITED))
    assert 0 < many < 2 * few
