"""Pages of an account's jobs, newest first.

Each listing reads one index in its order. If that index has other jobs too, the listing looks at
`LOOK_AT` of its jobs at a time: a page may then end early, and the next one goes on there.
"""

from dataclasses import fields
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Integer, Select, Text, bindparam, func, select, tuple_

from quantcloud.domain.job import Job, JobStatus
from quantcloud.domain.job_filter import ALL_JOBS, JobFilter
from quantcloud.domain.page import Page, Place, Window, page_of
from quantcloud.storage.database.interface import Connection
from quantcloud.storage.database.queries import Values, page_parameters, place
from quantcloud.storage.database.tables import job_tags, jobs, monthly_usage, removed_events
from quantcloud.storage.jobs.rows.columns import JOB_COLUMNS, job_of

LOOK_AT = 20_000
"""The most jobs that one page looks at if no index has exactly the wanted ones."""

# An account's monthly counts add up to its number of jobs, those included that retention removed.
_REMOVED = (
    select(removed_events.c.jobs)
    .where(removed_events.c.account_id == bindparam("account_id"))
    .scalar_subquery()
)
_PRESENT = select(
    func.coalesce(func.sum(monthly_usage.c.total_jobs), 0) - func.coalesce(_REMOVED, 0)
).where(monthly_usage.c.account_id == bindparam("account_id"))
_STATUSES = Values("status", len(JobStatus))
_FILTERS = tuple(each.name for each in fields(JobFilter) if each.name != "statuses")


class _Shape(NamedTuple):
    """Which conditions a statement has.

    `filters` are names of `_FILTERS`; `statuses` is 0, 1, or 2 for several. `begins` and `ends` say
    whether the statement selects jobs after a place, and up to a place.
    """

    filters: frozenset[str]
    statuses: int
    begins: bool = False
    ends: bool = False


def page(connection: Connection, account_id: str, window: Window, wanted: JobFilter) -> Page[Job]:
    """Return a page of the account's jobs that `wanted` selects."""
    shape = _shape(wanted)
    values = {"account_id": account_id, **_values(wanted), **page_parameters(window)}
    rest = shape._replace(begins=window.after is not None)
    end = None if wanted.has_index else _end(connection, rest, values)
    rest = rest._replace(ends=end is not None)
    if end is not None:
        values |= {"end_at": end.at, "end_id": end.id}
    found = [
        job_of(row, row.changed_at) for row in connection.execute(_statements(rest).page, values)
    ]
    return page_of(found, _total(connection, shape, wanted, values), window, _place, end)


def _total(
    connection: Connection, shape: _Shape, wanted: JobFilter, values: dict[str, Any]
) -> int | None:
    """Return the number of selected jobs, or None if that would take long."""
    if wanted == ALL_JOBS:
        return connection.execute(_PRESENT, values).scalar_one()
    if not wanted.has_index and _end(connection, shape, values) is not None:
        return None
    return connection.execute(_statements(shape).number, values).scalar_one()


def _end(connection: Connection, shape: _Shape, values: dict[str, Any]) -> Place | None:
    """Return the last place that a page looks at; None if it can look at all jobs."""
    row = connection.execute(_statements(shape).end, values).one_or_none()
    return None if row is None else Place(row.at, row.id)


def _place(job: Job) -> Place:
    return Place(job.submitted_at, job.id)


def _shape(wanted: JobFilter) -> _Shape:
    filters = frozenset(name for name in _FILTERS if getattr(wanted, name) is not None)
    return _Shape(filters, min(len(wanted.statuses), 2))


def _values(wanted: JobFilter) -> dict[str, Any]:
    return {
        **{name: getattr(wanted, name) for name in _FILTERS},
        "name_length": len(wanted.name_prefix or ""),
        **(_STATUSES.of(sorted(wanted.statuses)) if wanted.statuses else {}),
    }


class _Statements(NamedTuple):
    """The statements of a shape: for a page, for the number of jobs, and for a page's end."""

    page: Select[Any]
    number: Select[Any]
    end: Select[Any]


@cache
def _statements(shape: _Shape) -> _Statements:
    by_tag = "tag" in shape.filters
    index: Any = job_tags if by_tag else jobs
    at, identifier = index.c.submitted_at, index.c.job_id if by_tag else jobs.c.id
    newest_first = at.desc(), identifier.desc()
    conditions = _by_index(shape, index, at, identifier)
    end: Any = (
        select(at.label("at"), identifier.label("id"))
        .select_from(index)
        .where(*conditions)
        .order_by(*newest_first)
        .limit(1)
        .offset(LOOK_AT - 1)
    )
    if shape.ends:
        conditions.append(tuple_(at, identifier) >= place(at, identifier, "end_at", "end_id"))
    conditions += _one_by_one(shape)
    source: Any = job_tags.join(jobs, jobs.c.id == job_tags.c.job_id) if by_tag else jobs
    rows = (
        select(*JOB_COLUMNS)
        .select_from(source)
        .where(*conditions)
        .order_by(*newest_first)
        .limit(bindparam("limit"))
    )
    return _Statements(
        rows if shape.begins else rows.offset(bindparam("offset")),
        select(func.count()).select_from(source).where(*conditions),
        end,
    )


def _by_index(shape: _Shape, index: Any, at: Any, identifier: Any) -> list[ColumnElement[bool]]:
    """Return the conditions that the index of a shape fulfils."""
    conditions: list[ColumnElement[bool]] = [index.c.account_id == bindparam("account_id")]
    if "tag" in shape.filters:
        conditions.append(job_tags.c.tag == bindparam("tag"))
    elif "name_prefix" in shape.filters:
        conditions.append(jobs.c.name.is_not(None))
    elif shape.statuses == 1:
        conditions.append(_STATUSES.first(jobs.c.status))
    if "submitted_after" in shape.filters:
        conditions.append(at >= bindparam("submitted_after", type_=at.type))
    if "submitted_before" in shape.filters:
        conditions.append(at < bindparam("submitted_before", type_=at.type))
    if shape.begins:
        conditions.append(tuple_(at, identifier) < place(at, identifier, "after_at", "after_id"))
    return conditions


def _one_by_one(shape: _Shape) -> list[ColumnElement[bool]]:
    """Return the conditions for which a page looks at each job of the index."""
    conditions: list[ColumnElement[bool]] = []
    if "backend" in shape.filters:
        conditions.append(jobs.c.backend == bindparam("backend"))
    if shape.statuses > 1 or (shape.statuses and shape.filters & {"tag", "name_prefix"}):
        conditions.append(_STATUSES.contain(jobs.c.status))
    if "name_prefix" in shape.filters:
        start = func.substr(jobs.c.name, 1, bindparam("name_length", type_=Integer), type_=Text)
        conditions.append(start == bindparam("name_prefix", type_=Text))
    return conditions
