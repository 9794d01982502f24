"""Expectation values from samples of states, for many points."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quantcloud.backends.local.batch.outcomes import measured
from quantcloud.backends.local.batch.phases import State
from quantcloud.backends.simulation.sampling import draw, generator
from quantcloud.backends.simulation.sweep.groups import Group, grouped, shared_out
from quantcloud.backends.simulation.sweep.outcomes import term_values
from quantcloud.backends.simulation.sweep.values import Floats
from quantcloud.domain.sweep import Observable


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
        result = measured(turned, sorted(group.basis))
        return result / result.sum(axis=0)


def _outcomes(group: Group) -> NDArray[np.int64]:
    """Return for each outcome the basis state that has it, with the other qubits 0."""
    numbers = np.arange(1 << len(group.basis))
    states = np.zeros_like(numbers)
    for place, qubit in enumerate(sorted(group.basis)):
        states |= ((numbers >> place) & 1) << qubit
    return states
