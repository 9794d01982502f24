"""Removes what has been kept for long enough, a little at a time.

A job whose history is removed keeps its row and its last event: it is still listed, and still says
how it ended. Jobs go in the order of their ends, and how far that has come is kept too, so each is
looked at once.
"""

from datetime import datetime

from sqlalchemy import bindparam, delete, func, insert, select, tuple_, update

from quantcloud.storage import idempotency
from quantcloud.storage.database import AnyRow
from quantcloud.storage.tables import (
    job_circuits,
    job_events,
    job_results,
    jobs,
    removed_events,
    retention_progress,
)
from quantcloud.storage.transaction import Transaction
from quantcloud.storage.writer import Writer

BATCH = 100
_ONE = 1

_PROGRESS = select(retention_progress.c.completed_at, retention_progress.c.job_id)
_ENDED = jobs.c.completed_at.is_not(None)
_OLD = jobs.c.completed_at < bindparam("before", type_=jobs.c.completed_at.type)
_NEXT = (
    select(jobs.c.id, jobs.c.account_id, jobs.c.sequence, jobs.c.completed_at)
    .where(_ENDED, _OLD)
    .order_by(jobs.c.completed_at, jobs.c.id)
    .limit(bindparam("number"))
)
_NEXT_AFTER = _NEXT.where(
    tuple_(jobs.c.completed_at, jobs.c.id)
    > tuple_(
        bindparam("completed_at", type_=jobs.c.completed_at.type),
        bindparam("job_id", type_=jobs.c.id.type),
    )
)
_EARLIER_EVENTS = (
    job_events.c.job_id == bindparam("of_job"),
    job_events.c.sequence < bindparam("last"),
)
_LAST_REMOVED = select(func.max(job_events.c.cursor)).where(*_EARLIER_EVENTS)
_REMOVE_EVENTS = delete(job_events).where(*_EARLIER_EVENTS)
_LAST_WITH_EARLIER = (
    job_events.c.job_id == bindparam("of_job"),
    job_events.c.sequence == bindparam("last"),
    job_events.c.earlier.is_not(None),
)
_LAST_CURSOR = select(job_events.c.cursor).where(*_LAST_WITH_EARLIER)
_REMOVE_EARLIER = update(job_events).where(*_LAST_WITH_EARLIER).values(earlier=None)
_REMOVE_RESULT = delete(job_results).where(job_results.c.job_id == bindparam("of_job"))
_REMOVE_CIRCUIT = delete(job_circuits).where(job_circuits.c.job_id == bindparam("of_job"))
_HORIZON = select(removed_events.c.cursor).where(
    removed_events.c.account_id == bindparam("account_id")
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


class Retention:
    """What is removed when it is old."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def remove(self, before: datetime) -> int:
        """Remove results, circuits and earlier events of up to `BATCH` jobs that ended before then.

        How many jobs that were: fewer than `BATCH` means that there are no more.
        """
        return await self._writer.run(lambda tx: _remove(tx, before))

    async def forget_keys(self, at: datetime) -> None:
        """Forget the idempotency keys that have had their day."""
        await self._writer.run(lambda tx: idempotency.forget_old(tx, at))


def _remove(tx: Transaction, before: datetime) -> int:
    progress = tx.read(_PROGRESS).one_or_none()
    values = {"before": before, "number": BATCH}
    if progress is None:
        found = tx.read(_NEXT, values).all()
    else:
        after = {"completed_at": progress.completed_at, "job_id": progress.job_id}
        found = tx.read(_NEXT_AFTER, {**values, **after}).all()
    horizons: dict[str, int] = {}
    for job in found:
        cursor = _remove_history(tx, job)
        horizons[job.account_id] = max(horizons.get(job.account_id, 0), cursor)
    for account_id, cursor in horizons.items():
        _raise_horizon(tx, account_id, cursor)
    if found:
        reached = {"completed_at": found[-1].completed_at, "job_id": found[-1].id}
        if tx.write(_SET_PROGRESS, reached).rowcount == 0:
            tx.write(_INSERT_PROGRESS, {"id": _ONE, **reached})
    return len(found)


def _remove_history(tx: Transaction, job: AnyRow) -> int:
    """Remove a job's history but its last event; the highest cursor that went."""
    values = {"of_job": job.id, "last": job.sequence}
    last = tx.read(_LAST_CURSOR, values).one_or_none()
    if last is None:
        cursor = tx.read(_LAST_REMOVED, values).scalar_one()
    else:
        cursor = last.cursor - 1
        tx.write(_REMOVE_EARLIER, values)
    tx.write(_REMOVE_EVENTS, values)
    tx.write(_REMOVE_RESULT, {"of_job": job.id})
    tx.write(_REMOVE_CIRCUIT, {"of_job": job.id})
    return cursor or 0


def _raise_horizon(tx: Transaction, account_id: str, cursor: int) -> None:
    present = tx.read(_HORIZON, {"account_id": account_id}).one_or_none()
    if present is None:
        tx.write(_INSERT_HORIZON, {"account_id": account_id, "cursor": cursor})
    elif present.cursor < cursor:
        tx.write(_SET_HORIZON, {"of_account": account_id, "to_cursor": cursor})
