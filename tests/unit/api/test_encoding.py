"""Our encoding of numbers equals protobuf's."""

from google.protobuf.wrappers_pb2 import UInt64Value
from hypothesis import given
from hypothesis import strategies as st

from quantcloud.api.encoding import varint


@given(st.integers(0, 2**64 - 1))
def test_a_number_equals_protobufs_own_encoding(value: int):
    assert b"\x08" + varint(value) == (UInt64Value(value=value).SerializeToString() or b"\x08\0")
