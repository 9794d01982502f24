"""Pages of a listing, newest first."""

from typing import Any

from sqlalchemy import Column, Select, bindparam, tuple_

from quantcloud.domain.page import Window


def listings(
    rows: Select[Any], at: Column[Any], identifier: Column[Any]
) -> tuple[Select[Any], Select[Any]]:
    """Statements for a page of `rows` at an offset, and for one after a place; see `shown`."""
    page = rows.order_by(at.desc(), identifier.desc()).limit(bindparam("limit"))
    place = tuple_(
        bindparam("after_at", type_=at.type), bindparam("after_id", type_=identifier.type)
    )
    return page.offset(bindparam("offset")), page.where(tuple_(at, identifier) < place)


def shown(window: Window) -> dict[str, Any]:
    """What the statement takes that shows a window."""
    if window.after is None:
        return {"limit": window.limit, "offset": window.offset}
    return {"limit": window.limit, "after_at": window.after.at, "after_id": window.after.id}
