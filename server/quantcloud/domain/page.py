"""A page of a listing."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

from quantcloud.domain.value_object import value_object

T = TypeVar("T")


class Place(NamedTuple):
    """Where an item stands in a listing that has the newest first: ties are in the order of ids."""

    at: datetime
    id: str


class Window(NamedTuple):
    """The part of a listing that is asked for: what follows `after`, or else `offset` items."""

    limit: int
    offset: int = 0
    after: Place | None = None


@value_object
class Page(Generic[T]):
    """`items`, newest first, of `total` that match; `limit` and `offset` as they were applied."""

    items: Sequence[T]
    total: int
    limit: int
    offset: int
    last: Place | None = None
    """Of a page that is full: the place of its last item."""


def page_of(items: Sequence[T], total: int, window: Window, place: Callable[[T], Place]) -> Page[T]:
    """The page that a window shows; `place` says where an item stands."""
    last = place(items[-1]) if len(items) == window.limit else None
    return Page(items, total, window.limit, window.offset, last)
