"""The `limit` and `offset` that every listing takes."""

from typing import NamedTuple

from quantcloud.domain.errors import InvalidArgument

DEFAULT_LIMIT = 20
MAXIMUM_LIMIT = 100


class Window(NamedTuple):
    """The part of a listing that is asked for."""

    limit: int
    offset: int


def window(limit: int | None, offset: int | None) -> Window:
    """Fill in what was not given and bound what is too much. Raises `InvalidArgument`."""
    if limit is not None and limit < 1:
        raise InvalidArgument("limit", f"must be 1 to {MAXIMUM_LIMIT}, is {limit}")
    if offset is not None and offset < 0:
        raise InvalidArgument("offset", f"must be 0 or more, is {offset}")
    return Window(
        DEFAULT_LIMIT if limit is None else min(limit, MAXIMUM_LIMIT),
        0 if offset is None else offset,
    )
