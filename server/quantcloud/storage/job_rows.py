"""A job as rows: the one place that writes a job's changes, each with its event."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from quantcloud.domain.errors import NotFound
from quantcloud.domain.execution import Noise, RunOptions
from quantcloud.domain.job import (
    LEASED,
    Change,
    Job,
    JobEvent,
    JobStatus,
    Lease,
    OptimizationTarget,
    StaleLeaseError,
)
from quantcloud.storage.database import AnyRow
from quantcloud.storage.tables import job_events, jobs
from quantcloud.storage.writer import Transaction

_FIXED = (
    "id",
    "account_id",
    "submitted_at",
    "shots",
    "optimize_for",
    "seed",
    "requested_backend",
    "max_cost_usd",
    "min_fidelity",
    "options",
    "reserved_qpu_tasks",
    "reserved_cost_usd",
)
_CHANGING = (
    "status",
    "sequence",
    "backend",
    "method",
    "queued_at",
    "started_at",
    "completed_at",
    "error_message",
    "metadata",
    "attempt",
)
_CUSTODY = ("losses", "metered", "lease_owner", "lease_token")

# Each row of these gives a Job; those of `EVENT_COLUMNS` an event, with the job as of it.
JOB_COLUMNS = [jobs.c[name] for name in (*_FIXED, *_CHANGING)]
EVENT_COLUMNS = [
    job_events.c.cursor,
    job_events.c.occurred_at,
    *(jobs.c[name] for name in _FIXED),
    *(job_events.c[name] for name in _CHANGING),
]

_SELECT = (
    select(*JOB_COLUMNS, *(jobs.c[name] for name in _CUSTODY))
    .where(jobs.c.id == bindparam("job_id"))
    .with_for_update()
)
_UPDATE = (
    update(jobs)
    .where(jobs.c.id == bindparam("job_id"))
    .values({name: bindparam(name) for name in (*_CHANGING, *_CUSTODY)})
)
_INSERT = insert(jobs)
_INSERT_EVENT = insert(job_events)

_NO_OPTIONS = RunOptions()


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job's row: the job, its lease, how many were lost, and whether its usage is counted."""

    job: Job
    lease: Lease | None = None
    losses: int = 0
    metered: bool = False

    def fence(self, lease: Lease | None) -> None:
        """Raise `StaleLeaseError` unless `lease` is the one that the job has, or has not."""
        if self.lease != lease:
            held = f"attempt {self.lease.attempt}" if self.lease else "none"
            raise StaleLeaseError(f"job {self.job.id} has another lease ({held})")


def load(tx: Transaction, job_id: str) -> JobRecord:
    """The job's row, locked until the transaction ends. Raises `NotFound`."""
    row = tx.read(_SELECT, {"job_id": job_id}).one_or_none()
    if row is None:
        raise NotFound("job", job_id)
    lease = None
    if row.lease_token is not None:
        lease = Lease(row.lease_owner, row.attempt, row.lease_token)
    return JobRecord(job_of(row), lease, row.losses, row.metered)


def add(tx: Transaction, job: Job) -> JobEvent:
    """Write a new job and its first event."""
    values = {name: getattr(job, name) for name in (*_FIXED, *_CHANGING)}
    values["options"] = _options_to_json(job.options)
    tx.write(
        _INSERT,
        {**values, "losses": 0, "metered": False, "lease_owner": None, "lease_token": None},
    )
    return _add_event(tx, job, job.submitted_at)


def advance(tx: Transaction, record: JobRecord, changes: Sequence[Change]) -> list[JobEvent]:
    """Take `record` through `changes`, one event each; raises `InvalidTransitionError` before it
    writes. The record's lease stays only while the job's status needs one.
    """
    steps: list[tuple[Job, datetime]] = []
    job = record.job
    for change in changes:
        job = job.advance(change)
        if change.status is JobStatus.DISPATCHED and record.lease is not None:
            job = replace(job, attempt=record.lease.attempt)
        steps.append((job, change.at))
    if not steps:
        return []
    lease = record.lease if job.status in LEASED else None
    tx.write(
        _UPDATE,
        {
            **_changing(job),
            "job_id": job.id,
            "losses": record.losses,
            "metered": record.metered,
            "lease_owner": lease and lease.owner,
            "lease_token": lease and lease.token,
        },
    )
    return [_add_event(tx, step, at) for step, at in steps]


def _add_event(tx: Transaction, job: Job, at: datetime) -> JobEvent:
    result = tx.write(
        _INSERT_EVENT,
        {**_changing(job), "job_id": job.id, "account_id": job.account_id, "occurred_at": at},
    )
    key = result.inserted_primary_key
    assert key is not None  # noqa: S101  # one row was inserted
    event = JobEvent(job.sequence, key.cursor, at, job)
    tx.emit(event)
    return event


def _changing(job: Job) -> dict[str, Any]:
    return {name: getattr(job, name) for name in _CHANGING}


def job_of(row: AnyRow) -> Job:
    """The job of a row with `JOB_COLUMNS` or `EVENT_COLUMNS`."""
    return Job(
        id=row.id,
        account_id=row.account_id,
        status=JobStatus(row.status),
        shots=row.shots,
        optimize_for=OptimizationTarget(row.optimize_for),
        submitted_at=row.submitted_at,
        seed=row.seed,
        requested_backend=row.requested_backend,
        max_cost_usd=row.max_cost_usd,
        min_fidelity=row.min_fidelity,
        options=_options_from_json(row.options),
        reserved_qpu_tasks=row.reserved_qpu_tasks,
        reserved_cost_usd=row.reserved_cost_usd,
        backend=row.backend,
        method=row.method,
        queued_at=row.queued_at,
        started_at=row.started_at,
        completed_at=row.completed_at,
        error_message=row.error_message,
        metadata=row.metadata,
        attempt=row.attempt,
        sequence=row.sequence,
    )


def event_of(row: AnyRow) -> JobEvent:
    """The event of a row with `EVENT_COLUMNS`."""
    return JobEvent(row.sequence, row.cursor, row.occurred_at, job_of(row))


def _options_to_json(options: RunOptions) -> dict[str, Any]:
    if options == _NO_OPTIONS:
        return {}
    return asdict(options)


def _options_from_json(document: dict[str, Any]) -> RunOptions:
    if not document:
        return _NO_OPTIONS
    options = RunOptions(**document)
    noise = document.get("noise")
    return options if noise is None else replace(options, noise=Noise(**noise))
