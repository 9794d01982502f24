"""`limit`, `offset` and `page_token` of listings."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantcloud.domain.cursors import Cursors, Listing
from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.page import Page, Place
from quantcloud.services.paging import DEFAULT_LIMIT, MAXIMUM_LIMIT, Listings

JOBS = Listings(Cursors(bytes(8)), Listing.JOBS)


def test_the_defaults():
    assert JOBS.window(None, None, None) == (20, 0, None)


def test_a_large_limit_is_reduced():
    assert JOBS.window(1000, 5, None) == (100, 5, None)


@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_the_next_page_begins_at_the_token(at: datetime, identifier: UUID):
    listings = Listings(Cursors(bytes(8)), Listing.JOBS)
    place = Place(at, str(identifier))
    token = listings.next_page_token(Page([], 9, 2, 0, place))
    assert listings.window(2, None, token) == (2, 0, place)
    with pytest.raises(InvalidArgument, match="offset: is given with 'page_token'"):
        listings.window(2, 1, token)
    assert listings.next_page_token(Page([], 9, 2, 0)) is None
    assert listings.window(2, 1, "") == (2, 1, None)


@pytest.mark.parametrize("since", [-(2**63), 2**63 - 1])
def test_a_cursor_with_an_impossible_time_is_refused(since: int):
    cursors = Cursors(bytes(8))
    with pytest.raises(InvalidArgument, match="page_token: must be a next_page_token"):
        Listings(cursors, Listing.JOBS).window(1, 0, cursors.write(Listing.JOBS, since, bytes(16)))


@given(st.none() | st.integers(1, 2**31 - 1), st.none() | st.integers(0, 2**31 - 1))
def test_the_limit_is_bounded(limit: int | None, offset: int | None):
    found = JOBS.window(limit, offset, None)
    assert found.limit == min(DEFAULT_LIMIT if limit is None else limit, MAXIMUM_LIMIT)
    assert found.offset == (offset or 0)
