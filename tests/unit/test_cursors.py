"""Cursors: what is written is read, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantcloud.domain.cursors import EPOCH_BYTES, Cursors
from quantcloud.domain.errors import InvalidArgument

ONE, OTHER = (Cursors(bytes([number]) * EPOCH_BYTES) for number in (1, 250))


@given(st.integers(0, 2**63 - 1))
def test_what_is_written_is_read(position: int):
    cursor = ONE.write(position)
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert ONE.read("c", cursor) == position
    with pytest.raises(InvalidArgument, match="c: is the cursor of another database"):
        OTHER.read("c", cursor)


@given(st.text(max_size=40) | st.text("AQ-_=", min_size=23, max_size=23))
def test_what_was_never_written_is_refused_by_the_name_of_its_field(text: str):
    with pytest.raises(InvalidArgument, match=r"^c: ") as refused:
        ONE.read("c", text)
    assert refused.value.reason == "INVALID_CURSOR"
