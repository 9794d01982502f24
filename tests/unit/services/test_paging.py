"""`limit` and `offset` of every listing."""

from hypothesis import given
from hypothesis import strategies as st

from quantcloud.domain.errors import InvalidArgument
from quantcloud.services.paging import DEFAULT_LIMIT, MAXIMUM_LIMIT, window

INT32 = st.none() | st.integers(-(2**31), 2**31 - 1)


def test_the_defaults():
    assert window(None, None) == (20, 0)


def test_too_much_is_bounded():
    assert window(1000, 5) == (100, 5)


@given(INT32, INT32)
def test_a_window_is_sound_or_its_fault_is_named(limit: int | None, offset: int | None):
    try:
        found = window(limit, offset)
    except InvalidArgument as error:
        given_value = {"limit": limit, "offset": offset}[error.field]
        assert given_value is not None
        assert given_value < {"limit": 1, "offset": 0}[error.field]
    else:
        assert found.limit == min(DEFAULT_LIMIT if limit is None else limit, MAXIMUM_LIMIT)
        assert found.offset == (offset or 0)
        assert found.limit >= 1
        assert found.offset >= 0
