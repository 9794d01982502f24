"""Shots as bytes, in the bit layout of Qiskit's BitArray."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from quantcloud.circuits import ir
from quantcloud.domain.sweep import Register

Bytes = NDArray[np.uint8]


def packed(shots: Sequence[Bytes], registers: Sequence[ir.Register]) -> tuple[Register, ...]:
    """Return the registers of the shots of several points, for each point rows of whole bytes.

    A row has all classical bits, bit 0 lowest, in little-endian bytes.
    """
    rows = np.concatenate(shots) if shots else np.empty((0, 0), dtype=np.uint8)
    found: list[Register] = []
    for name, offset, size in registers:
        if offset % 8 == 0 and (offset + size == registers[-1].offset + registers[-1].size):
            own = rows[:, offset // 8 : (offset + size + 7) // 8]
        else:
            bits = np.unpackbits(rows, axis=1, bitorder="little")[:, offset : offset + size]
            own = np.packbits(bits, axis=1, bitorder="little")
        found.append(Register(name, size, np.ascontiguousarray(own[:, ::-1]).tobytes()))
    return tuple(found)


def rows_of_counts(counts: Mapping[str, int], num_bits: int, rng: np.random.Generator) -> Bytes:
    """Return a row for each shot of the counts, in random order."""
    width = (num_bits + 7) // 8
    keys = [int(key, 2).to_bytes(width, "little") for key in counts]
    rows = np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(len(keys), width)
    order = np.repeat(np.arange(len(keys)), np.fromiter(counts.values(), np.int64, len(keys)))
    rng.shuffle(order)
    return rows[order]
