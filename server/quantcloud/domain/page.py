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
    """`items`, newest first, out of `total` matches. `limit` and `offset` are as applied.

    `total` is None if it would take too long to count.
    """

    items: Sequence[T]
    total: int | None
    limit: int
    offset: int
    last: Place | None = None
    """The place after which the next page begins; None on the last page."""


def page_of(
    items: Sequence[T],
    total: int | None,
    window: Window,
    place: Callable[[T], Place],
    end: Place | None = None,
) -> Page[T]:
    """Return the page of a window. `place` returns the position of an item.

    `items` has one item beyond the window if there is another page. `end` is where the search for
    items ended early, if it did.
    """
    shown = items[: window.limit]
    last = place(shown[-1]) if len(items) > window.limit else end
    return Page(shown, total, window.limit, window.offset, last)
