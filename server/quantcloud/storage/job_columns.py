"""What a job's row and an event's row have, and how they are read."""

from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import func, select

from quantcloud.domain.execution import NO_OPTIONS, Noise, RunOptions
from quantcloud.domain.job import Job, JobEvent, JobStatus, Lease, OptimizationTarget
from quantcloud.storage.database import AnyRow
from quantcloud.storage.job_record import JobRecord
from quantcloud.storage.tables import job_events, jobs

FIXED = (
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
CHANGING = (
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
CUSTODY = ("losses", "metered", "lease_owner", "lease_token")

# An event's row has the job's metadata only where that changed, and may change again; the others
# name the event that has, or find it with the job.
_told = job_events.alias("told")

# Each row of these gives a Job; those of `RECORD_COLUMNS` a record of it, those of `EVENT_COLUMNS`
# an event, with the job as of it.
JOB_COLUMNS = [jobs.c[name] for name in (*FIXED, *CHANGING)]
RECORD_COLUMNS = [
    *JOB_COLUMNS,
    jobs.c.metadata_sequence,
    *(jobs.c[name] for name in CUSTODY),
]
EVENT_COLUMNS = [
    job_events.c.cursor,
    job_events.c.occurred_at,
    *(jobs.c[name] for name in FIXED),
    *(job_events.c[name] for name in CHANGING if name != "metadata"),
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

_OPTIONS = frozenset(field.name for field in fields(RunOptions))
_NOISE = frozenset(field.name for field in fields(Noise))


def job_of(row: AnyRow) -> Job:
    """The job of a row with `JOB_COLUMNS`, `RECORD_COLUMNS` or `EVENT_COLUMNS`."""
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


def record_of(row: AnyRow) -> JobRecord:
    """The record of a row with `RECORD_COLUMNS`."""
    lease = None
    if row.lease_token is not None:
        lease = Lease(row.lease_owner, row.attempt, row.lease_token)
    return JobRecord(
        job_of(row), lease, row.losses, row.metered, row.metadata_sequence,
        _unknown_options(row.options),
    )  # fmt: skip


def event_of(row: AnyRow) -> JobEvent:
    """The event of a row with `EVENT_COLUMNS`."""
    return JobEvent(row.sequence, row.cursor, row.occurred_at, job_of(row))


def _options_from_json(document: dict[str, Any]) -> RunOptions:
    if not document:
        return NO_OPTIONS
    known = {name: value for name, value in document.items() if name in _OPTIONS}
    if (noise := document.get("noise")) is not None:
        known["noise"] = Noise(**{name: noise[name] for name in noise if name in _NOISE})
    return RunOptions(**known)


def _unknown_options(document: dict[str, Any]) -> tuple[str, ...]:
    """What is set of options that a newer server has written, and that are unknown here."""
    if not document:
        return ()
    noise: dict[str, Any] = document.get("noise") or {}
    return (
        *(name for name, value in document.items() if value and name not in _OPTIONS),
        *(f"noise.{name}" for name, value in noise.items() if value and name not in _NOISE),
    )


def options_to_json(options: RunOptions) -> dict[str, Any]:
    """The options as `job_of` reads them."""
    if options == NO_OPTIONS:
        return {}
    return asdict(options)
