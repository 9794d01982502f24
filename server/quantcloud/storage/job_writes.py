"""What is done to jobs, as units of work. Each is atomic, and refuses before it writes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, insert, select

from quantcloud.domain.errors import FailedPrecondition, NotFound, QuotaExceeded
from quantcloud.domain.job import (
    LEASED,
    TERMINAL,
    UNROUTED,
    Change,
    Job,
    JobEvent,
    JobStatus,
    Lease,
)
from quantcloud.storage import job_rows, usage_rows
from quantcloud.storage.job_rows import JobRecord
from quantcloud.storage.queries import ACTIVE, status_in
from quantcloud.storage.tables import job_circuits, job_results, jobs
from quantcloud.storage.writer import Transaction

# A job whose lease was lost this often is failed: it is likely what its workers die of.
MAX_LOSSES = 3
WORKER_LOST = "WORKER_LOST"

_COUNT_WAITING = (
    select(func.count())
    .select_from(jobs)
    .where(
        ACTIVE,
        status_in(UNROUTED | {JobStatus.QUEUED}),
        jobs.c.account_id == bindparam("account_id"),
    )
)
_LEASED_IDS = (
    select(jobs.c.id).where(ACTIVE, status_in(LEASED)).order_by(jobs.c.queued_at, jobs.c.id)
)
_INSERT_CIRCUIT = insert(job_circuits)
_INSERT_RESULT = insert(job_results)

_CLAIM_OR_END = frozenset({JobStatus.DISPATCHED, JobStatus.COMPLETED})


@dataclass(frozen=True, slots=True)
class RunUsage:
    """What one finished run adds to its account's month."""

    simulator_seconds: float
    qpu_tasks: int
    cost_usd: float


def create(tx: Transaction, job: Job, circuit: dict[str, Any], max_waiting: int | None) -> JobEvent:
    """Add a job, its circuit's row and its first event; count it in its month."""
    if max_waiting is not None:
        waiting = tx.read(_COUNT_WAITING, {"account_id": job.account_id}).scalar_one()
        if waiting >= max_waiting:
            raise QuotaExceeded(
                "max_waiting_jobs",
                f"{waiting} jobs are waiting and the limit is {max_waiting}; "
                "submit again when some have begun",
                subject=job.account_id,
                metadata={"maximum": str(max_waiting)},
            )
    event = job_rows.add(tx, job)
    tx.write(_INSERT_CIRCUIT, circuit)
    usage_rows.add(tx, job.account_id, job.submitted_at, total_jobs=1)
    return event


def advance(
    tx: Transaction, job_id: str, changes: Sequence[Change], lease: Lease | None
) -> list[JobEvent]:
    """Take a job through `changes`, which neither dispatch it nor end a run."""
    for change in changes:
        if change.status in _CLAIM_OR_END:
            raise ValueError(f"advance() cannot make a job {change.status}; claim or complete it")
        if lease is not None and change.status in TERMINAL:
            raise ValueError(f"advance() cannot make a run {change.status}; end it")
    record = job_rows.load(tx, job_id)
    record.fence(lease)
    return job_rows.advance(tx, record, changes)


def finish(
    tx: Transaction,
    job_id: str,
    lease: Lease,
    change: Change,
    *,
    usage: RunUsage,
    result: dict[str, Any] | None = None,
) -> JobEvent:
    """End a run under its lease: the change, the result's row if it has one, the usage once."""
    record = job_rows.load(tx, job_id)
    record.fence(lease)
    (event,) = job_rows.advance(tx, replace(record, metered=True), [change])
    if result is not None:
        tx.write(_INSERT_RESULT, result)
    if not record.metered:
        usage_rows.add(
            tx,
            record.job.account_id,
            change.at,
            simulator_seconds=usage.simulator_seconds,
            qpu_tasks=usage.qpu_tasks,
            total_cost_usd=usage.cost_usd,
        )
    return event


def cancel(tx: Transaction, account_id: str, job_id: str, at: datetime) -> JobEvent | None:
    """End a job for its account; its lease ends with it."""
    record = job_rows.load(tx, job_id)
    job = record.job
    if job.account_id != account_id:
        raise NotFound("job", job_id)
    if job.status is JobStatus.CANCELLED:
        return None
    if job.status in TERMINAL:
        raise FailedPrecondition(
            f"the job is {job.status} already",
            reason="JOB_ALREADY_FINISHED",
            metadata={"id": job_id, "status": job.status.value},
        )
    (event,) = job_rows.advance(tx, record, [Change(JobStatus.CANCELLED, at)])
    return event


def requeue(tx: Transaction, job_id: str, lease: Lease, at: datetime, *, lost: bool) -> JobEvent:
    """Give a job back to its queue under its lease."""
    record = job_rows.load(tx, job_id)
    record.fence(lease)
    return _return_to_queue(tx, record, at, lost=lost)


def recover(tx: Transaction, at: datetime) -> list[JobEvent]:
    """End every lease there is, as lost."""
    return [
        _return_to_queue(tx, job_rows.load(tx, job_id), at, lost=True)
        for job_id in tx.read(_LEASED_IDS).scalars().all()
    ]


def _return_to_queue(tx: Transaction, record: JobRecord, at: datetime, *, lost: bool) -> JobEvent:
    record = replace(record, losses=record.losses + lost)
    change = Change(JobStatus.QUEUED, at)
    if record.losses >= MAX_LOSSES:
        change = Change(
            JobStatus.FAILED,
            at,
            error_message=f"the worker that ran this job was lost {record.losses} times",
            metadata={**record.job.metadata, "reason": WORKER_LOST},
        )
    (event,) = job_rows.advance(tx, record, [change])
    return event
