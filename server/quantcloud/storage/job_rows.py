"""A job as rows: the one place that writes a job's changes, each with its event."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import bindparam, select, update
from sqlalchemy.sql.dml import Update

from quantcloud.circuits.analysis import Analysis
from quantcloud.domain.errors import NotFound
from quantcloud.domain.job import LEASED, Change, Job, JobEvent, JobResult
from quantcloud.storage.columns import JsonObject
from quantcloud.storage.job_columns import (
    CHANGING,
    CUSTODY,
    FIXED,
    RECORD_COLUMNS,
    options_to_json,
    record_of,
)
from quantcloud.storage.job_record import JobRecord
from quantcloud.storage.tables import jobs
from quantcloud.storage.transaction import Added, Transaction

_NAMES = (*FIXED, *CHANGING)
_values, _changing_values = attrgetter(*_NAMES), attrgetter(*CHANGING)
_SELECT = select(*RECORD_COLUMNS).where(jobs.c.id == bindparam("job_id")).with_for_update()


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
    return record_of(row)


def add(
    tx: Transaction,
    job: Job,
    changes: Sequence[Change],
    qasm: str,
    analysis: Analysis,
    *,
    result: JobResult | None = None,
) -> tuple[Added, list[JobEvent]]:
    """A new job as it is after `changes`, and its events, that of its submission first.

    Its row is written in time; its circuit's is the caller's to add. `result` is of one that has
    ended, and goes along with the last event.
    """
    steps = [_Step(job, job.submitted_at, job.sequence), *_steps(JobRecord(job), changes)]
    last = steps[-1]
    row: dict[str, Any] = dict(zip(_NAMES, _values(last.job), strict=True))
    row["options"] = options_to_json(job.options)
    row |= {
        "metadata_sequence": last.metadata_sequence,
        "losses": 0,
        "metered": last.job.status.is_terminal,
        "lease_owner": None,
        "lease_token": None,
    }
    record = JobRecord(last.job, metered=row["metered"], metadata_sequence=last.metadata_sequence)
    tx.pending.moved(job.account_id, None, last.job.status)
    return Added(record, row, qasm, analysis), _add_events(tx, steps, result)


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
            # Written with the job, and with the event unless it is the last.
            change = Change(  # noqa: PLW2901
                change.status, change.at, change.backend, change.method, change.error_message,
                JsonObject(change.metadata),
            )  # fmt: skip
        job = job.advance(change)
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
        if metadata_sequence != job.sequence or job.status.is_terminal:
            row["metadata"] = None
        rows.append(row)
        ended = result if job is steps[-1].job else None
        events.append(JobEvent(job.sequence, cursor, at, job, ended))
    tx.add_events(rows, events)
    return events


@cache
def _update(*, with_metadata: bool, as_known: bool) -> Update:
    names = {*CHANGING, *CUSTODY, "metadata_sequence"}
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
    return dict(zip(CHANGING, _changing_values(job), strict=True))
