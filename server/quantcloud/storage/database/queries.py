"""Parts of statements that several modules build.

The planner matches the conditions of partial indexes by their literal text.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Executable,
    FromClause,
    Select,
    Table,
    bindparam,
    literal_column,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert

from quantcloud.domain.errors import NotFound
from quantcloud.domain.identifiers import is_id
from quantcloud.domain.job import JobStatus
from quantcloud.domain.page import Window
from quantcloud.storage.database.tables import jobs


def _literal(status: JobStatus) -> ColumnElement[str]:
    return literal_column(f"'{status.value}'")


def status_in(statuses: Collection[JobStatus]) -> ColumnElement[bool]:
    """Return the condition that a job's status is one of `statuses`."""
    return jobs.c.status.in_([_literal(status) for status in sorted(statuses)])


def queued(table: FromClause = jobs) -> ColumnElement[bool]:
    """Return the condition that a job is queued."""
    return table.c.status == _literal(JobStatus.QUEUED)


ACTIVE: ColumnElement[bool] = jobs.c.completed_at.is_(None)


def upsert(table: Table, changes: Callable[[Any], Mapping[str, Any]]) -> Executable:
    """Return the statement that inserts a row, or changes the row with the same primary key.

    `changes` returns the new values by column, from the columns of the row that was not inserted.
    """
    # SQLite has the same clause, and SQLAlchemy compiles this construct for both.
    statement = insert(table)
    return statement.on_conflict_do_update(
        index_elements=table.primary_key.columns, set_=changes(statement.excluded)
    )


class Values:
    """Parameters for 1 to `most` values, so that one statement serves any number of them."""

    def __init__(self, name: str, most: int) -> None:
        self._names = [f"{name}_{place}" for place in range(most)]

    def first(self, column: Any) -> ColumnElement[bool]:
        """Return the condition that a column has the first value."""
        return column == bindparam(self._names[0], type_=column.type)

    def contain(self, column: Any) -> ColumnElement[bool]:
        """Return the condition that a column has one of the values."""
        return column.in_([bindparam(name, type_=column.type) for name in self._names])

    def of(self, values: Sequence[str]) -> dict[str, Any]:
        """Return the parameters; the first value repeats, which changes nothing."""
        return dict(zip_longest(self._names, values, fillvalue=values[0]))


def place(at: Any, identifier: Any, at_name: str, id_name: str) -> Any:
    """Return parameters for a time and an id, to compare with these columns together."""
    return tuple_(bindparam(at_name, type_=at.type), bindparam(id_name, type_=identifier.type))


def listings(rows: Select[Any], at: Any, identifier: Any) -> tuple[Select[Any], Select[Any]]:
    """Return the statements for a page of `rows`, newest first: at an offset, and after a place."""
    page = rows.order_by(at.desc(), identifier.desc()).limit(bindparam("limit"))
    after = place(at, identifier, "after_at", "after_id")
    return page.offset(bindparam("offset")), page.where(tuple_(at, identifier) < after)


def page_parameters(window: Window) -> dict[str, Any]:
    """Return the parameters of the statement of `listings` for `window`.

    The statement returns one row beyond the window if there is one, for `page_of`.
    """
    if window.after is None:
        return {"limit": window.limit + 1, "offset": window.offset}
    return {"limit": window.limit + 1, "after_at": window.after.at, "after_id": window.after.id}


def identifier(resource: str, text: Any) -> str:
    """Return `text` if it has the form of an id; raise `NotFound` if not."""
    if not is_id(text):
        raise NotFound(resource, text)
    return text
