"""Counts and shots of a program from its states, for many points."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantcloud.backends.local.batch.phases import State
from quantcloud.backends.simulation.programs import Program
from quantcloud.backends.simulation.sampling import (
    bitstrings,
    draw,
    generator,
    probabilities,
)
from quantcloud.backends.simulation.sweep.registers import Bytes
from quantcloud.backends.simulation.sweep.values import Floats

# Up to so many outcomes a draw of all their counts is faster than one of each shot.
_MULTINOMIAL: Final = 1024


def measured(states: State, qubits: Sequence[int]) -> Floats:
    """Return the squared magnitudes of the outcomes of ascending `qubits`: outcomes x points."""
    weights = states * states if states.dtype == np.float64 else probabilities(states)
    width = len(states).bit_length() - 1
    others = tuple([width - 1 - qubit for qubit in range(width) if qubit not in qubits])
    if not others:
        return weights
    points = weights.shape[1]
    return weights.reshape(*(2,) * width, points).sum(axis=others).reshape(-1, points)


class Outcomes:
    """The outcomes of a program that measures at its end."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._clbits = tuple(program.final)
        self._qubits = sorted(set(program.final.values()))
        # A qubit may be measured into several bits.
        self._copies = [self._qubits.index(qubit) for qubit in program.final.values()]
        self._size = 1 << len(self._qubits)

    def weights(self, states: State) -> Floats:
        """Return the probabilities of the outcomes: points x outcomes."""
        weights = np.ascontiguousarray(measured(states, self._qubits).T)
        weights /= weights.sum(axis=1, keepdims=True)
        return weights

    @cached_property
    def _patterns(self) -> NDArray[np.bool_]:
        """The measured bits of each outcome."""
        numbers = np.arange(self._size)
        return ((numbers[:, None] >> np.array(self._copies, dtype=np.int64)) & 1).astype(np.bool_)

    @cached_property
    def _keys(self) -> list[str]:
        program = self._program
        return bitstrings(self._patterns, self._clbits, program.num_clbits, program.at_end(0))

    @cached_property
    def _rows(self) -> Bytes:
        """The classical bits of each outcome as whole bytes, little-endian."""
        width = (self._program.num_clbits + 7) // 8
        return np.frombuffer(
            b"".join([int(key, 2).to_bytes(width, "little") for key in self._keys]), np.uint8
        ).reshape(-1, width)

    def _drawn(
        self, weights: Floats, shots: int, rng: np.random.Generator
    ) -> tuple[list[int], list[int]]:
        if len(weights) <= _MULTINOMIAL:
            drawn = rng.multinomial(shots, weights)
            places = drawn.nonzero()[0]
            return places.tolist(), drawn[places].tolist()
        places, drawn = draw(weights, shots, rng)
        return places.tolist(), drawn.tolist()

    def counts(self, weights: Floats, shots: int, seed: int) -> Mapping[str, int]:
        """Return the counts of a point."""
        places, drawn = self._drawn(weights, shots, generator(seed))
        return dict(zip(map(self._keys.__getitem__, places), drawn, strict=True))

    def rows(self, weights: Floats, shots: int, seed: int) -> Bytes:
        """Return the shots of a point, each a row of whole bytes, in random order."""
        rng = generator(seed)
        places, drawn = self._drawn(weights, shots, rng)
        order = np.repeat(places, drawn)
        rng.shuffle(order)
        return self._rows[order]
