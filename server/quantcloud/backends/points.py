"""Writes a block of points as entries of `SweepResult.points` of the contract.

See https://protobuf.dev/programming-guides/encoding/.
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from quantcloud.domain.execution import Execution, Outcome
from quantcloud.domain.points import SIZES, Points
from quantcloud.domain.sweep import PointBlock, Sweep

# Fields of SweepResult, SweepPoint, Gradient and ParameterValues, and those of an entry of a map.
_POINTS = 4
_COUNTS, _VALUES, _ERRORS, _GRADIENTS, _VARIANCES, _PROBABILITIES = range(1, 7)
_PARAMETERS, _NUMBERS = 1, 1
_KEY, _VALUE = 1, 2
# Numbers up to this have their bytes in a table.
_TABLE = 1 << 14
_DOUBLE_BYTES = 8


class _Piece(NamedTuple):
    """A part of the entry of a point: `head`, and `size` bytes of its row of `values`."""

    head: bytes
    values: bytes
    row: int
    start: int
    size: int

    def at(self, place: int) -> bytes:
        begin = place * self.row + self.start
        return self.head + self.values[begin : begin + self.size]


def with_points(outcome: Outcome, execution: Execution) -> Outcome:
    """Return an outcome whose block is written as points."""
    sweep, block = execution.sweep, outcome.block
    if sweep is None:
        return outcome
    if block is None or (block.first, block.points) != (sweep.first, sweep.last - sweep.first):
        raise RuntimeError("the backend returned no results of these points")
    return replace(outcome, block=None, points=written(block, sweep))


def written(block: PointBlock, sweep: Sweep) -> Points:
    """Return a block as points."""
    pieces = list(_pieces(block, sweep))
    empty: Mapping[str, int] = {}
    counts = block.counts or (empty,) * block.points
    sizes = array(SIZES)
    parts: list[bytes] = []
    for place, own in enumerate(counts):
        inside = [_counts(own) if own else b"", *[piece.at(place) for piece in pieces]]
        entry = _delimited(_POINTS, b"".join(inside))
        sizes.append(len(entry))
        parts.append(entry)
    return Points(block.first, sizes, b"".join(parts), block.registers)


def _pieces(block: PointBlock, sweep: Sweep) -> Iterator[_Piece]:
    """Yield the fields whose size is the same at all points."""
    fields = {
        _VALUES: block.values,
        _ERRORS: block.errors,
        _VARIANCES: block.variances,
        _PROBABILITIES: block.probabilities,
    }
    for field, values in fields.items():
        if values:
            size = len(values) // block.points
            yield _Piece(_head(field, size), values, size, 0, size)
    if block.gradients:
        yield from _gradients(block.gradients, len(block.gradients) // block.points, sweep)


def _gradients(values: bytes, row: int, sweep: Sweep) -> Iterator[_Piece]:
    sizes = [_DOUBLE_BYTES * parameter.size for parameter in sweep.parameters]
    heads = [
        _parameter_head(parameter.name, size)
        for parameter, size in zip(sweep.parameters, sizes, strict=True)
    ]
    total = sum(map(len, heads)) + sum(sizes)
    start = 0
    for _ in range(sweep.columns):
        before = _head(_GRADIENTS, total)
        for head, size in zip(heads, sizes, strict=True):
            yield _Piece(before + head, values, row, start, size)
            before = b""
            start += size


def _parameter_head(name: str, size: int) -> bytes:
    """Return what precedes the derivatives by the values of one input in its `Gradient`."""
    numbers = _head(_NUMBERS, size)
    value = _head(_VALUE, len(numbers) + size) + numbers
    key = _delimited(_KEY, name.encode())
    return _head(_PARAMETERS, len(key) + len(value) + size) + key + value


def _counts(counts: Mapping[str, int]) -> bytes:
    """Return the entries of `SweepPoint.counts`; the keys have one length."""
    width = len(next(iter(counts)))
    # Latin-1 maps each of the first 256 characters to the byte of that number.
    heads = [_entry_head(width, length).decode("latin-1") for length in range(11)]
    numbers = _NUMBERS_AS_TEXT
    entries: list[str] = []
    for key, count in counts.items():
        number = numbers[count] if count < _TABLE else _varint(count).decode("latin-1")
        entries.append(f"{heads[len(number)]}{key}\x10{number}")
    return "".join(entries).encode("latin-1")


def _entry_head(width: int, number_bytes: int) -> bytes:
    key = _head(_KEY, width)
    return _head(_COUNTS, len(key) + width + 1 + number_bytes) + key


def _head(field: int, size: int) -> bytes:
    """Return what precedes `size` bytes of a field."""
    return bytes((field << 3 | 2,)) + _varint(size)


def _delimited(field: int, content: bytes) -> bytes:
    return _head(field, len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:  # noqa: PLR2004
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


_NUMBERS_AS_TEXT: Sequence[str] = tuple(
    [_varint(number).decode("latin-1") for number in range(_TABLE)]
)
