"""A page of a listing."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar

from quantcloud.domain.value_object import value_object

T = TypeVar("T")


class Place(NamedTuple):
    """The position of an item in a listing, newest first. Ids break ties."""

    at: datetime
    id: str


class Window(NamedTuple):
    """The part of a listing to return: after the item at `after`, or after `offset` items."""

    limit: int
    offset: int = 0
    after: Place | None = None


@value_object
class Page(Generic[T]):
    """`items`, newest first, out of `total` matches. `limit` and `offset` are as applied."""

    items: Sequence[T]
    total: int
    limit: int
    offset: int
    last: Place | None = None
    """The place of the last item if the page is full."""


def page_of(items: Sequence[T], total: int, window: Window, place: Callable[[T], Place]) -> Page[T]:
    """Return the page of a window. `place` returns the position of an item."""
    last = place(items[-1]) if len(items) == window.limit else None
    return Page(items, total, window.limit, window.offset, last)
