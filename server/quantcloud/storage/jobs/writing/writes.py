"""Changes of jobs, as units of work. Each is atomic and raises its errors before it writes."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from sqlalchemy import bindparam, select

from quantcloud.domain.account import MonthlyLimits, MonthlyUsage
from quantcloud.domain.errors import FailedPrecondition, NotFound
from quantcloud.domain.job import (
    LEASED,
    TERMINAL,
    WORKER_LOST,
    Change,
    InvalidTransitionError,
    JobEvent,
    JobResult,
    JobStatus,
    Lease,
)
from quantcloud.storage.database.queries import ACTIVE, status_in
from quantcloud.storage.database.tables import job_results, lease_owners, sweep_blocks
from quantcloud.storage.database.tables import jobs as job_table
from quantcloud.storage.job_record import JobRecord
from quantcloud.storage.jobs.rows import job_rows
from quantcloud.storage.jobs.rows.documents import Packed, PackedResult
from quantcloud.storage.jobs.rows.job_rows import ChangedMeanwhileError
from quantcloud.storage.jobs.writing import idempotency
from quantcloud.storage.jobs.writing.idempotency import IdempotencyKey
from quantcloud.storage.unit_of_work.transaction import Transaction

# A job whose lease was lost this often fails, because it is the likely cause.
MAX_LOSSES = 3

_LEASED_IDS = (
    select(job_table.c.id)
    .where(ACTIVE, status_in(LEASED))
    .order_by(job_table.c.queued_at, job_table.c.id)
)

_LEASE_OWNER = select(lease_owners.c.expires_at).where(lease_owners.c.owner == bindparam("owner"))

_CLAIM_OR_END = frozenset({JobStatus.DISPATCHED, JobStatus.COMPLETED})


NO_USAGE = MonthlyUsage()


def create(
    tx: Transaction,
    new_jobs: Sequence[Packed],
    *,
    max_waiting: int | None,
    monthly: MonthlyLimits | None,
    key: IdempotencyKey | None = None,
) -> list[list[JobEvent]]:
    """Add jobs of one account with their circuits and events; count them and what they reserve.

    The limits apply to all the jobs together. If `key` was used before, return only the submission
    events of its jobs. Raises the errors of `Jobs.create_all`.
    """
    jobs = [new.job for new, _, _ in new_jobs]
    first = jobs[0]
    account_id, at = first.account_id, first.submitted_at
    if key is not None:
        known = idempotency.find(tx, account_id, key, at)
        if known is not None:
            return [[event] for event in known]
    tasks = sum(job.reserved_qpu_tasks for job in jobs)
    cost = sum(job.reserved_cost_usd for job in jobs)
    waiting = sum(new.result is None for new, _, _ in new_jobs)
    if max_waiting is not None and waiting:
        tx.pending.check_waiting(account_id, max_waiting, waiting)
    if monthly is not None:
        tx.pending.check_month(account_id, monthly, at, qpu_tasks=tasks, cost_usd=cost)
    events: list[list[JobEvent]] = []
    for new, circuit, result in new_jobs:
        events.append(job_rows.add(tx, new, circuit))
        if result is not None:
            _add_result(tx, result)
        if new.simulator_seconds:
            tx.add_usage(account_id, new.changes[-1].at, MonthlyUsage(new.simulator_seconds))
    usage = MonthlyUsage(total_jobs=len(jobs), qpu_tasks=tasks, total_cost_usd=cost)
    tx.add_usage(account_id, at, usage)
    if key is not None:
        idempotency.keep(tx, key, [submitted for submitted, *_ in events])
    return events


def _add_result(tx: Transaction, result: PackedResult) -> None:
    tx.add(job_results, result.row)
    if result.block is not None:
        tx.add(sweep_blocks, result.block)


def advance(
    tx: Transaction,
    job_id: str,
    changes: Sequence[Change],
    lease: Lease | None,
    known: JobRecord | None = None,
) -> list[JobEvent]:
    """Apply `changes` to a job; they must neither dispatch it nor end a run.

    If the job still equals `known`, it is not read again.
    """
    for change in changes:
        if change.status in _CLAIM_OR_END:
            raise ValueError(f"advance() cannot make a job {change.status}; claim or complete it")
        if lease is not None and change.status in TERMINAL:
            raise ValueError(f"advance() cannot make a run {change.status}; end it")
    record, after, events = _advance(tx, job_id, changes, lease, known)
    if after.metered and not record.metered:
        _meter(tx, record, changes[-1].at, NO_USAGE)
    return events


def finish(
    tx: Transaction,
    job_id: str,
    lease: Lease,
    changes: Sequence[Change],
    *,
    known: JobRecord | None,
    usage: MonthlyUsage,
    result: PackedResult | None = None,
) -> JobEvent:
    """End a run under its lease: write the changes and the result, and count the usage once.

    If the job still equals `known`, it is not read again.
    """
    stored = None if result is None else result.whole
    record, _, events = _advance(tx, job_id, changes, lease, known, result=stored)
    if result is not None:
        _add_result(tx, result)
    _meter(tx, record, changes[-1].at, usage)
    return events[-1]


def _advance(
    tx: Transaction,
    job_id: str,
    changes: Sequence[Change],
    lease: Lease | None,
    known: JobRecord | None,
    *,
    result: JobResult | None = None,
) -> tuple[JobRecord, JobRecord, list[JobEvent]]:
    """Apply `changes` to a job; return it as before and as after, and the events."""
    if known is not None and known.lease == lease:
        # The job may have changed since.
        with suppress(InvalidTransitionError, ChangedMeanwhileError):
            return known, *job_rows.advance(tx, known, changes, result=result, as_known=True)
    record = job_rows.load_leased(tx, job_id, lease)
    return record, *job_rows.advance(tx, record, changes, result=result)


def cancel(
    tx: Transaction, account_id: str, job_id: str, at: datetime, *, job_seconds: float
) -> JobEvent | None:
    """Cancel a job and end its lease; return None if it was cancelled before."""
    record = job_rows.load(tx, job_id)
    job = record.job
    if job.account_id != account_id:
        raise NotFound("job", job_id)
    if job.status is JobStatus.CANCELLED:
        return None
    if job.status in TERMINAL:
        raise FailedPrecondition(
            f"the job has already ended: it is {job.status}",
            reason="JOB_ALREADY_FINISHED",
            metadata={"id": job_id, "status": job.status.value},
        )
    _, (event,) = job_rows.advance(tx, record, [Change(JobStatus.CANCELLED, at)])
    _meter(tx, record, at, _so_far(tx, record, at, job_seconds))
    return event


def recover(tx: Transaction, at: datetime) -> list[JobEvent]:
    """End all leases as lost."""
    return return_all(tx, tx.read(_LEASED_IDS).scalars(), at, lost=True)


def return_all(
    tx: Transaction, job_ids: Iterable[str], at: datetime, *, lost: bool
) -> list[JobEvent]:
    """End the leases of jobs and queue the jobs, as `return_to_queue` does."""
    return [return_to_queue(tx, job_rows.load(tx, job_id), at, lost=lost) for job_id in job_ids]


def return_to_queue(
    tx: Transaction,
    record: JobRecord,
    at: datetime,
    *,
    lost: bool,
    because: str = "",
    most: int = MAX_LOSSES,
) -> JobEvent:
    """End a job's lease and queue the job; if it was `lost` for the last time, the job fails."""
    record = replace(record, losses=record.losses + lost)
    change = Change(JobStatus.QUEUED, at)
    if lost and record.losses >= most:
        change = Change(
            JobStatus.FAILED,
            at,
            error_message=f"the worker that ran this job was lost {record.losses} times"
            + (f": {because}" if because else ""),
            metadata={**record.job.metadata, "reason": WORKER_LOST},
        )
    after, (event,) = job_rows.advance(tx, record, [change])
    if after.metered:
        _meter(tx, record, at, NO_USAGE)
    return event


def _so_far(tx: Transaction, record: JobRecord, at: datetime, job_seconds: float) -> MonthlyUsage:
    """Return the usage so far of a job that is cancelled: nothing unless it runs."""
    job = record.job
    if job.status is not JobStatus.RUNNING or job.started_at is None:
        return NO_USAGE
    if job.reserved_qpu_tasks:
        return MonthlyUsage(qpu_tasks=job.reserved_qpu_tasks, total_cost_usd=job.reserved_cost_usd)
    # The server of the run may be dead, or may have lost the database when the run ended.
    owner = tx.look_up(_LEASE_OWNER, {"owner": record.held.owner}).one_or_none()
    last = at if owner is None else min(at, owner.expires_at)
    seconds = (last - job.started_at).total_seconds()
    own = job.options.timeout_seconds
    limit = job_seconds if own is None else min(job_seconds, own)
    # The clocks of two servers may differ.
    return MonthlyUsage(min(max(0.0, seconds), limit), total_cost_usd=job.reserved_cost_usd)


def _meter(tx: Transaction, record: JobRecord, at: datetime, usage: MonthlyUsage) -> None:
    """Count the usage of a job that ends, once.

    What it reserved but did not use is given back in the month of its submission.
    """
    if record.metered:
        return
    job = record.job
    tasks = usage.qpu_tasks - job.reserved_qpu_tasks
    cost = usage.total_cost_usd - job.reserved_cost_usd
    if tasks < 0 or cost < 0:
        given_back = MonthlyUsage(qpu_tasks=min(0, tasks), total_cost_usd=min(0.0, cost))
        tx.add_usage(job.account_id, job.submitted_at, given_back)
    if usage.simulator_seconds or tasks > 0 or cost > 0:
        taken = MonthlyUsage(usage.simulator_seconds, max(0, tasks), 0, max(0.0, cost))
        tx.add_usage(job.account_id, at, taken)
