"""From amplitudes to counts: draws outcomes and writes them as bitstrings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
Counts = NDArray[np.int64]
# Outcomes of several bits each: as numbers, bit i the i-th of them, or one row an outcome.
Patterns = Indices | NDArray[np.bool_]

_FEW = 32


def probabilities(amplitudes: NDArray[np.complexfloating]) -> NDArray[np.float64]:
    """Squared magnitudes in double precision, shape as given; not normalised."""
    real = amplitudes.real.astype(np.float64, copy=False)
    imag = amplitudes.imag.astype(np.float64, copy=False)
    result = real * real
    result += imag * imag
    return result


def draw(
    weights: NDArray[np.float64], shots: int, rng: np.random.Generator
) -> tuple[Indices, Counts]:
    """Draw `shots` indices in proportion to `weights` (one dimension, not all 0).

    Returns the distinct indices in rising order and how often each was drawn.
    """
    size = len(weights)
    if size <= _FEW:
        drawn = rng.multinomial(shots, weights / weights.sum())
        indices = np.flatnonzero(drawn)
        return indices, drawn[indices]
    # Only the blocks that are drawn from need their running sums.
    width = 1 << (size.bit_length() // 2)
    blocks = weights.reshape(-1, width) if size % width == 0 else weights.reshape(1, -1)
    width = blocks.shape[1]
    ends: NDArray[np.float64] = np.cumsum(blocks.sum(axis=1))
    points = np.sort(rng.random(shots)) * ends[-1]
    hit = np.unique(_places(points, ends[:-1]))
    starts = np.concatenate((np.zeros(1), ends))[hit]
    running = (np.cumsum(blocks[hit], axis=1) + starts[:, None]).ravel()
    places, drawn = np.unique(_places(points, running[:-1]), return_counts=True)
    return hit[places // width] * width + places % width, drawn


def _places(points: NDArray[np.float64], ends: NDArray[np.float64]) -> Indices:
    """Return for each point how many of the rising `ends` are not above it."""
    return np.searchsorted(ends, points, side="right")  # pyright: ignore[reportUnknownVariableType] - NumPy's stub has no type for it


def gather_bits(indices: Indices, bits: Sequence[int]) -> Indices:
    """Return numbers whose bit i is bit `bits[i]` of `indices`."""
    result = np.zeros_like(indices)
    for position, bit in enumerate(bits):
        result |= ((indices >> bit) & 1) << position
    return result


def draw_bits(
    weights: NDArray[np.float64], bits: Sequence[int], shots: int, rng: np.random.Generator
) -> tuple[Indices, Counts]:
    """Draw indices by `weights` and keep only `bits` of each; distinct patterns and their counts.

    At most 62 bits.
    """
    indices, drawn = draw(weights, shots, rng)
    if len(weights) == 1 << len(bits) and all(map(int.__eq__, bits, range(len(bits)))):
        return indices, drawn
    return merged(gather_bits(indices, bits), drawn)


def merged(patterns: Indices, drawn: Counts) -> tuple[Indices, Counts]:
    """Add up the counts of equal patterns."""
    distinct, inverse = np.unique(patterns, return_inverse=True)
    totals = np.zeros(len(distinct), dtype=np.int64)
    np.add.at(totals, inverse, drawn)
    return distinct, totals


def flip_bits(
    patterns: Patterns, drawn: Counts, width: int, rate: float, rng: np.random.Generator
) -> tuple[Indices, Counts]:
    """Flip each of the `width` lowest bits of every single shot with probability `rate`.

    Takes patterns that are numbers.
    """
    shots = np.repeat(patterns.astype(np.int64), drawn)
    for bit in range(width):
        shots ^= (rng.random(len(shots)) < rate).astype(np.int64) << bit
    return np.unique(shots, return_counts=True)


def bitstrings(
    patterns: Patterns, clbits: Sequence[int], num_clbits: int, fixed: int = 0
) -> list[str]:
    """Write each pattern as `num_clbits` characters, bit 0 rightmost.

    Bit i of a pattern stands at classical bit `clbits[i]`; the other bits are those of `fixed`.
    """
    if patterns.ndim == 1:
        if len(patterns) <= _FEW and list(clbits) == list(range(num_clbits)):
            return [format(pattern, f"0{num_clbits}b") for pattern in patterns.tolist()]
        rows = np.empty((len(patterns), len(clbits)), dtype=np.uint8)
        for position in range(len(clbits)):
            rows[:, position] = (patterns >> position) & 1
    else:
        rows = patterns
    background = np.frombuffer(format(fixed, f"0{num_clbits}b").encode(), dtype=np.uint8)
    characters = np.tile(background, (len(rows), 1))
    characters[:, num_clbits - 1 - np.asarray(clbits, dtype=np.int64)] = rows + np.uint8(ord("0"))
    text = characters.tobytes().decode("ascii")
    return [text[start : start + num_clbits] for start in range(0, len(text), num_clbits)]


@dataclass(slots=True)
class Tally:
    """Counts in the making."""

    num_clbits: int
    counts: dict[str, int] = field(default_factory=dict[str, int])

    def add(self, patterns: Patterns, drawn: Counts, clbits: Sequence[int], fixed: int = 0) -> None:
        """Count `drawn[i]` shots of `patterns[i]` (distinct), written as by `bitstrings`."""
        keys = bitstrings(patterns, clbits, self.num_clbits, fixed)
        if not self.counts:
            # One call's patterns are distinct.
            self.counts = dict(zip(keys, drawn.tolist(), strict=True))
            return
        for key, count in zip(keys, drawn.tolist(), strict=True):
            self.counts[key] = self.counts.get(key, 0) + count


def shots_in_order(counts: Mapping[str, int], rng: np.random.Generator) -> tuple[str, ...]:
    """One bitstring per shot, in random order; independent shots come in no other."""
    keys = list(counts)
    order = np.repeat(np.arange(len(keys)), np.fromiter(counts.values(), np.int64, len(keys)))
    rng.shuffle(order)
    return tuple(map(keys.__getitem__, order.tolist()))
