"""Group commit: units share transactions, in order, and fail separately."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import event, insert
from sqlalchemy.exc import IntegrityError

from quantcloud.domain.account import Account, Tier
from quantcloud.domain.job import InvalidTransitionError, JobStatus
from quantcloud.storage import Store
from quantcloud.storage.database.sqlite import SqliteDatabase
from quantcloud.storage.database.tables import accounts, job_events
from quantcloud.storage.unit_of_work.transaction import Pending
from unit.storage.builders import ANALYSIS, QASM, T0, create, new_job, queue, routed, submit, to
from unit.storage.elsewhere import writing_elsewhere


def _account(name: str) -> dict[str, object]:
    return {"id": name, "tier": "explorer", "created_at": T0, "turn": 0}


class _Commits:
    """Records the statements of the writing connection, in order."""

    def __init__(self, store: Store) -> None:
        self.statements: list[str] = []
        database = store._database
        if isinstance(database, SqliteDatabase):
            database._writer.prepared.driver_connection.set_trace_callback(self.statements.append)
            return
        engine = database._write_engine.sync_engine
        event.listen(engine, "begin", lambda _: self.statements.append("BEGIN"))
        event.listen(engine, "savepoint", lambda *_: self.statements.append("SAVEPOINT"))

    def count(self, prefix: str) -> int:
        return sum(statement.startswith(prefix) for statement in self.statements)


class _Gate:
    """Blocks the writer, so that later units wait together."""

    def __init__(self, store: Store) -> None:
        self._database = store._database
        self._transact = self._database.transact
        self._open = asyncio.Event()
        self._entered = asyncio.Event()
        self._database.transact = self._blocked
        self._task = asyncio.create_task(store._writer.run(lambda _tx: None))

    async def _blocked(self, work, **options):
        self._database.transact = self._transact
        self._entered.set()
        await self._open.wait()
        return await self._transact(work, **options)

    async def __aenter__(self):
        await self._entered.wait()

    async def __aexit__(self, *_):
        self._open.set()
        await self._task


async def _in_one_batch(store, *calls) -> list[object]:
    """Run `calls` in one batch; return their results or errors."""
    async with _Gate(store):
        tasks = [asyncio.ensure_future(call) for call in calls]
        await asyncio.sleep(0)
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_waiting_units_share_one_commit_in_order(store):
    commits = _Commits(store)
    order = []

    async def note(number: int) -> None:
        await store._writer.run(lambda _tx: order.append(number))

    await _in_one_batch(store, *(note(number) for number in range(300)))
    assert order == list(range(300))
    # One for the gate, then 256 units, then the rest.
    assert commits.count("BEGIN") == 3
    assert commits.count("SAVEPOINT") == 0


async def test_a_last_unit_runs_last_in_the_first_transaction(store):
    commits = _Commits(store)
    order = []

    def last(_tx):
        order.append(0)
        yield

    async def note(number: int) -> None:
        if number:
            await store._writer.submit(lambda _tx: order.append(number))
        else:
            await store._writer.submit_last(last)

    await _in_one_batch(store, *(note(number) for number in range(300)))
    assert order == [*range(1, 257), 0, *range(257, 300)]
    assert commits.count("BEGIN") == 3


async def test_units_that_run_alone_alternate_with_shared_transactions(store):
    commits = _Commits(store)
    order = []

    async def alone(number: int) -> None:
        await store._writer.run_alone(lambda _tx: order.append(number))

    async def note(number: int) -> None:
        await store._writer.run(lambda _tx: order.append(number))

    await _in_one_batch(store, alone(-1), alone(-2), alone(-3), *(note(n) for n in range(300)))
    # The gate's unit ran in a shared transaction.
    assert order == [-1, *range(256), -2, *range(256, 300), -3]
    assert commits.count("BEGIN") == 6


async def test_a_unit_cancelled_before_it_runs_blocks_no_other(store):
    order = []
    async with _Gate(store):
        cancelled = asyncio.create_task(store._writer.run_alone(lambda _tx: order.append(0)))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.sleep(0)
        rest = asyncio.create_task(store._writer.run(lambda _tx: order.append(1)))
        await asyncio.sleep(0)
    await rest
    assert order == [1]


async def test_a_refused_unit_needs_no_savepoint_or_retry(store):
    good = [await submit(store) for _ in range(3)]
    ended = await queue(store)
    await store.jobs.cancel("alice", ended.id, T0)
    commits = _Commits(store)
    outcomes = await _in_one_batch(
        store,
        store.jobs.advance(good[0].id, routed()),
        store.jobs.advance(ended.id, [to(JobStatus.FAILED)]),
        store.jobs.advance(good[1].id, routed()),
        store.jobs.advance(good[2].id, [to(JobStatus.RUNNING)]),
    )
    assert [type(outcome) for outcome in outcomes] == [
        list,
        InvalidTransitionError,
        list,
        InvalidTransitionError,
    ]
    assert commits.count("BEGIN") == 2
    assert commits.count("SAVEPOINT") == 0


async def test_a_unit_that_fails_half_way_is_undone_alone(store):
    jobs = [await submit(store) for _ in range(2)]

    def half(tx) -> None:
        tx.write(insert(accounts), _account("half"))
        raise RuntimeError("half way")

    def whole(tx) -> str:
        tx.write(insert(accounts), _account("whole"))
        return "written"

    published = []
    store.subscribe(published.extend)
    outcomes = await _in_one_batch(
        store,
        store.jobs.advance(jobs[0].id, routed()),
        store._writer.run(half),
        create(store, jobs[1], QASM, ANALYSIS, max_waiting=None),
        store._writer.run(whole),
        store.jobs.advance(jobs[1].id, routed()),
    )
    assert [type(o) for o in outcomes] == [list, RuntimeError, IntegrityError, str, list]
    assert await store.accounts.get("half") is None
    assert await store.accounts.get("whole") is not None
    assert published == [*outcomes[0], *outcomes[4]]
    assert [event.cursor for event in published] == sorted({event.cursor for event in published})
    assert (await store.accounts.usage("alice", T0)).total_jobs == 2
    assert await store.events.after("alice", jobs[0].id, 1, 10) == outcomes[0]


@pytest.mark.parametrize("read_behind", [False, True])
async def test_a_value_that_cannot_be_written_fails_only_its_own_unit(store, read_behind):
    """The error shows when the pending rows are written: at the end, or when a unit reads."""
    await store.accounts.ensure("alice", at=T0)
    bad = replace(new_job(), seed=1 << 70)
    reading = store.accounts.ensure("alice", at=T0, tier=Tier.DEVELOPER)
    outcomes = await _in_one_batch(
        store,
        create(store, bad, QASM, ANALYSIS, max_waiting=None),
        *([reading] if read_behind else ()),
        create(store, new_job(), QASM, ANALYSIS, max_waiting=None),
    )
    reading.close()
    assert isinstance(outcomes[0], Exception)
    assert [type(outcome) for outcome in outcomes[1:]] == [Account] * read_behind + [list]


def test_many_rows_are_written_in_steps():
    written = []

    class Recorder:
        def execute(self, _statement, rows) -> None:
            written.append(len(rows))

    pending = Pending(Recorder())
    for number in range(300):
        pending.add(job_events, {"sequence": number})
    steps = pending.write_in_steps()
    after_steps = [tuple(written) for _ in steps]
    assert after_steps == [(128,), (128, 128), (128, 128, 44)]
    assert not pending.failed


async def test_a_unit_cancelled_while_it_waits_does_not_run(store):
    ran = []
    async with _Gate(store):
        first = asyncio.create_task(store._writer.run(lambda _tx: ran.append(1)))
        second = asyncio.create_task(store._writer.run(lambda _tx: ran.append(2)))
        third = asyncio.create_task(store._writer.run(lambda _tx: ran.append(3)))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait([second])
    await asyncio.gather(first, third)
    assert second.cancelled()
    assert ran == [1, 3]


async def test_submitted_units_run_even_if_close_is_cancelled(store):
    async with _Gate(store):
        submitted = asyncio.create_task(store._writer.run(lambda _tx: "done"))
        await asyncio.sleep(0)
        closing = asyncio.create_task(store._writer.close())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait([closing])
    assert await submitted == "done"


async def test_a_unit_cancelled_while_it_runs_is_committed(store):
    job = await submit(store)
    published = []
    store.subscribe(published.extend)
    transact, entered, go_on = store._database.transact, asyncio.Event(), asyncio.Event()

    async def blocked(work, **options):
        entered.set()
        await go_on.wait()
        return await transact(work, **options)

    store._database.transact = blocked
    task = asyncio.create_task(
        store._writer.run(lambda tx: tx.write(insert(accounts), _account("late")))
    )
    await entered.wait()
    task.cancel()
    await asyncio.wait([task])
    go_on.set()
    await store.jobs.advance(job.id, routed())
    assert task.cancelled()
    assert await store.accounts.get("late") is not None
    assert len(published) == 3


async def test_reads_do_not_wait_for_a_transaction_that_writes(store, location):
    job = await submit(store)
    async with writing_elsewhere(location):
        waiting = asyncio.create_task(store.jobs.advance(job.id, routed()))
        assert await store.jobs.get("alice", job.id) == job
        pages = await asyncio.gather(
            *(store.jobs.list("alice", limit=20, offset=0) for _ in range(20))
        )
        assert {page.total for page in pages} == {1}
        assert not waiting.done()
    assert len(await waiting) == 3


async def test_close_runs_the_waiting_units(location):
    store = await Store.open(location)
    await store.accounts.ensure("alice", at=T0)
    jobs = [new_job() for _ in range(50)]
    tasks = [
        asyncio.create_task(create(store, job, QASM, ANALYSIS, max_waiting=None)) for job in jobs
    ]
    await asyncio.sleep(0)
    await store.close()
    assert len(await asyncio.gather(*tasks)) == 50
    reopened = await Store.open(location)
    assert (await reopened.jobs.list("alice", limit=1, offset=0)).total == 50
    await reopened.close()
