"""Our encoding of messages equals protobuf's."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone

import pytest
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from google.protobuf.wrappers_pb2 import UInt64Value
from hypothesis import given
from hypothesis import strategies as st

from quantcloud.api.convert.values import timestamp
from quantcloud.api.encoding import struct_bytes, varint

TEXTS = st.one_of(
    st.text(max_size=5),
    st.sampled_from(["", "backend", "x" * 63, "\u00e9" * 64, "y" * 127, "z" * 128, "w" * 20_000]),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


class Plain(Mapping[str, object]):
    """A mapping that is not a dictionary."""

    def __init__(self, values: dict[str, object]) -> None:
        self._values = values

    def __getitem__(self, key: str) -> object:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def by_protobuf(values: Mapping[str, object]) -> Struct:
    message = Struct()
    message.update(values)
    return message


@given(st.dictionaries(TEXTS, VALUES, max_size=6))
def test_a_struct_equals_protobufs_own_encoding(values: dict[str, object]):
    assert Struct.FromString(struct_bytes(values)) == by_protobuf(values)
    nested = struct_bytes(Plain({"inner": Plain(values)}))
    assert Struct.FromString(nested) == by_protobuf({"inner": values})


@pytest.mark.parametrize("value", [b"x", object(), {1, 2}, 1j])
def test_a_value_that_json_cannot_hold_is_refused(value: object):
    for holder in (value, [value], {"key": value}):
        with pytest.raises(TypeError, match="cannot hold"):
            struct_bytes({"key": holder})


def test_numbers_differ_from_booleans_and_zero_from_minus_zero():
    for value in (0, False, 0.0, -0.0, 1, True, 1.0):
        message = Struct.FromString(struct_bytes({"key": value}))
        kind = "bool_value" if isinstance(value, bool) else "number_value"
        assert message.fields["key"].WhichOneof("kind") == kind
        assert repr(float(getattr(message.fields["key"], kind))) == repr(float(value))


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
