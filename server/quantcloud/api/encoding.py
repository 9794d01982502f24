"""The protobuf wire format of a field: https://protobuf.dev/programming-guides/encoding/.

For fields that no generated message has: the twins of `json_nulls`, the parts of a message in
`large`, and Envoy's messages in `uploads`.
"""

from typing import Final

VARINT: Final = 0
"""The wire type of numbers."""
_BYTES: Final = 2


def varint(value: int) -> bytes:
    """Return the bytes of a non-negative number."""
    if value < 0x80:  # noqa: PLR2004
        return bytes((value,))
    return bytes((value & 0x7F | 0x80,)) + varint(value >> 7)


def tag(number: int, wire_type: int = _BYTES) -> bytes:
    """Return the tag that precedes a field; by default, the field is a message or a string."""
    return varint(number << 3 | wire_type)


def delimited(content: bytes) -> bytes:
    """Return the bytes of a nested message or a string, prefixed with their length."""
    return varint(len(content)) + content
