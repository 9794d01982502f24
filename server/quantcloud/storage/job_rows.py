"""A job as rows: the one place that writes a job's changes, each with its event."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.sql.dml import ReturningInsert, Update

from quantcloud.domain.errors import NotFound
from quantcloud.domain.execution import Noise, RunOptions
from quantcloud.domain.job import (
    LEASED,
    Change,
    Job,
    JobEvent,
    JobResult,
    JobStatus,
    Lease,
    OptimizationTarget,
    StaleLeaseError,
)
from quantcloud.storage.columns import JsonObject
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
    "predicted_seconds",
    "batch_id",
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

# An event's row has the job's metadata only where that changed; the others name the event that has.
_told = job_events.alias("told")

# Each row of these gives a Job; those of `EVENT_COLUMNS` an event, with the job as of it.
JOB_COLUMNS = [jobs.c[name] for name in (*_FIXED, *_CHANGING)]
EVENT_COLUMNS = [
    job_events.c.cursor,
    job_events.c.occurred_at,
    *(jobs.c[name] for name in _FIXED),
    *(job_events.c[name] for name in _CHANGING if name != "metadata"),
    func.coalesce(_told.c.metadata, jobs.c.metadata).label("metadata"),
]
EVENTS = (
    select(*EVENT_COLUMNS)
    .join_from(job_events, jobs, jobs.c.id == job_events.c.job_id)
    .outerjoin(
        _told,
        (_told.c.job_id == job_events.c.job_id)
        & (_told.c.sequence == job_events.c.metadata_sequence),
    )
)

_SELECT = (
    select(*JOB_COLUMNS, jobs.c.metadata_sequence, *(jobs.c[name] for name in _CUSTODY))
    .where(jobs.c.id == bindparam("job_id"))
    .with_for_update()
)
_INSERT = insert(jobs)
_EVENT_FIELDS = ("job_id", "account_id", "occurred_at", "metadata_sequence", *_CHANGING)

_NO_OPTIONS = RunOptions()


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job's row: the job, its lease, how many were lost, and whether its usage is counted.

    `metadata_sequence` is that of the event which brought the job's metadata.
    """

    job: Job
    lease: Lease | None = None
    losses: int = 0
    metered: bool = False
    metadata_sequence: int = 1

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
    return JobRecord(job_of(row), lease, row.losses, row.metered, row.metadata_sequence)


def add(tx: Transaction, job: Job, changes: Sequence[Change]) -> list[JobEvent]:
    """Write a new job as it is after `changes`, and its events, that of its submission first."""
    steps = [_Step(job, job.submitted_at, job.sequence), *_steps(JobRecord(job), changes)]
    last = steps[-1]
    values = {name: getattr(last.job, name) for name in (*_FIXED, *_CHANGING)}
    values["options"] = _options_to_json(job.options)
    tx.write(
        _INSERT,
        {
            **values,
            "metadata_sequence": last.metadata_sequence,
            "losses": 0,
            "metered": False,
            "lease_owner": None,
            "lease_token": None,
        },
    )
    return _add_events(tx, steps)


def advance(
    tx: Transaction,
    record: JobRecord,
    changes: Sequence[Change],
    *,
    result: JobResult | None = None,
) -> list[JobEvent]:
    """Take `record` through `changes`, one event each; raises `InvalidTransitionError` before it
    writes. The record's lease stays only while the job's status needs one. `result` goes along with
    the last event.
    """
    steps = _steps(record, changes)
    if not steps:
        return []
    last = steps[-1]
    lease = record.lease if last.job.status in LEASED else None
    values = {
        **_changing(last.job),
        "job_id": last.job.id,
        "losses": record.losses,
        "metered": record.metered,
        "lease_owner": lease and lease.owner,
        "lease_token": lease and lease.token,
    }
    if told := last.metadata_sequence != record.metadata_sequence:
        values["metadata_sequence"] = last.metadata_sequence
    else:
        del values["metadata"]
    tx.write(_update(with_metadata=told), values)
    return _add_events(tx, steps, result)


class _Step(NamedTuple):
    """A job after one change, and the event that brought its metadata."""

    job: Job
    at: datetime
    metadata_sequence: int


def _steps(record: JobRecord, changes: Sequence[Change]) -> list[_Step]:
    steps: list[_Step] = []
    job, metadata_sequence = record.job, record.metadata_sequence
    for change in changes:
        if change.metadata is not None:
            # Written with the job and with the event.
            change = replace(change, metadata=JsonObject(change.metadata))  # noqa: PLW2901
        job = job.advance(change)
        if change.status is JobStatus.DISPATCHED and record.lease is not None:
            job = replace(job, attempt=record.lease.attempt)
        if change.metadata is not None:
            metadata_sequence = job.sequence
        steps.append(_Step(job, change.at, metadata_sequence))
    return steps


def _add_events(
    tx: Transaction, steps: Sequence[_Step], result: JobResult | None = None
) -> list[JobEvent]:
    values: dict[str, Any] = {}
    for place, (job, at, metadata_sequence) in enumerate(steps):
        row = {
            **_changing(job),
            "job_id": job.id,
            "account_id": job.account_id,
            "occurred_at": at,
            "metadata_sequence": metadata_sequence,
        }
        if metadata_sequence != job.sequence:
            row["metadata"] = None
        values.update({f"{name}_{place}": value for name, value in row.items()})
    # Given out in the order of the rows; given back in any.
    cursors = sorted(tx.write(_insert_events(len(steps)), values).scalars())
    events = [
        JobEvent(job.sequence, cursor, at, job)
        for cursor, (job, at, _) in zip(cursors, steps, strict=True)
    ]
    if result is not None:
        events[-1] = replace(events[-1], result=result)
    for event in events:
        tx.emit(event)
    return events


@cache
def _update(*, with_metadata: bool) -> Update:
    names = {*_CHANGING, *_CUSTODY, "metadata_sequence"}
    if not with_metadata:
        names -= {"metadata", "metadata_sequence"}
    return (
        update(jobs)
        .where(jobs.c.id == bindparam("job_id"))
        .values({name: bindparam(name) for name in sorted(names)})
    )


@cache
def _insert_events(number: int) -> ReturningInsert[int]:
    """Insert `number` events; the names of their values end with their place."""
    columns = job_events.c
    rows = [
        {name: bindparam(f"{name}_{place}", type_=columns[name].type) for name in _EVENT_FIELDS}
        for place in range(number)
    ]
    return insert(job_events).values(rows).returning(columns.cursor)


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
        predicted_seconds=row.predicted_seconds,
        batch_id=row.batch_id,
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
