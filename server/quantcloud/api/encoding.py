"""Encodes messages to protobuf bytes where building the message object takes too long.

See https://protobuf.dev/programming-guides/encoding/. Protobuf itself can read these bytes.
"""

import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, cast

from google.protobuf.timestamp_pb2 import Timestamp

VARINT: Final = 0
"""The wire type of numbers."""
_BYTES: Final = 2
# A few words recur often, so their bytes are cached.
_CACHE_SIZE: Final = 1024
_SHORT_TEXT: Final = 64
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_PER_DAY: Final = 86_400
_number = struct.Struct("<d").pack


# Numbers of up to seven bits take one byte.
_SMALL: Final = tuple([bytes((value,)) for value in range(0x80)])


def varint(value: int) -> bytes:
    """Return the bytes of a non-negative number."""
    if value < 0x80:  # noqa: PLR2004
        return _SMALL[value]
    return bytes((value & 0x7F | 0x80,)) + varint(value >> 7)


def tag(number: int, wire_type: int = _BYTES) -> bytes:
    """Return the tag that precedes a field; by default, the field is a message or a string."""
    return varint(number << 3 | wire_type)


def delimited(content: bytes) -> bytes:
    """Return the bytes of a nested message or a string, prefixed with their length."""
    return varint(len(content)) + content


def seconds_and_nanos(moment: datetime) -> tuple[int, int]:
    """Return an aware time as a `Timestamp`'s seconds and nanoseconds."""
    since = moment - _EPOCH
    return since.days * _SECONDS_PER_DAY + since.seconds, since.microseconds * 1000


# Each event of a job repeats the job's times.
@lru_cache(_CACHE_SIZE)
def timestamp_bytes(moment: datetime) -> bytes:
    """Return an aware time as a `google.protobuf.Timestamp`, prefixed with its length."""
    seconds, nanos = seconds_and_nanos(moment)
    return delimited(Timestamp(seconds=seconds, nanos=nanos).SerializeToString())


# google/protobuf/struct.proto. A Value: 1 null, 2 number, 3 text, 4 bool, 5 struct, 6 list.
_CONSTANTS: Final = {None: b"\x08\0", False: b"\x20\0", True: b"\x20\1"}


def struct_bytes(values: Mapping[str, object]) -> bytes:
    """Return JSON-like values as a `google.protobuf.Struct`.

    Raises `TypeError` for a value that JSON cannot represent.
    """
    parts: list[bytes] = []
    for key, value in values.items():
        # `type` excludes bools, which are ints too, and is faster than `isinstance`.
        if type(value) is float or type(value) is int:
            parts += _number_head(key), _number(value)
        elif type(value) is str and len(value) <= _SHORT_TEXT:
            parts.append(_short_text(key, value))
        else:
            parts.append(_field(key, _value(value)))
    return b"".join(parts)


def _field(key: str, value: bytes) -> bytes:
    """Return one field of a Struct: key and value."""
    return b"\x0a" + delimited(b"".join((_name(key), varint(len(value)), value)))


@lru_cache(_CACHE_SIZE)
def _name(key: str) -> bytes:
    """Return a key and the tag of its value."""
    return b"\x0a" + delimited(str(key).encode()) + b"\x12"


@lru_cache(_CACHE_SIZE)
def _number_head(key: str) -> bytes:
    """Return the bytes that precede the eight bytes of a number field."""
    return _field(key, b"\x11" + bytes(8))[:-8]


@lru_cache(_CACHE_SIZE)
def _short_text(key: str, text: str) -> bytes:
    """Return a short text field, such as the name of a backend or of a method."""
    return _field(key, _value(text))


def _value(value: object) -> bytes:
    """Return a value as a `google.protobuf.Value`."""
    if isinstance(value, str):
        return b"\x1a" + delimited(value.encode())
    if isinstance(value, dict):
        return b"\x2a" + delimited(struct_bytes(cast("dict[str, object]", value)))
    if isinstance(value, list | tuple):
        parts: list[bytes] = []
        for inner in cast("Sequence[object]", value):
            content = _value(inner)
            parts += b"\x0a", varint(len(content)), content
        return b"\x32" + delimited(b"".join(parts))
    if value is None or isinstance(value, bool):
        return _CONSTANTS[value]
    if isinstance(value, int | float):
        return b"\x11" + _number(value)
    # Last, because an instance check against an abstract class is slow.
    if isinstance(value, Mapping):
        return b"\x2a" + delimited(struct_bytes(cast("Mapping[str, object]", value)))
    raise TypeError(f"a Struct cannot hold a value of type {type(value).__name__}")
