"""Cursors that were written can be read, and no others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantcloud.domain.cursors import EPOCH_BYTES, Cursors, Listing
from quantcloud.domain.errors import InvalidArgument

ONE, OTHER = (Cursors(bytes([number]) * EPOCH_BYTES) for number in (1, 250))
NUMBERS = st.integers(-(2**63), 2**63 - 1)
PLACES = st.tuples(NUMBERS, st.binary(min_size=16, max_size=16))
CURSORS = (
    st.tuples(st.just(Listing.EVENTS), st.tuples(NUMBERS))
    | st.tuples(st.just(Listing.JOBS), PLACES)
    | st.tuples(st.just(Listing.CIRCUITS), PLACES)
)


@given(CURSORS)
def test_a_written_cursor_can_be_read(written):
    listing, position = written
    cursor = ONE.write(listing, *position)
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert ONE.read("c", listing, cursor) == position
    with pytest.raises(InvalidArgument, match="c: belongs to another database"):
        OTHER.read("c", listing, cursor)
    for other in set(Listing) - {listing}:
        with pytest.raises(InvalidArgument, match=f"c: must be a {other.field} from a response"):
            ONE.read("c", other, cursor)


@given(st.text(max_size=70) | st.text("AQ-_=", max_size=70), st.sampled_from(Listing))
def test_a_cursor_that_was_never_written_is_refused_with_its_field(text: str, listing: Listing):
    with pytest.raises(InvalidArgument, match=r"^c: ") as refused:
        ONE.read("c", listing, text)
    assert refused.value.reason == "INVALID_CURSOR"
