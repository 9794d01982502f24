"""Removes old history, in small transactions.

A job whose history is removed keeps its row and its last event, so it is still listed and still
shows how it ended. History is removed in the order of completion. The progress is stored, so each
job is visited once. A job that is removed leaves only its share of the account's usage.

A transaction has as many statements for `BATCH` jobs as for one. Each statement lists the ids of
the jobs, so that the planner need not estimate their number.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate

from sqlalchemy import Executable, bindparam, delete, func, insert, select, tuple_, update

from quantcloud.storage.database.interface import AnyRow
from quantcloud.storage.database.queries import Values, place
from quantcloud.storage.database.tables import (
    idempotency_keys,
    job_circuits,
    job_events,
    job_results,
    job_tags,
    jobs,
    removed_events,
    retention_progress,
    sweep_blocks,
)
from quantcloud.storage.jobs import idempotency
from quantcloud.storage.unit_of_work.group_commit import Writer
from quantcloud.storage.unit_of_work.transaction import Transaction

BATCH = 24
"""The most jobs whose history one transaction removes."""
BATCH_BYTES = 4 * 1024 * 1024
"""The most bytes of results and circuits that one removes, unless a single job has more."""
_PROGRESS_ID = 1
_IDS = Values("id", BATCH)

_PROGRESS = select(retention_progress.c.completed_at, retention_progress.c.job_id)
_ENDED = jobs.c.completed_at.is_not(None)
_OLD = jobs.c.completed_at < bindparam("before", type_=jobs.c.completed_at.type)
# SQLite and PostgreSQL know the length of a large value without reading it.
_BYTES = sum(
    (
        func.coalesce(func.length(column), 0)
        for column in (job_results.c.counts, job_results.c.statevector, job_circuits.c.qasm)
    ),
    start=func.coalesce(func.length(job_results.c.metadata), 0),
)
_BLOCK_BYTES = (
    select(func.coalesce(func.sum(func.length(sweep_blocks.c.data)), 0))
    .where(sweep_blocks.c.job_id == jobs.c.id)
    .scalar_subquery()
)
_NEXT = (
    select(
        jobs.c.id, jobs.c.account_id, jobs.c.completed_at, (_BYTES + _BLOCK_BYTES).label("bytes")
    )
    .outerjoin(job_results, job_results.c.job_id == jobs.c.id)
    .outerjoin(job_circuits, job_circuits.c.job_id == jobs.c.id)
    .where(_ENDED, _OLD)
    .order_by(jobs.c.completed_at, jobs.c.id)
    .limit(BATCH)
)
_NEXT_AFTER = _NEXT.where(
    tuple_(jobs.c.completed_at, jobs.c.id)
    > place(jobs.c.completed_at, jobs.c.id, "completed_at", "job_id")
)
_OF_JOBS = _IDS.contain(job_events.c.job_id)
_EVENTS = select(
    job_events.c.account_id, job_events.c.cursor, job_events.c.completed_at, job_events.c.earlier
).where(_OF_JOBS)
_REMOVE_DATA = [
    delete(table).where(_IDS.contain(table.c.job_id))
    for table in (job_results, sweep_blocks, job_circuits)
]
_REMOVE_HISTORY = (
    *_REMOVE_DATA,
    # The last event of a job that has ended is the one with a time of completion.
    delete(job_events).where(_OF_JOBS, job_events.c.completed_at.is_(None)),
    update(job_events).where(_OF_JOBS, job_events.c.earlier.is_not(None)).values(earlier=None),
)
# In the order that the foreign keys require. A key of a job that old has expired.
_REMOVE_JOBS = (
    *_REMOVE_DATA,
    delete(job_events).where(_OF_JOBS),
    delete(job_tags).where(_IDS.contain(job_tags.c.job_id)),
    delete(idempotency_keys).where(_IDS.contain(idempotency_keys.c.job_id)),
    delete(jobs).where(_IDS.contain(jobs.c.id)),
)
_HORIZONS = select(removed_events.c.account_id, removed_events.c.cursor).where(
    _IDS.contain(removed_events.c.account_id)
)
_SET_HORIZON = (
    update(removed_events)
    .where(removed_events.c.account_id == bindparam("of_account"))
    .values(cursor=bindparam("to_cursor"))
)
_INSERT_HORIZON = insert(removed_events)
_SET_PROGRESS = update(retention_progress).values(
    completed_at=bindparam("completed_at"), job_id=bindparam("job_id")
)
_INSERT_PROGRESS = insert(retention_progress)
_COUNT_REMOVED = (
    update(removed_events)
    .where(removed_events.c.account_id == bindparam("of_account"))
    .values(jobs=removed_events.c.jobs + bindparam("number"))
)


class Retention:
    """Removes old history and expired idempotency keys."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def remove(self, before: datetime) -> int:
        """Remove results, circuits and earlier events of up to `BATCH` jobs that ended before then.

        Return how many jobs these were: 0 if no more are left.
        """
        return await self._writer.run_alone(lambda tx: _remove(tx, before))

    async def remove_jobs(self, before: datetime) -> int:
        """Remove up to `BATCH` jobs that ended before then, with all that belongs to them.

        Return how many: 0 if no more are left.
        """
        return await self._writer.run_alone(lambda tx: _remove_jobs(tx, before))

    async def forget_keys(self, at: datetime) -> int:
        """Remove up to `idempotency.BATCH` expired keys.

        Return how many: 0 if no more are left.
        """
        return await self._writer.run_alone(lambda tx: idempotency.forget_old(tx, at))


def _remove(tx: Transaction, before: datetime) -> int:
    progress = tx.read(_PROGRESS).one_or_none()
    if progress is None:
        found = tx.read(_NEXT, {"before": before}).all()
    else:
        after = {"completed_at": progress.completed_at, "job_id": progress.job_id}
        found = tx.read(_NEXT_AFTER, {"before": before, **after}).all()
    found = _bounded(found)
    if not found:
        return 0
    ids = _IDS.of([job.id for job in found])
    # The earlier events of a row have the cursors just below its own.
    gone = [
        (event.account_id, event.cursor - (event.completed_at is not None))
        for event in tx.read(_EVENTS, ids)
        if event.completed_at is None or event.earlier is not None
    ]
    _run(tx, _REMOVE_HISTORY, ids)
    _raise_horizons(tx, gone)
    reached = {"completed_at": found[-1].completed_at, "job_id": found[-1].id}
    if tx.write(_SET_PROGRESS, reached).rowcount == 0:
        tx.write(_INSERT_PROGRESS, {"id": _PROGRESS_ID, **reached})
    return len(found)


def _remove_jobs(tx: Transaction, before: datetime) -> int:
    found = _bounded(tx.read(_NEXT, {"before": before}).all())
    if not found:
        return 0
    ids = _IDS.of([job.id for job in found])
    gone = [(event.account_id, event.cursor) for event in tx.read(_EVENTS, ids)]
    _run(tx, _REMOVE_JOBS, ids)
    _raise_horizons(tx, gone)
    counts = Counter(job.account_id for job in found)
    tx.write(
        _COUNT_REMOVED,
        [{"of_account": account_id, "number": number} for account_id, number in counts.items()],
    )
    return len(found)


def _bounded(found: Sequence[AnyRow]) -> Sequence[AnyRow]:
    """Return the first jobs, up to `BATCH_BYTES` together; at least one."""
    sizes = accumulate(job.bytes for job in found)
    return found[: max(1, sum(size <= BATCH_BYTES for size in sizes))]


def _run(tx: Transaction, statements: Sequence[Executable], ids: dict[str, str]) -> None:
    for statement in statements:
        tx.write(statement, ids)


def _raise_horizons(tx: Transaction, gone: Sequence[tuple[str, int]]) -> None:
    """Note that events of accounts were removed up to these cursors."""
    horizons: dict[str, int] = {}
    for account_id, cursor in gone:
        horizons[account_id] = max(horizons.get(account_id, 0), cursor)
    if not horizons:
        return
    present = {row.account_id: row.cursor for row in tx.read(_HORIZONS, _IDS.of([*horizons]))}
    raised = [
        {"of_account": account_id, "to_cursor": cursor}
        for account_id, cursor in horizons.items()
        if present.get(account_id, cursor) < cursor
    ]
    new = [
        {"account_id": account_id, "cursor": cursor}
        for account_id, cursor in horizons.items()
        if account_id not in present
    ]
    if raised:
        tx.write(_SET_HORIZON, raised)
    if new:
        tx.write(_INSERT_HORIZON, new)
