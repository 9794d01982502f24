"""Messages as protobuf writes them, where making the message itself takes too long.

See https://protobuf.dev/programming-guides/encoding/. What is here is read back as protobuf's own.
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
# Few words come again and again.
_KEPT: Final = 1024
_SHORT_TEXT: Final = 64
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_PER_DAY: Final = 86_400
_number = struct.Struct("<d").pack


# Seven bits a byte.
_SMALL: Final = tuple([bytes((value,)) for value in range(0x80)])


def varint(value: int) -> bytes:
    """A number of 0 or more."""
    if value < 0x80:  # noqa: PLR2004
        return _SMALL[value]
    return bytes((value & 0x7F | 0x80,)) + varint(value >> 7)


def tag(number: int, wire_type: int = _BYTES) -> bytes:
    """What stands before the field of this number, by default a message or a text."""
    return varint(number << 3 | wire_type)


def delimited(content: bytes) -> bytes:
    """A message inside of a message, or a text, behind its length."""
    return varint(len(content)) + content


def seconds_and_nanos(moment: datetime) -> tuple[int, int]:
    """An aware time as a Timestamp has it."""
    since = moment - _EPOCH
    return since.days * _SECONDS_PER_DAY + since.seconds, since.microseconds * 1000


# A job's times are in each of its events, and those are times of the job.
@lru_cache(_KEPT)
def timestamp_bytes(moment: datetime) -> bytes:
    """The message `google.protobuf.Timestamp` of an aware time, behind its length."""
    seconds, nanos = seconds_and_nanos(moment)
    return delimited(Timestamp(seconds=seconds, nanos=nanos).SerializeToString())


# google/protobuf/struct.proto. A Value: 1 null, 2 number, 3 text, 4 bool, 5 struct, 6 list.
_WORDS: Final = {None: b"\x08\0", False: b"\x20\0", True: b"\x20\1"}


def struct_bytes(values: Mapping[str, object]) -> bytes:
    """The message `google.protobuf.Struct` of JSON-like values.

    Raises `TypeError` for a value that JSON has not.
    """
    parts: list[bytes] = []
    for key, value in values.items():
        # A bool is an int, too, and instance checks take longer.
        if type(value) is float or type(value) is int:
            parts += _number_head(key), _number(value)
        elif type(value) is str and len(value) <= _SHORT_TEXT:
            parts.append(_short_text(key, value))
        else:
            parts.append(_session(key, _value(value)))
    return b"".join(parts)


def _session(key: str, value: bytes) -> bytes:
    """One of a Struct's fields: key and value."""
    return b"\x0a" + delimited(b"".join((_name(key), varint(len(value)), value)))


@lru_cache(_KEPT)
def _name(key: str) -> bytes:
    """A key, and the tag of the value."""
    return b"\x0a" + delimited(str(key).encode()) + b"\x12"


@lru_cache(_KEPT)
def _number_head(key: str) -> bytes:
    """What stands before the eight bytes of a field that is a number."""
    return _session(key, b"\x11" + bytes(8))[:-8]


@lru_cache(_KEPT)
def _short_text(key: str, text: str) -> bytes:
    """A field that is a text: names of backends, of their methods, and what they refuse."""
    return _session(key, _value(text))


def _value(value: object) -> bytes:
    """The message `google.protobuf.Value`."""
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
        return _WORDS[value]
    if isinstance(value, int | float):
        return b"\x11" + _number(value)
    # Last, since an abstract class takes long to ask.
    if isinstance(value, Mapping):
        return b"\x2a" + delimited(struct_bytes(cast("Mapping[str, object]", value)))
    raise TypeError(f"a Struct has no word for {type(value).__name__}")
