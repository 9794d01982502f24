"""Samples outcomes from amplitudes and counts them as bitstrings."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import NDArray

from quantcloud.backends.simulation.programs import Program
from quantcloud.domain.value_object import value_object

Indices = NDArray[np.int64]
Counts = NDArray[np.int64]
# Outcomes of several bits: numbers whose bit i is the i-th bit, or an array with a row an outcome.
Patterns = Indices | NDArray[np.bool_]

_FEW = 32
# The parts to which a probability is rounded.
_PROBABILITY_UNITS = 2.0**40
# The most bits of a pattern that is a signed 64-bit number.
_NUMBER_BITS = 62


@value_object
class LibraryCall:
    """How a library was called, for the metadata of the result.

    `library` is the name of its package, `simulator` its class or device, and `seed` and `options`
    are the arguments. `submitted` says that it ran the circuit as submitted; otherwise it ran an
    equivalent one, which `reproduction.library_circuit` returns.
    """

    library: str
    version: str
    simulator: str
    seed: int
    options: Mapping[str, object]
    submitted: bool


@value_object
class Sampled:
    """The outcomes of all shots, and the amplitudes before the measurements if requested.

    `counts` is as in `Outcome`. `memory` is too, but may be None if the simulator returns outcomes
    in another order than that of independent shots. Bit q of an index of `amplitudes` is qubit q.
    """

    counts: Mapping[str, int]
    memory: tuple[str, ...] | None = None
    amplitudes: NDArray[np.complexfloating[Any]] | None = None
    call: LibraryCall | None = None


class _SeedWords(ISeedSequence):
    """The initial state of a random generator: the BLAKE2b hash of a seed.

    NumPy's own hash takes four times as long, which is a quarter of a small circuit's run.
    """

    def __init__(self, seed: int) -> None:
        self._text = b"%d" % seed

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> NDArray[Any]:
        """Return `n_words` numbers of `dtype`, at most 64 bytes."""
        size = n_words * np.dtype(dtype).itemsize
        return np.frombuffer(hashlib.blake2b(self._text, digest_size=size).digest(), dtype)


def generator(seed: int) -> np.random.Generator:
    """Return a random generator for a run."""
    words: Any = _SeedWords(seed)  # PCG64's stub does not accept it
    return np.random.Generator(np.random.PCG64(words))


def probabilities(amplitudes: NDArray[np.complexfloating]) -> NDArray[np.float64]:
    """Return the squared magnitudes in double precision and the same shape, not normalised.

    The amplitudes may also be float64.
    """
    real = amplitudes.real.astype(np.float64, copy=False)
    result = real * real
    if amplitudes.dtype != np.float64:
        imag = amplitudes.imag.astype(np.float64, copy=False)
        result += imag * imag
    return result


def draw_counts(weights: NDArray[np.float64], shots: int, rng: np.random.Generator) -> Counts:
    """Draw `shots` indices with probabilities in proportion to `weights` (1-D, not all 0).

    Returns how often each index was drawn. Only the first 40 bits of a probability count: the last
    ones depend on the processor and on how many states are computed at once, and a draw with
    probability 1/2 has other outcomes than one with slightly more.
    """
    settled = np.rint(weights * (_PROBABILITY_UNITS / weights.sum()))
    return rng.multinomial(shots, settled / settled.sum())


def draw(
    weights: NDArray[np.float64], shots: int, rng: np.random.Generator
) -> tuple[Indices, Counts]:
    """Draw `shots` indices with probabilities in proportion to `weights` (1-D, not all 0).

    Returns the distinct indices in ascending order and how often each was drawn.
    """
    size = len(weights)
    if size <= _FEW:
        drawn = draw_counts(weights, shots, rng)
        indices = np.flatnonzero(drawn)
        return indices, drawn[indices]
    width = 1 << (size.bit_length() // 2)
    blocks = weights.reshape(-1, width) if size % width == 0 else weights.reshape(1, -1)
    ends: NDArray[np.float64] = np.cumsum(blocks.sum(axis=1))
    points = np.sort(rng.random(shots)) * ends[-1]
    hit = np.unique(_places(points, ends[:-1]))
    starts = np.concatenate((np.zeros(1), ends))[hit]
    # Only blocks with a drawn index need running sums.
    running = (np.cumsum(blocks[hit], axis=1) + starts[:, None]).ravel()
    places, drawn = np.unique(_places(points, running[:-1]), return_counts=True)
    width = blocks.shape[1]
    return hit[places // width] * width + places % width, drawn


def _places(points: NDArray[np.float64], ends: NDArray[np.float64]) -> Indices:
    """Return for each point how many of the ascending `ends` are at or below it."""
    return np.searchsorted(ends, points, side="right")  # pyright: ignore[reportUnknownVariableType] - NumPy's stub has no type for it


def _gather_bits(indices: Indices, bits: Sequence[int]) -> Indices:
    """Return numbers whose bit i is bit `bits[i]` of `indices`; at most 62 bits."""
    result = np.zeros_like(indices)
    for position, bit in enumerate(bits):
        result |= ((indices >> bit) & 1) << position
    return result


def draw_bits_from_state(
    amplitudes: NDArray[np.complexfloating],
    bits: Sequence[int],
    shots: int,
    rng: np.random.Generator,
) -> tuple[Patterns, Counts]:
    """Measure `bits` of a state of 2**n amplitudes; return distinct patterns and their counts."""
    indices, drawn = draw(probabilities(amplitudes), shots, rng)
    if len(amplitudes) == 1 << len(bits) and list(bits) == list(range(len(bits))):
        return indices, drawn
    if len(bits) <= _NUMBER_BITS:
        return _merged(_gather_bits(indices, bits), drawn)
    # Some bits are read more than once.
    distinct = sorted(set(bits))
    numbers, totals = _merged(_gather_bits(indices, distinct), drawn)
    places = np.searchsorted(distinct, bits)
    return ((numbers[:, None] >> places) & 1).astype(np.bool_), totals


def _merged(patterns: Indices, drawn: Counts) -> tuple[Indices, Counts]:
    """Add up the counts of equal patterns."""
    distinct, inverse = np.unique(patterns, return_inverse=True)
    totals = np.zeros(len(distinct), dtype=np.int64)
    np.add.at(totals, inverse, drawn)
    return distinct, totals


def distinct(rows: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], Counts]:
    """Return the distinct rows and how often each occurs."""
    if not rows.shape[1]:
        return rows[:1], np.array([len(rows)])
    packed = np.ascontiguousarray(np.packbits(rows, axis=1))
    whole = packed.view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, counts = np.unique(whole, return_index=True, return_counts=True)
    return rows[first], counts


def bitstrings(patterns: Patterns, clbits: Sequence[int], num_clbits: int, fixed: int) -> list[str]:
    """Write each pattern as `num_clbits` characters, bit 0 rightmost.

    Bit i of a pattern becomes classical bit `clbits[i]`; the other bits are those of `fixed`.
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


def counted(rows: NDArray[np.bool_], clbits: Sequence[int], program: Program) -> dict[str, int]:
    """Count outcomes, one a row. Column i becomes classical bit `clbits[i]`."""
    patterns, drawn = distinct(rows)
    keys = bitstrings(patterns, clbits, program.num_clbits, program.at_end(0))
    return dict(zip(keys, drawn.tolist(), strict=True))


def shots_in_order(counts: Mapping[str, int], rng: np.random.Generator) -> tuple[str, ...]:
    """Return one bitstring per shot, in random order, which is that of independent shots."""
    return tuple(map(list(counts).__getitem__, shuffled(counts, rng).tolist()))


def shuffled(counts: Mapping[str, int], rng: np.random.Generator) -> Indices:
    """Return for each shot, in random order, the place of its outcome among the keys."""
    order = np.repeat(np.arange(len(counts)), np.fromiter(counts.values(), np.int64, len(counts)))
    rng.shuffle(order)
    return order
