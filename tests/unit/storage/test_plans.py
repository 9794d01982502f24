"""No query's cost grows with the size of its table."""

import asyncio
import contextlib
import re
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import event

from quantcloud.domain.account import MonthlyLimits, Tier
from quantcloud.domain.errors import FailedPrecondition, NotFound, QuotaExceeded
from quantcloud.domain.event_filter import EventFilter
from quantcloud.domain.job import JobStatus, StaleLeaseError
from quantcloud.domain.job_filter import JobFilter
from quantcloud.domain.page import Place
from quantcloud.storage import CircuitPatch, IdempotencyKey, JobRecord, Room, Store
from quantcloud.storage.database import postgres
from quantcloud.storage.retention import BATCH
from support.external.postgres import Postgres
from unit.storage.builders import (
    ANALYSIS,
    QASM,
    STALE,
    T0,
    UNLIMITED,
    at,
    create,
    new_job,
    to,
)
from unit.storage.conftest import INSTALLATIONS, migrate
from unit.storage.crowd import ACCOUNTS, ACTIVE, JOBS, fill_postgres, fill_sqlite, job_id

pytestmark = pytest.mark.slow

# Tables with few rows.
SMALL = {"waiting", "lease_owners", "retention_progress", "sqlite_sequence", "store_epoch"}
# A scan of one of these reads only the active or queued jobs.
PARTIAL = {"ix_jobs_active", "ix_jobs_queue", "ix_jobs_backend_queue"}
SOME_ID = str(uuid.uuid4())
PLACE = Place(at(50), SOME_ID)
# This account has 200 jobs; one of them is queued.
ALICE = "user-4"
JOB_ID = job_id(JOBS - ACCOUNTS + 4)
# Tables that grow with the jobs, and the most rows of them that a call may read.
GROWING = {"jobs", "job_events", "job_circuits", "job_results"}
MOST_ROWS = 3 * ACTIVE


@pytest.fixture(scope="module")
def crowd(tmp_path_factory, template: Path) -> Path:
    """The path of a SQLite file with 200,000 jobs."""
    path = tmp_path_factory.mktemp("crowd") / "store.db"
    shutil.copy(template, path)
    fill_sqlite(path)
    return path


@pytest.fixture(scope="module")
def crowded_postgres() -> Iterator[str]:
    """The URL of a database with 200,000 jobs, on the newest installed PostgreSQL."""
    if not INSTALLATIONS:
        pytest.skip("needs PostgreSQL")
    with Postgres([*INSTALLATIONS.values()][-1]) as server:
        asyncio.run(migrate(server.url()))
        asyncio.run(fill_postgres(server.url()))
        yield server.url()


def _traced_sqlite(store: Store) -> list[str]:
    """Return a list that collects the store's statements from now on, with their values."""
    statements: list[str] = []

    def executed(statement: str) -> None:
        if re.match(r"SELECT|WITH|UPDATE|DELETE|INSERT", statement):
            statements.append(statement)

    database = store._database
    sessions = (database._writer, *database._readers)
    for driver in (
        database._brief.driver_connection,
        *(each.prepared.driver_connection for each in sessions),
    ):
        driver.set_trace_callback(executed)
    return statements


def _traced_postgres(store: Store) -> list[tuple[str, Any]]:
    """Return a list that collects the store's statements from now on, and their values."""
    statements: list[tuple[str, Any]] = []

    def executed(_connection, _cursor, statement, parameters, _context, many) -> None:
        if "pg_advisory" not in statement:
            statements.append((statement, parameters[0] if many else parameters))

    for engine in (store._database._write_engine, store._database._read_engine):
        event.listen(engine.sync_engine, "before_cursor_execute", executed)
    return statements


async def _submit_twice(store: Store) -> None:
    key = IdempotencyKey(str(uuid.uuid4()), b"")
    first, second = [
        await create(store, new_job(ALICE), QASM, ANALYSIS, max_waiting=None, key=key)
        for _ in range(2)
    ]
    assert first == second


async def _queued(store: Store) -> None:
    # The row of a later event contains each of these.
    stretch = await store.events.account_after(ALICE, 1, 10, EventFilter({JobStatus.QUEUED}))
    assert {event.job.status for event in stretch.events} == {JobStatus.QUEUED}


async def _remove_some(store: Store) -> None:
    assert await store.retention.remove(at(30)) > 20


FAILED = JobFilter(frozenset({JobStatus.FAILED}))


async def _list(wanted: JobFilter, store: Store, _job: object) -> None:
    for after in (None, PLACE):
        await store.jobs.list(ALICE, limit=20, after=after, wanted=wanted)


CALLS = {
    "get": lambda s, job: s.jobs.get(ALICE, job.id),
    "list": lambda s, _: s.jobs.list(ALICE, limit=20, offset=0),
    "list after": lambda s, _: s.jobs.list(ALICE, limit=20, after=PLACE),
    "list after by status": lambda s, _: s.jobs.list(ALICE, limit=20, after=PLACE, wanted=FAILED),
    "list by status": lambda s, _: s.jobs.list(ALICE, limit=20, offset=0, wanted=FAILED),
    **{
        f"list by {name}": partial(_list, wanted)
        for name, wanted in {
            "backend": JobFilter(backend="aer_simulator"),
            "times": JobFilter(submitted_after=at(50), submitted_before=at(99_000)),
            "tag": JobFilter(tag="a"),
            "name": JobFilter(name_prefix="n"),
            "statuses": JobFilter({JobStatus.QUEUED, JobStatus.FAILED}),
            "everything": JobFilter(
                {JobStatus.QUEUED}, "aer_simulator", "a", "n", at(50), at(99_000)
            ),
        }.items()
    },
    "outlook": lambda s, _: s.jobs.outlook(T0),
    "create": lambda s, _: create(s, new_job(ALICE), QASM, ANALYSIS, max_waiting=9),
    "result": lambda s, job: s.jobs.result(ALICE, job.id),
    "advance": lambda s, job: s.jobs.advance(job.id, [], lease=None),
    "claim": lambda s, _: s.jobs.claim("server-1", Room(2), T0, concurrency=UNLIMITED),
    "requeue": lambda s, job: s.jobs.requeue(job.id, STALE, T0),
    "active_count": lambda s, _: s.jobs.active_count(),
    "queue_depths": lambda s, _: s.jobs.queue_depths(),
    "queue_position": lambda s, job: s.jobs.queue_position(job),
    "mean_queue_seconds": lambda s, _: s.jobs.mean_queue_seconds(),
    "latest": lambda s, job: s.events.latest(ALICE, job.id),
    "after": lambda s, job: s.events.after(ALICE, job.id, 9, 10),
    "account_after": lambda s, _: s.events.account_after(ALICE, 1, 10),
    "account_after, some": lambda s, _: s.events.account_after(
        ALICE, 1, 10, EventFilter({JobStatus.COMPLETED}, SOME_ID)
    ),
    "account_after, none that ends": lambda s, _: _queued(s),
    "check_batch": lambda s, _: s.events.check_batch(ALICE, SOME_ID),
    "latest_cursor": lambda s, _: s.events.latest_cursor(ALICE),
    "ensure": lambda s, _: s.accounts.ensure(ALICE, at=T0, tier=Tier.DEVELOPER),
    "key create": lambda s, _: s.api_keys.create(ALICE, "", "", b"", T0, limit=5),
    "key list": lambda s, _: s.api_keys.list(ALICE),
    "key find": lambda s, _: s.api_keys.find(b""),
    "key touch": lambda s, _: s.api_keys.touch({SOME_ID: T0}),
    "key revoke": lambda s, _: s.api_keys.revoke(ALICE, SOME_ID, T0),
    "circuit list after": lambda s, _: s.circuits.list(ALICE, limit=20, after=PLACE),
    "circuit list": lambda s, _: s.circuits.list(ALICE, limit=20, offset=0),
    "circuit get": lambda s, _: s.circuits.get(ALICE, SOME_ID),
    "circuit update": lambda s, _: s.circuits.update(ALICE, SOME_ID, CircuitPatch(code=""), T0),
    "circuit delete": lambda s, _: s.circuits.delete(ALICE, SOME_ID),
    "usage": lambda s, _: s.accounts.usage(ALICE, T0),
    "heartbeat": lambda s, _: s.leases.heartbeat("server-1", T0),
    "sweep": lambda s, _: s.leases.take_back("server-1", T0),
    "release": lambda s, _: s.leases.release("server-1"),
    "key of a submission": lambda s, job: create(
        s, new_job(ALICE), QASM, ANALYSIS, max_waiting=None, key=IdempotencyKey(job.id, b"")
    ),
    "the same submission": lambda s, _: s.jobs.of_key(ALICE, IdempotencyKey("key", b""), T0),
    "a submission that is known": lambda s, _: _submit_twice(s),
    "retention": lambda s, _: s.retention.remove(at(0)),
    "retention that removes": lambda s, _: _remove_some(s),
    "recover": lambda s, _: s.jobs.recover(T0),
    "cancel": lambda s, job: s.jobs.cancel(ALICE, job.id, T0),
    "forget keys": lambda s, _: s.retention.forget_keys(T0),
}


@pytest.mark.parametrize("name", CALLS)
async def test_every_sqlite_query_uses_an_index(crowd, name):
    store = await Store.open(crowd)
    job = await store.jobs.get(ALICE, JOB_ID)
    statements = _traced_sqlite(store)
    # A call that fails has run its queries, and only their plans matter here.
    with contextlib.suppress(NotFound, StaleLeaseError, FailedPrecondition, QuotaExceeded):
        await CALLS[name](store, job)
    assert statements
    connection = sqlite3.connect(crowd)
    for statement in statements:
        for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall():
            scan = re.fullmatch(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?", step)
            is_large = scan and scan[1] not in SMALL
            assert not is_large or scan[2] in PARTIAL, (statement, step)
            if name not in {"claim", "recover", "sweep"}:
                assert "TEMP B-TREE" not in step, (statement, step)
    connection.close()
    await store.close()


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)


@pytest.mark.parametrize("name", CALLS)
async def test_every_postgres_query_uses_an_index(crowded_postgres, name):
    store = await Store.open(crowded_postgres)
    # The next test looks at drafts.
    store._writer._apply = None
    job = await store.jobs.get(ALICE, JOB_ID)
    statements = _traced_postgres(store)
    with contextlib.suppress(NotFound, StaleLeaseError, FailedPrecondition, QuotaExceeded):
        await CALLS[name](store, job)
    plans: list[tuple[str, dict[str, Any]]] = []

    def explain(connection) -> None:
        with connection.begin() as transaction:
            for statement, parameters in list(statements):
                if statement.startswith("INSERT"):
                    continue
                explained = f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}"
                (plan,) = connection.exec_driver_sql(explained, parameters).scalars()
                plans.append((statement, plan[0]["Plan"]))
            transaction.rollback()

    assert statements
    await store._database.write(explain)
    for statement, plan in plans:
        for node in _nodes(plan):
            if node.get("Relation Name") not in GROWING:
                continue
            assert node["Node Type"] != "Seq Scan", (statement, node)
            removed = node.get("Rows Removed by Filter", 0)
            rows = (node["Actual Rows"] + removed) * node["Actual Loops"]
            assert rows <= MOST_ROWS, (statement, node)
    await store.close()


async def test_a_draft_reads_few_rows(crowded_postgres):
    store = await Store.open(crowded_postgres)
    drafts = []

    async def refuse(*draft):
        drafts.append(draft)
        raise ValueError

    store._writer._apply = refuse
    job = await store.jobs.get(ALICE, JOB_ID)
    known = JobRecord(replace(job, status=JobStatus.RUNNING, completed_at=None), STALE)
    with contextlib.suppress(QuotaExceeded, StaleLeaseError):
        await create(
            store, new_job(ALICE), QASM, ANALYSIS, max_waiting=99,
            key=IdempotencyKey(SOME_ID, b""), monthly=MonthlyLimits(1e9, 9, 9.0),
        )  # fmt: skip
    with contextlib.suppress(StaleLeaseError):
        await store.jobs.end(job.id, STALE, [to(JobStatus.FAILED)], known=known)
    assert len(drafts) == 2
    connection = await asyncpg.connect(crowded_postgres)
    for number, rows in drafts:
        transaction = connection.transaction()
        await transaction.start()
        # A plan for any values, as a server that has run for a while has it.
        for _ in range(7):
            await postgres.call_commit(connection, number, rows)
        read = await connection.fetch(
            "SELECT relname, seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables"
        )
        await transaction.rollback()
        assert {name: count for name, count in read if name in GROWING and count > MOST_ROWS} == {}
    await connection.close()
    await store.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_removing_many_histories_takes_as_many_statements_as_one(request, kind):
    if kind == "sqlite":
        location, traced = request.getfixturevalue("crowd"), _traced_sqlite
    else:
        location, traced = request.getfixturevalue("crowded_postgres"), _traced_postgres
    store = await Store.open(location)
    # The jobs end a second apart.
    while await store.retention.remove(at(100)):
        pass
    statements = traced(store)
    numbers = []
    for seconds, removed in ((100.5, 1), (1000, BATCH)):
        statements.clear()
        assert await store.retention.remove(at(seconds)) == removed
        texts = [each if isinstance(each, str) else each[0] for each in statements]
        numbers.append(sum("job_" in text for text in texts))
    assert numbers[0] == numbers[1] < BATCH
    await store.close()
