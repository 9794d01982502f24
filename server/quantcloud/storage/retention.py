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

from sqlalchemy import Executable, bindparam, case, delete, func, select, tuple_, update

from quantcloud.storage.database.interface import AnyRow
from quantcloud.storage.database.queries import Values, place, upsert
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
from quantcloud.storage.jobs.writing import idempotency
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
_SET_PROGRESS = upsert(
    retention_progress, lambda new: {"completed_at": new.completed_at, "job_id": new.job_id}
)
_NOTE_REMOVED = upsert(
    removed_events,
    lambda new: {
        "cursor": case(
            (removed_events.c.cursor < new.cursor, new.cursor), else_=removed_events.c.cursor
        ),
        "jobs": removed_events.c.jobs + new.jobs,
    },
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
    _note_removed(tx, gone, Counter())
    last = found[-1]
    tx.write(
        _SET_PROGRESS, {"id": _PROGRESS_ID, "completed_at": last.completed_at, "job_id": last.id}
    )
    return len(found)


def _remove_jobs(tx: Transaction, before: datetime) -> int:
    found = _bounded(tx.read(_NEXT, {"before": before}).all())
    if not found:
        return 0
    ids = _IDS.of([job.id for job in found])
    gone = [(event.account_id, event.cursor) for event in tx.read(_EVENTS, ids)]
    _run(tx, _REMOVE_JOBS, ids)
    _note_removed(tx, gone, Counter(job.account_id for job in found))
    return len(found)


def _bounded(found: Sequence[AnyRow]) -> Sequence[AnyRow]:
    """Return the first jobs, up to `BATCH_BYTES` together; at least one."""
    sizes = accumulate(job.bytes for job in found)
    return found[: max(1, sum(size <= BATCH_BYTES for size in sizes))]


def _run(tx: Transaction, statements: Sequence[Executable], ids: dict[str, str]) -> None:
    for statement in statements:
        tx.write(statement, ids)


def _note_removed(
    tx: Transaction, events: Sequence[tuple[str, int]], removed_jobs: Counter[str]
) -> None:
    """Note up to which cursor events of accounts were removed, and how many of their jobs."""
    cursors: dict[str, int] = {}
    for account_id, cursor in events:
        cursors[account_id] = max(cursors.get(account_id, 0), cursor)
    if cursors:
        tx.write(
            _NOTE_REMOVED,
            [
                {"account_id": account_id, "cursor": cursor, "jobs": removed_jobs[account_id]}
                for account_id, cursor in cursors.items()
            ],
        )
