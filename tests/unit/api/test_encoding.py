"""Our encoding of numbers and times equals protobuf's."""

from datetime import UTC, datetime, timedelta, timezone

from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.wrappers_pb2 import UInt64Value
from hypothesis import given
from hypothesis import strategies as st

from quantcloud.api.convert.values import timestamp
from quantcloud.api.encoding import varint


@given(st.integers(0, 2**64 - 1))
def test_a_number_equals_protobufs_own_encoding(value: int):
    assert b"\x08" + varint(value) == (UInt64Value(value=value).SerializeToString() or b"\x08\0")


@given(
    st.datetimes(
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7)), timezone(timedelta(1) / 3)])
    )
)
def test_a_timestamp_equals_protobufs_own(moment: datetime):
    expected = Timestamp()
    try:
        expected.FromDatetime(moment)
    except ValueError:  # years before 1 and after 9999, in UTC
        return
    assert timestamp(moment) == expected
