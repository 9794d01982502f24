"""The results of points as bytes, in the form in which clients get them.

The worker writes them as protobuf, whose form does not change between versions. The server stores,
cuts and sends them without reading them: a page of a sweep may have 100,000 counts.
"""

import json
import struct
from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final

from quantcloud.domain.sweep import Register
from quantcloud.domain.value_object import value_object

PAGE_BYTES = 1 << 20
"""The most bytes of points in one answer, unless a single point has more."""
MAX_SWEEP_BYTES = 256 << 20
"""The most bytes of all points of a job, as predicted at its submission."""

_LENGTH = struct.Struct("<Q")
SIZES: Final = "I"
"""The type code of the array of sizes."""


@value_object
class Points:
    """The points from `first` on, as entries of `SweepResult.points` of the contract, one by one.

    `sizes` has the number of bytes of each entry in `data`. `registers` are the packed shots.
    """

    first: int
    sizes: "array[int]"
    data: bytes
    registers: tuple[Register, ...] = ()

    @classmethod
    def none(cls, first: int) -> "Points":
        """Return no points."""
        return cls(first, array(SIZES), b"")

    @property
    def last(self) -> int:
        """The number of the point after these."""
        return self.first + len(self.sizes)

    @property
    def size(self) -> int:
        """The number of bytes of the points."""
        return len(self.data) + sum(len(register.data) for register in self.registers)

    def page(self, first: int, last: int, most_bytes: int) -> "Points":
        """Return the points from `first` up to `last`, exclusive, that have `most_bytes` together.

        There is at least one, unless these points have none of them.
        """
        first, last = max(first, self.first), min(last, self.last)
        ends = [0, *accumulate(self.sizes)]
        from_place = first - self.first
        each = self._register_bytes
        wanted = 0
        for place in range(from_place, last - self.first):
            taken = ends[place + 1] - ends[from_place] + each * (place + 1 - from_place)
            if wanted and taken > most_bytes:
                break
            wanted += 1
        to_place = from_place + wanted
        return Points(
            first,
            self.sizes[from_place:to_place],
            self.data[ends[from_place] : ends[to_place]],
            tuple([self._cut(register, from_place, to_place) for register in self.registers]),
        )

    @property
    def _register_bytes(self) -> int:
        """The bytes of packed shots of a point."""
        return sum(len(register.data) for register in self.registers) // max(1, len(self.sizes))

    def _cut(self, register: Register, from_place: int, to_place: int) -> Register:
        each = len(register.data) // max(1, len(self.sizes))
        data = register.data[each * from_place : each * to_place]
        return Register(register.name, register.num_bits, data)

    def to_bytes(self) -> bytes:
        """Return all of it as bytes."""
        registers = [[each.name, each.num_bits, len(each.data)] for each in self.registers]
        head = json.dumps([self.first, len(self.sizes), len(self.data), registers]).encode()
        sizes = array(SIZES, self.sizes).tobytes()
        parts = (_LENGTH.pack(len(head)), head, sizes, self.data)
        return b"".join((*parts, *(register.data for register in self.registers)))

    @classmethod
    def from_bytes(cls, content: bytes) -> "Points":
        """Undo `to_bytes`. Raises `ValueError`, `TypeError` or `struct.error` for other bytes."""
        view = memoryview(content)
        (length,) = _LENGTH.unpack_from(view)
        at = _LENGTH.size + length
        head: list[Any] = json.loads(bytes(view[_LENGTH.size : at]))
        first, number, data_size, described = head
        sizes = array(SIZES)
        sizes.frombytes(view[at : at + sizes.itemsize * number])
        at += sizes.itemsize * number
        data = bytes(view[at : at + data_size])
        at += data_size
        registers: list[Register] = []
        for name, num_bits, size in described:
            registers.append(Register(str(name), int(num_bits), bytes(view[at : at + size])))
            at += size
        if (len(sizes), sum(sizes), at) != (number, data_size, len(content)):
            raise ValueError("the points do not have the sizes that they state")
        return cls(int(first), sizes, data, tuple(registers))


def joined(parts: Sequence[Points]) -> Points:
    """Return points that follow each other as one."""
    if len(parts) == 1:
        return parts[0]
    sizes = array(SIZES)
    for part in parts:
        sizes.extend(part.sizes)
    registers = tuple(
        [
            Register(same[0].name, same[0].num_bits, b"".join([each.data for each in same]))
            for same in zip(*(part.registers for part in parts), strict=True)
        ]
    )
    return Points(parts[0].first, sizes, b"".join([part.data for part in parts]), registers)
