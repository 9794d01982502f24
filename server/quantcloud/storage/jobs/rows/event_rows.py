"""Events as rows. Events of one job that are written together share one row.

The row is that of the last event, with the job's changing fields after it. Its column `earlier`
says how these fields were at the earlier events, whose sequences precede it without gaps.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import Any, cast

from sqlalchemy import func, select

from quantcloud.domain.job import TERMINAL, Job, JobEvent, JobStatus
from quantcloud.storage.database.codec import compact_json
from quantcloud.storage.database.columns import JsonObject, json_text, microseconds, moment
from quantcloud.storage.database.interface import AnyRow
from quantcloud.storage.database.tables import job_events, jobs
from quantcloud.storage.jobs.rows.columns import CHANGING, FIXED, changing, job_of

_fixed_values = attrgetter(*FIXED)

# A row has the job's metadata only if it changed, and the job has not ended. Otherwise the row that
# `metadata_sequence` names has it, or the job's own row.
_metadata_rows = job_events.alias("metadata_rows")

EVENTS = (
    select(
        job_events.c.cursor,
        job_events.c.occurred_at,
        *(jobs.c[name] for name in FIXED),
        *(job_events.c[name] for name in CHANGING if name != "metadata"),
        func.coalesce(_metadata_rows.c.metadata, jobs.c.metadata).label("metadata"),
        job_events.c.earlier,
    )
    .join_from(job_events, jobs, jobs.c.id == job_events.c.job_id)
    .outerjoin(
        _metadata_rows,
        (_metadata_rows.c.job_id == job_events.c.job_id)
        & (_metadata_rows.c.sequence == job_events.c.metadata_sequence),
    )
)
"""Select rows of events, with the columns that `last_event_of` and `events_of` read."""

_Object = Mapping[str, Any]
# The metadata before an event: the same as after it (None), the same without some added names (see
# `_added`), or other metadata, as JSON.
_Metadata = dict[str, Any] | str | None
# The time of an event, and the job after it: status, backend, method, when it was queued, when it
# started, error message, attempt, and metadata.
_Earlier = tuple[
    int, str, str | None, str | None, int | None, int | None, str | None, int, _Metadata
]


def last_event_of(row: AnyRow) -> JobEvent:
    """Return the last event of a row of `EVENTS`."""
    return JobEvent(row.sequence, row.cursor, row.occurred_at, job_of(row, row.occurred_at))


def may_be_earlier(statuses: Collection[JobStatus]) -> bool:
    """Whether the row of a later event may contain an event with one of `statuses`.

    That holds for all statuses but the terminal ones. No `statuses` means any.
    """
    return not statuses or not TERMINAL.issuperset(statuses)


def events_of(rows: Iterable[AnyRow], statuses: Collection[JobStatus] = ()) -> Iterator[JobEvent]:
    """Yield the events in rows of `EVENTS`, in order; if `statuses` are given, only those."""
    earlier_too = may_be_earlier(statuses)
    for row in rows:
        last = last_event_of(row)
        if earlier_too and row.earlier is not None:
            yield from _earlier_events(row.earlier, last, statuses)
        if not statuses or last.job.status in statuses:
            yield last


def _earlier_events(
    text: str, last: JobEvent, statuses: Collection[JobStatus]
) -> Iterator[JobEvent]:
    events: list[JobEvent] = []
    fixed: dict[str, Any] = dict(zip(FIXED, _fixed_values(last.job), strict=True))
    metadata = last.job.metadata
    earlier: list[_Earlier] = json.loads(text)
    for back, values in enumerate(reversed(earlier), 1):
        metadata = _metadata_from(values[-1], metadata)
        if not statuses or values[1] in statuses:
            events.append(_event_before(last, back, values, fixed, metadata))
    return reversed(events)


def row_of(steps: Sequence[Job], cursor: int, metadata_sequence: int) -> dict[str, Any]:
    """Return the row of some events; `steps` has the job after each. Only the last may end the job.

    `cursor` is that of the last event. `metadata_sequence` is the sequence of the row that has the
    metadata of the job at the last event.
    """
    job = steps[-1]
    row = changing(job)
    row["cursor"] = cursor
    row["job_id"] = job.id
    row["account_id"] = job.account_id
    row["occurred_at"] = job.changed_at
    row["metadata_sequence"] = metadata_sequence
    if metadata_sequence != job.sequence or job.status.is_terminal:
        row["metadata"] = None
    row["earlier"] = None
    if len(steps) > 1:
        row["earlier"] = compact_json([_values_before(*each) for each in pairwise(steps)])
    return row


# `_event_before` reads what `_values_before` writes; `_metadata_from` reads what `_metadata_before`
# writes.


def _values_before(job: Job, following: Job) -> _Earlier:
    return (
        microseconds(job.changed_at), job.status, job.backend, job.method,
        microseconds(job.queued_at), microseconds(job.started_at), job.error_message, job.attempt,
        _metadata_before(job.metadata, following.metadata),
    )  # fmt: skip


def _event_before(
    last: JobEvent, back: int, values: _Earlier, fixed: Mapping[str, Any], metadata: _Object
) -> JobEvent:
    at, status, backend, method, queued_at, started_at, error_message, attempt, _ = values
    occurred_at = moment(at)
    job = Job(
        **fixed,
        status=JobStatus(status),
        sequence=last.sequence - back,
        backend=backend,
        method=method,
        queued_at=moment(queued_at),
        started_at=moment(started_at),
        error_message=error_message,
        attempt=attempt,
        metadata=metadata,
        changed_at=occurred_at,
    )
    return JobEvent(job.sequence, last.cursor - back, occurred_at, job)


def _metadata_before(own: _Object, following: _Object) -> _Metadata:
    if own is following:
        return None
    added = _added(own, following)
    return json_text(own) if added is None else added


def _metadata_from(stored: _Metadata, following: _Object) -> _Object:
    if stored is None:
        return following
    if isinstance(stored, str):
        return JsonObject(text=stored)
    return JsonObject(_without(stored, following))


def _added(before: _Object, after: _Object) -> dict[str, Any] | None:
    """Return the added names: each with None, or with the names added inside a nested object.

    Return None if anything else changed. Unchanged values are recognised by identity, because code
    that adds to metadata reuses them.
    """
    added: dict[str, Any] = {}
    unchanged = 0
    for name, value in after.items():
        if name not in before:
            added[name] = None
            continue
        unchanged += 1
        present = before[name]
        if present is value:
            continue
        if not (isinstance(present, Mapping) and isinstance(value, Mapping)):
            return None
        inside = _added(cast("_Object", present), cast("_Object", value))
        if inside is None:
            return None
        added[name] = inside
    return added if unchanged == len(before) else None


def _without(added: _Object, after: _Object) -> dict[str, Any]:
    """Return `after` without the names in `added`."""
    return {
        name: value if name not in added else _without(added[name], value)
        for name, value in after.items()
        if added.get(name, added) is not None
    }
