"""The conditions of partial indexes; the planner matches them by their literal text."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, FromClause, literal_column

from quantcloud.domain.errors import NotFound
from quantcloud.domain.identifiers import is_id
from quantcloud.domain.job import JobStatus
from quantcloud.storage.database.tables import jobs


def _literal(status: JobStatus) -> ColumnElement[str]:
    return literal_column(f"'{status.value}'")


def status_in(statuses: Collection[JobStatus], table: FromClause = jobs) -> ColumnElement[bool]:
    """Return the condition that a job's status is one of `statuses`."""
    return table.c.status.in_([_literal(status) for status in sorted(statuses)])


def queued(table: FromClause = jobs) -> ColumnElement[bool]:
    """Return the condition that a job is queued."""
    return table.c.status == _literal(JobStatus.QUEUED)


ACTIVE: ColumnElement[bool] = jobs.c.completed_at.is_(None)


def identifier(resource: str, text: Any) -> str:
    """Return `text` if it has the form of an id; raise `NotFound` if not."""
    if not is_id(text):
        raise NotFound(resource, text)
    return text
