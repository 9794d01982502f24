"""A job as rows: the only module that writes a job's changes, each with its event."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.sql.dml import Update

from quantcloud.domain.errors import NotFound
from quantcloud.domain.job import LEASED, Change, Job, JobEvent, JobResult, Lease
from quantcloud.storage.database.columns import JsonObject
from quantcloud.storage.database.tables import jobs
from quantcloud.storage.job_record import JobRecord, NewJob
from quantcloud.storage.jobs.rows.columns import (
    CHANGING,
    INTERNAL,
    RECORD_COLUMNS,
    changing,
    options_to_json,
    record_of,
    tags_to_json,
    values_of,
)
from quantcloud.storage.jobs.rows.event_rows import row_of
from quantcloud.storage.unit_of_work.transaction import Transaction

_SELECT = select(*RECORD_COLUMNS).where(jobs.c.id == bindparam("job_id")).with_for_update()


def load(tx: Transaction, job_id: str) -> JobRecord:
    """Read a job and lock its row until the transaction ends. Raises `NotFound`."""
    if (record := tx.pending.jobs.get(job_id)) is not None:
        return record
    row = tx.look_up(_SELECT, {"job_id": job_id}).one_or_none()
    if row is None:
        raise NotFound("job", job_id)
    return record_of(row)


def load_leased(tx: Transaction, job_id: str, lease: Lease | None) -> JobRecord:
    """Like `load`; raises `StaleLeaseError` unless `lease` is the job's. Both may be None."""
    record = load(tx, job_id)
    record.fence(lease)
    return record


def add(tx: Transaction, new: NewJob, circuit: dict[str, Any]) -> list[JobEvent]:
    """Add a new job after its changes; return its events, the submission first.

    `circuit` is the row of its circuit. The last event carries the result, if there is one.
    """
    job = new.job
    steps = [job, *_steps(job, new.changes)]
    last = steps[-1]
    row: dict[str, Any] = {
        **values_of(last),
        "options": options_to_json(job.options),
        "tags": tags_to_json(job.tags),
        "changed_at": last.changed_at,
        "metadata_sequence": last.sequence,
        "losses": 0,
        "metered": last.status.is_terminal,
        "lease_owner": None,
        "lease_token": None,
    }
    record = JobRecord(last, metered=row["metered"], metadata_sequence=last.sequence)
    tx.pending.moved(job.account_id, None, last.status)
    events = _add_events(tx, steps, last.sequence, new.result)
    tx.add_job(record, new, row, circuit)
    return events


class ChangedMeanwhileError(Exception):
    """A job is no longer as known. Nothing was written."""


def advance(
    tx: Transaction,
    record: JobRecord,
    changes: Sequence[Change],
    *,
    result: JobResult | None = None,
    as_known: bool = False,
) -> tuple[JobRecord, list[JobEvent]]:
    """Apply `changes` to a job; return it, and an event for each. The last carries `result`.

    The lease ends if the new status needs none, and the usage of a job that ends counts as metered.
    `as_known` says that the record was not read in this transaction. Raises, before any write,
    `InvalidTransitionError`, and `ChangedMeanwhileError` if the job is no longer as known.
    """
    steps = _steps(record.job, changes)
    if not steps:
        return record, []
    last = steps[-1]
    has_metadata = any(change.metadata is not None for change in changes)
    metadata_sequence = last.sequence if has_metadata else record.metadata_sequence
    lease = record.lease if last.status in LEASED else None
    metered = record.metered or last.status.is_terminal
    after = replace(
        record, job=last, lease=lease, metered=metered, metadata_sequence=metadata_sequence
    )
    values = {
        **changing(last),
        "changed_at": last.changed_at,
        "losses": record.losses,
        "metered": metered,
        "lease_owner": lease and lease.owner,
        "lease_token": lease and lease.token,
    }
    if has_metadata:
        values["metadata_sequence"] = metadata_sequence
    else:
        del values["metadata"]
    if record.job.id in tx.pending.jobs:
        tx.pending.change_job(after, values)
    else:
        values["job_id"] = record.job.id
        if as_known:
            values["known_sequence"] = record.job.sequence
            values["known_token"] = record.lease and record.lease.token
        update = _update(with_metadata=has_metadata, as_known=as_known)
        if not tx.change_job(update, values) and as_known:
            raise ChangedMeanwhileError
    tx.pending.moved(record.job.account_id, record.job.status, last.status)
    return after, _add_events(tx, steps, metadata_sequence, result)


def _steps(job: Job, changes: Sequence[Change]) -> list[Job]:
    # Metadata is encoded once, even if several rows contain it.
    return job.after_each(
        change if change.metadata is None else replace(change, metadata=JsonObject(change.metadata))
        for change in changes
    )


def _add_events(
    tx: Transaction, steps: Sequence[Job], metadata_sequence: int, result: JobResult | None
) -> list[JobEvent]:
    cursors = tx.pending.cursors(len(steps))
    events = [
        JobEvent(job.sequence, cursor, job.changed_at, job, result if job is steps[-1] else None)
        for cursor, job in zip(cursors, steps, strict=True)
    ]
    tx.add_events(row_of(steps, cursors[-1], metadata_sequence), events)
    return events


@cache
def _update(*, with_metadata: bool, as_known: bool) -> Update:
    names = {*CHANGING, *INTERNAL, "changed_at", "metadata_sequence"}
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
