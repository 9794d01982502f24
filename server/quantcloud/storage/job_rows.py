"""A job as rows: the one place that writes a job's changes, each with its event."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.sql.dml import Update

from quantcloud.circuits.analysis import Analysis
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
)
from quantcloud.storage.columns import JsonObject
from quantcloud.storage.database import AnyRow
from quantcloud.storage.job_record import JobRecord
from quantcloud.storage.tables import job_events, jobs
from quantcloud.storage.transaction import Added, Transaction

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

_NO_OPTIONS = RunOptions()


class Written(NamedTuple):
    """A job as it is after changes, and the events that tell of them."""

    record: JobRecord
    events: list[JobEvent]


def load(tx: Transaction, job_id: str) -> JobRecord:
    """The job's row, locked until the transaction ends. Raises `NotFound`."""
    if (added := tx.pending.jobs.get(job_id)) is not None:
        return added.record
    row = tx.look_up(_SELECT, {"job_id": job_id}).one_or_none()
    if row is None:
        raise NotFound("job", job_id)
    lease = None
    if row.lease_token is not None:
        lease = Lease(row.lease_owner, row.attempt, row.lease_token)
    return JobRecord(job_of(row), lease, row.losses, row.metered, row.metadata_sequence)


def add(
    tx: Transaction, job: Job, changes: Sequence[Change], qasm: str, analysis: Analysis
) -> tuple[Added, list[JobEvent]]:
    """A new job as it is after `changes`, and its events, that of its submission first.

    Its row is written in time; its circuit's is the caller's to add.
    """
    steps = [_Step(job, job.submitted_at, job.sequence), *_steps(JobRecord(job), changes)]
    last = steps[-1]
    row = {name: getattr(last.job, name) for name in (*_FIXED, *_CHANGING)}
    row["options"] = _options_to_json(job.options)
    row |= {
        "metadata_sequence": last.metadata_sequence,
        "losses": 0,
        "metered": False,
        "lease_owner": None,
        "lease_token": None,
    }
    record = JobRecord(last.job, metadata_sequence=last.metadata_sequence)
    tx.pending.moved(job.account_id, None, last.job.status)
    return Added(record, row, qasm, analysis), _add_events(tx, steps)


def advance(
    tx: Transaction,
    record: JobRecord,
    changes: Sequence[Change],
    *,
    result: JobResult | None = None,
) -> Written:
    """Take `record` through `changes`, one event each; raises `InvalidTransitionError` before it
    writes. The record's lease stays only while the job's status needs one. `result` goes along with
    the last event.
    """
    written = _advance(tx, record, changes, result, as_known=False)
    assert written is not None  # noqa: S101  # nothing was asked of the row
    return written


def advance_as_known(
    tx: Transaction, record: JobRecord, changes: Sequence[Change], *, result: JobResult | None
) -> Written | None:
    """As `advance`, of a record that was not read in this transaction; None, and nothing written,
    where the job has changed since.
    """
    return _advance(tx, record, changes, result, as_known=True)


def _advance(
    tx: Transaction,
    record: JobRecord,
    changes: Sequence[Change],
    result: JobResult | None,
    *,
    as_known: bool,
) -> Written | None:
    steps = _steps(record, changes)
    if not steps:
        return Written(record, [])
    last = steps[-1]
    lease = record.lease if last.job.status in LEASED else None
    after = replace(record, job=last.job, lease=lease, metadata_sequence=last.metadata_sequence)
    values = {
        **_changing(last.job),
        "losses": record.losses,
        "metered": record.metered,
        "lease_owner": lease and lease.owner,
        "lease_token": lease and lease.token,
    }
    if told := last.metadata_sequence != record.metadata_sequence:
        values["metadata_sequence"] = last.metadata_sequence
    else:
        del values["metadata"]
    if (added := tx.pending.jobs.get(record.job.id)) is not None:
        added.row.update(values)
        added.record = after
    else:
        values["job_id"] = record.job.id
        if as_known:
            values["known_sequence"] = record.job.sequence
            values["known_token"] = record.lease and record.lease.token
        update = _update(with_metadata=told, as_known=as_known)
        if tx.change(update, values).rowcount == 0 and as_known:
            return None
    tx.pending.moved(record.job.account_id, record.job.status, last.job.status)
    return Written(after, _add_events(tx, steps, result))


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
    cursors = tx.pending.cursors(len(steps))
    rows: list[dict[str, Any]] = []
    events: list[JobEvent] = []
    for cursor, (job, at, metadata_sequence) in zip(cursors, steps, strict=True):
        row = _changing(job)
        row["cursor"] = cursor
        row["job_id"] = job.id
        row["account_id"] = job.account_id
        row["occurred_at"] = at
        row["metadata_sequence"] = metadata_sequence
        if metadata_sequence != job.sequence:
            row["metadata"] = None
        rows.append(row)
        events.append(JobEvent(job.sequence, cursor, at, job))
    if result is not None:
        events[-1] = replace(events[-1], result=result)
    tx.add_events(rows, events)
    return events


@cache
def _update(*, with_metadata: bool, as_known: bool) -> Update:
    names = {*_CHANGING, *_CUSTODY, "metadata_sequence"}
    if not with_metadata:
        names -= {"metadata", "metadata_sequence"}
    statement = (
        update(jobs)
        .where(jobs.c.id == bindparam("job_id"))
        .values({name: bindparam(name) for name in sorted(names)})
    )
    if as_known:
        statement = statement.where(
            jobs.c.sequence == bindparam("known_sequence"),
            jobs.c.lease_token == bindparam("known_token"),
        )
    return statement


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
