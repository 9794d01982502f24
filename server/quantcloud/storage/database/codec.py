"""The stored form of long texts and results.

These functions take large values, often in a worker thread. No single step holds the interpreter
lock for more than a few milliseconds, so the event loop in the main thread keeps running.
"""

import json
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, cast

from quantcloud.domain.execution import Statevector

# The size in bytes from which data is compressed.
COMPRESS_FROM = 1024
# One byte of zlib's format stands for at most this many: https://zlib.net/zlib_tech.html.
_MOST_PER_BYTE = 1032

_PLAIN, _ZLIB = b"\0", b"\1"
_LEVEL = 1
_BLOCK_BITS = 1 << 16
_LIST_PART = 4096
# `json.dumps` would create an encoder for each call.
compact_json = json.JSONEncoder(separators=(",", ":")).encode
"""Encode a value as JSON without spaces."""


def pack(data: bytes) -> bytes:
    """Return `data`, compressed if that is shorter, after one byte that says so."""
    if len(data) >= COMPRESS_FROM:
        compressed = zlib.compress(data, _LEVEL)
        if len(compressed) < len(data):
            return _ZLIB + compressed
    return _PLAIN + data


def is_compressed(packed: bytes) -> bool:
    """Whether unpacking makes the data longer, perhaps a thousand times."""
    return packed[:1] == _ZLIB


def most_bytes(packed: bytes | None) -> int:
    """Return how many bytes the data has after `unpack`, at most."""
    if packed is None:
        return 0
    return len(packed) * (_MOST_PER_BYTE if is_compressed(packed) else 1)


def unpack(packed: bytes) -> bytes:
    """Undo `pack`."""
    return zlib.decompress(packed[1:]) if is_compressed(packed) else packed[1:]


def pack_text(text: str) -> bytes:
    """Pack a text as UTF-8."""
    return pack(text.encode())


def unpack_text(packed: bytes) -> str:
    """Undo `pack_text`."""
    return unpack(packed).decode()


def pack_counts(counts: Mapping[str, int]) -> bytes:
    """Pack bitstrings of one length with their counts (below 2**32), in order.

    The format is a head with the length and number of bitstrings, then the counts, then the bits of
    all bitstrings in blocks of whole bytes. Raises `ValueError` if a key is not a bitstring or
    differs in length from the others.
    """
    width = len(next(iter(counts), ""))
    body = bytearray(struct.pack("<II", width, len(counts)))
    for part in in_parts(counts.values(), _LIST_PART):
        body += struct.pack(f"<{len(part)}I", *part)
    for part in in_parts(counts, _per_block(width)):
        bits = "".join(part)
        if {*map(len, part)} != {width} or bits.count("0") + bits.count("1") != len(bits):
            raise ValueError("counts: every key must be a bitstring, and all of one length")
        if bits:
            body += int(bits, 2).to_bytes((len(bits) + 7) // 8, "big")
    return pack(bytes(body))


def unpack_counts(packed: bytes) -> dict[str, int]:
    """Undo `pack_counts`."""
    body = memoryview(unpack(packed))
    width, number = struct.unpack_from("<II", body)
    values = struct.iter_unpack("<I", body[8 : 8 + 4 * number])
    at = 8 + 4 * number
    counts: dict[str, int] = {}
    per_block = _per_block(width)
    for first in range(0, number, per_block):
        size = width * min(per_block, number - first)
        end = at + (size + 7) // 8
        bits = format(int.from_bytes(body[at:end], "big"), f"0{size}b") if size else ""
        at = end
        keys = (bits[i : i + width] for i in range(0, size, width)) if width else [""]
        counts.update((key, value) for key, (value,) in zip(keys, values, strict=False))
    return counts


def pack_statevector(statevector: Statevector) -> bytes:
    """Pack the real parts, then the imaginary parts, as little-endian 64-bit floats."""
    number = len(statevector.real)
    return b"".join(
        struct.pack(f"<{number}d", *half) for half in (statevector.real, statevector.imag)
    )


def unpack_statevector(packed: bytes) -> Statevector:
    """Undo `pack_statevector`."""
    half = len(packed) // 2
    form = f"<{half // 8}d"
    return Statevector(struct.unpack(form, packed[:half]), struct.unpack(form, packed[half:]))


def pack_document(document: Mapping[str, object]) -> bytes:
    """Pack a JSON object as lines: first the object with empty long lists, then their parts."""
    head: dict[str, object] = {}
    lines: list[str] = []
    for key, value in document.items():
        if isinstance(value, list | tuple) and len(cast("Sequence[Any]", value)) > _LIST_PART:
            head[key] = []
            parts = in_parts(cast("Sequence[Any]", value), _LIST_PART)
            lines += [compact_json([key, part]) for part in parts]
        else:
            head[key] = value
    return pack("\n".join([compact_json(head), *lines]).encode())


def unpack_document(packed: bytes) -> dict[str, Any]:
    """Undo `pack_document`."""
    data = unpack(packed)
    end = _line_end(data, 0)
    document: dict[str, Any] = json.loads(data[:end])
    while end < len(data):
        start, end = end + 1, _line_end(data, end + 1)
        key, part = json.loads(data[start:end])
        document[key] += part
    return document


def weight(document: Mapping[str, object]) -> int:
    """Return roughly how many values a JSON object holds."""
    return sum(
        len(cast("Sequence[Any]", value)) if isinstance(value, list | tuple | dict) else 1
        for value in document.values()
    )


def _line_end(data: bytes, start: int) -> int:
    end = data.find(b"\n", start)
    return len(data) if end < 0 else end


def _per_block(width: int) -> int:
    return max(1, _BLOCK_BITS // max(1, width))


def in_parts(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Yield lists of `size` items each; the last one has the rest."""
    remaining = iter(items)
    while part := list(islice(remaining, size)):
        yield part
