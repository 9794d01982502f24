"""Counts, shots and sampled expectation values from states, for many points."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quantcloud.backends.local.vectorized.phases import State
from quantcloud.backends.simulation.programs import Program
from quantcloud.backends.simulation.sampling import (
    bitstrings,
    draw,
    draw_counts,
    generator,
    probabilities,
)
from quantcloud.backends.simulation.sweep.groups import Group, grouped, shared_out
from quantcloud.backends.simulation.sweep.outcomes import Bytes, packed_keys, term_values
from quantcloud.backends.simulation.sweep.values import Floats
from quantcloud.domain.sweep import Observable

# Up to so many outcomes a draw of all their counts is faster than one of each shot.
_MULTINOMIAL: Final = 1024


def _measured(states: State, qubits: Sequence[int]) -> Floats:
    """Return the squared magnitudes of the outcomes of ascending `qubits`: outcomes x points."""
    weights = probabilities(states)
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
        weights = np.ascontiguousarray(_measured(states, self._qubits).T)
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
        return packed_keys(self._keys, self._program.num_clbits)

    def _drawn(
        self, weights: Floats, shots: int, rng: np.random.Generator
    ) -> tuple[list[int], list[int]]:
        if len(weights) <= _MULTINOMIAL:
            drawn = draw_counts(weights, shots, rng)
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


class Sampler:
    """Estimates observables from `shots` shots of each state, shared out between groups of terms.

    The simulator knows the variances of the groups. So a group gets shots in proportion to its
    standard deviation, and the standard errors follow from the variances.
    """

    def __init__(self, observables: Sequence[Observable], shots: int) -> None:
        found = grouped(observables)
        self.number = len(observables)
        self._shots = shots
        self._constants = np.array(found.constants)
        self._groups = found.groups
        # The value of each outcome of the measured qubits: observables x outcomes.
        self._values = [term_values(group, _outcomes(group), self.number) for group in found.groups]

    def estimates(self, states: State, seeds: Sequence[int]) -> tuple[Floats, Floats]:
        """Return values and standard errors, observables x points; each point has a seed."""
        groups = range(len(self._groups))
        weights = [self._weights(number, states) for number in groups]
        means = [values @ each for values, each in zip(self._values, weights, strict=True)]
        variances = np.array(
            [
                np.maximum(values**2 @ each - mean**2, 0.0)
                for values, each, mean in zip(self._values, weights, means, strict=True)
            ]
        ).reshape(len(groups), self.number, len(seeds))
        spread = np.sqrt(variances.sum(axis=1))
        result = np.tile(self._constants[:, None], (1, len(seeds)))
        errors = np.zeros_like(result)
        for point, seed in enumerate(seeds):
            rng = generator(seed)
            shares = shared_out(self._shots, spread[:, point].tolist())
            for number, shots in zip(groups, shares, strict=True):
                places, drawn = draw(weights[number][:, point], shots, rng)
                result[:, point] += self._values[number][:, places] @ drawn / shots
                errors[:, point] += variances[number, :, point] / shots
        return result, np.sqrt(errors)

    def _weights(self, number: int, states: State) -> Floats:
        """Return the probabilities of the outcomes of a group: outcomes x points."""
        group = self._groups[number]
        turned = states
        for qubit, letter in group.basis.items():
            if letter == "Z":
                continue
            view = turned.reshape(-1, 2, 1 << qubit, len(states[0]))
            zero, one = view[:, 0], view[:, 1]
            if letter == "Y":
                one = -1j * one
            turned = np.empty_like(view, dtype=one.dtype)
            np.add(zero, one, out=turned[:, 0])
            np.subtract(zero, one, out=turned[:, 1])
            turned = turned.reshape(states.shape)
        result = _measured(turned, sorted(group.basis))
        return result / result.sum(axis=0)


def _outcomes(group: Group) -> NDArray[np.int64]:
    """Return for each outcome the basis state that has it, with the other qubits 0."""
    numbers = np.arange(1 << len(group.basis))
    states = np.zeros_like(numbers)
    for place, qubit in enumerate(sorted(group.basis)):
        states |= ((numbers >> place) & 1) << qubit
    return states
