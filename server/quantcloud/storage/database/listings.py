"""Pages of a listing, newest first."""

from typing import Any

from sqlalchemy import Column, Select, bindparam, tuple_

from quantcloud.domain.page import Window


def listings(
    rows: Select[Any], at: Column[Any], identifier: Column[Any]
) -> tuple[Select[Any], Select[Any]]:
    """Return the statements for a page of `rows` at an offset, and for a page after a place."""
    page = rows.order_by(at.desc(), identifier.desc()).limit(bindparam("limit"))
    place = tuple_(
        bindparam("after_at", type_=at.type), bindparam("after_id", type_=identifier.type)
    )
    return page.offset(bindparam("offset")), page.where(tuple_(at, identifier) < place)


def page_parameters(window: Window) -> dict[str, Any]:
    """Return the parameters of the statement for `window`."""
    if window.after is None:
        return {"limit": window.limit, "offset": window.offset}
    return {"limit": window.limit, "after_at": window.after.at, "after_id": window.after.id}
