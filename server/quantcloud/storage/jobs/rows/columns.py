"""The columns of a job's row, and how to read them."""

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime
from operator import attrgetter
from typing import Any

from pydantic import TypeAdapter

from quantcloud.domain.execution import NO_OPTIONS, Noise, RunOptions
from quantcloud.domain.job import Job, JobStatus, Lease, OptimizationTarget
from quantcloud.storage.database.codec import compact_json
from quantcloud.storage.database.interface import AnyRow
from quantcloud.storage.database.tables import jobs
from quantcloud.storage.job_record import JobRecord

# The fields of a job that change during its life, and those that do not.
CHANGING = (
    "status", "sequence", "backend", "method", "queued_at", "started_at", "completed_at",
    "error_message", "metadata", "attempt",
)  # fmt: skip
FIXED = tuple(each.name for each in fields(Job) if each.name not in {*CHANGING, "changed_at"})
INTERNAL = ("losses", "metered", "lease_owner", "lease_token")
_NAMES = (*FIXED, *CHANGING)
_changing_values = attrgetter(*CHANGING)
_values = attrgetter(*_NAMES)

# `job_of` reads a row of `JOB_COLUMNS`, and `record_of` a row of `RECORD_COLUMNS`.
JOB_COLUMNS = [jobs.c[name] for name in (*_NAMES, "changed_at")]
RECORD_COLUMNS = [*JOB_COLUMNS, *(jobs.c[name] for name in ("metadata_sequence", *INTERNAL))]

# Ignores the names that this version does not know.
_read_options = TypeAdapter(RunOptions).validate_python
_OPTIONS = frozenset(field.name for field in fields(RunOptions))
_NOISE = frozenset(field.name for field in fields(Noise))


def changing(job: Job) -> dict[str, Any]:
    """Return the values of `CHANGING`, by name."""
    return dict(zip(CHANGING, _changing_values(job), strict=True))


def values_of(job: Any) -> dict[str, Any]:
    """Return the values of `FIXED` and `CHANGING` of a job or its row, by name."""
    return dict(zip(_NAMES, _values(job), strict=True))


def job_of(row: AnyRow, changed_at: datetime | None) -> Job:
    """Return the job of a row with at least `FIXED` and `CHANGING`.

    `changed_at` is the time of its latest event, None if only its submission is known.
    """
    values = values_of(row)
    values["status"] = JobStatus(row.status)
    values["optimize_for"] = OptimizationTarget(row.optimize_for)
    values["options"] = _read_options({**row.options}) if row.options else NO_OPTIONS
    values["tags"] = () if row.tags is None else tuple(json.loads(row.tags))
    return Job(**values, changed_at=changed_at or row.submitted_at)


def record_of(row: AnyRow) -> JobRecord:
    """Return the record of a row with `RECORD_COLUMNS`."""
    lease = None
    if row.lease_token is not None:
        lease = Lease(row.lease_owner, row.attempt, row.lease_token)
    return JobRecord(
        job_of(row, row.changed_at), lease, row.losses, row.metered, row.metadata_sequence,
        _unknown_options(row.options),
    )  # fmt: skip


def _unknown_options(document: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of set options that this version does not know."""
    if not document:
        return ()
    noise: dict[str, Any] = document.get("noise") or {}
    return (
        *(name for name, value in document.items() if value and name not in _OPTIONS),
        *(f"noise.{name}" for name, value in noise.items() if value and name not in _NOISE),
    )


def options_to_json(options: RunOptions) -> dict[str, Any]:
    """Return the options in the form that `job_of` reads."""
    if options == NO_OPTIONS:
        return {}
    return asdict(options)


def tags_to_json(tags: Sequence[str]) -> str | None:
    """Return the tags in the form that `job_of` reads."""
    return compact_json(list(tags)) if tags else None
