"""Which part of a listing a request wants: `limit`, and `offset` or `after_cursor`."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from quantcloud.domain.cursors import Cursors, Listing
from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.page import Page, Place, Window

DEFAULT_LIMIT = 20
MAXIMUM_LIMIT = 100
_AFTER = "after_cursor"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def window(limit: int | None, offset: int | None, after: Place | None = None) -> Window:
    """Apply the defaults and the largest limit. Raises `InvalidArgument`.

    `limit` is 1 or more, `offset` 0 or more.
    """
    if offset and after is not None:
        raise InvalidArgument("offset", f"is given with '{_AFTER}'; send one of them")
    return Window(
        DEFAULT_LIMIT if limit is None else min(limit, MAXIMUM_LIMIT),
        0 if offset is None else offset,
        after,
    )


class Listings:
    """Reads and writes the cursors of a listing of jobs or circuits."""

    def __init__(self, cursors: Cursors, listing: Listing) -> None:
        self._cursors = cursors
        self._listing = listing

    def window(self, limit: int | None, offset: int | None, after_cursor: str | None) -> Window:
        """Return the part of the listing that a request wants. Raises `InvalidArgument`."""
        return window(limit, offset, self._place(after_cursor) if after_cursor else None)

    def _place(self, cursor: str) -> Place:
        since, identifier = self._cursors.read(_AFTER, self._listing, cursor)
        try:
            return Place(_EPOCH + since * _MICROSECOND, str(UUID(bytes=identifier)))
        except OverflowError as error:
            raise InvalidArgument(_AFTER, "must be a cursor from a response") from error

    def cursor(self, page: Page[Any]) -> str | None:
        """Return the cursor of the next page, or None if `page` is the last."""
        if page.last is None:
            return None
        since = (page.last.at - _EPOCH) // _MICROSECOND
        return self._cursors.write(self._listing, since, UUID(page.last.id).bytes)
