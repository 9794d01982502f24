"""Which part of a listing a request wants: `limit`, and `offset` or `page_token`."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from quantcloud.domain.cursors import Cursors, Listing
from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.page import Page, Place, Window

DEFAULT_LIMIT = 20
MAXIMUM_LIMIT = 100
_TOKEN = "page_token"  # noqa: S105  # the name of a field
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Listings:
    """Reads and writes the page tokens of a listing of jobs or circuits, which are cursors."""

    def __init__(self, cursors: Cursors, listing: Listing) -> None:
        self._cursors = cursors
        self._listing = listing

    def window(self, limit: int | None, offset: int | None, page_token: str | None) -> Window:
        """Return the part of the listing that a request wants. Raises `InvalidArgument`.

        `limit` is 1 or more, `offset` 0 or more.
        """
        after = self._place(page_token) if page_token else None
        if offset and after is not None:
            raise InvalidArgument("offset", f"is given with '{_TOKEN}'; send one of them")
        most = DEFAULT_LIMIT if limit is None else min(limit, MAXIMUM_LIMIT)
        return Window(most, offset or 0, after)

    def _place(self, page_token: str) -> Place:
        since, identifier = self._cursors.read(_TOKEN, self._listing, page_token)
        try:
            return Place(_EPOCH + since * _MICROSECOND, str(UUID(bytes=identifier)))
        except OverflowError as error:
            raise InvalidArgument(_TOKEN, "must be a next_page_token from a response") from error

    def next_page_token(self, page: Page[Any]) -> str | None:
        """Return the token of the next page, or None if `page` is the last."""
        if page.last is None:
            return None
        since = (page.last.at - _EPOCH) // _MICROSECOND
        return self._cursors.write(self._listing, since, UUID(page.last.id).bytes)
