"""Outcomes of measurements from states, for all points at once."""

import numpy as np
from numpy.typing import NDArray

from quantcloud.backends.simulation.programs import Program
from quantcloud.backends.simulation.sampling import probabilities
from quantcloud.backends.simulation.sweep.groups import Group
from quantcloud.backends.simulation.sweep.observables import State
from quantcloud.backends.simulation.sweep.values import Floats


def outcome_probabilities(state: State, program: Program) -> Floats:
    """Return the probability of each outcome, by the number of its bits.

    `state` is amplitudes x points or amplitudes; the result is points x outcomes or outcomes.
    """
    weights = state * state if state.dtype == np.float64 else probabilities(state)
    weights = weights.T
    weights = weights / weights.sum(axis=-1, keepdims=True)
    if program.final == {bit: bit for bit in range(program.num_qubits)} and (
        program.num_clbits == program.num_qubits and not program.fixed
    ):
        return weights
    numbers = outcome_numbers(program)
    result = np.zeros((*weights.shape[:-1], 1 << program.num_clbits))
    np.add.at(result.T, numbers, weights.T)
    return result


def term_values(group: Group, outcomes: NDArray[np.int64], observables: int) -> Floats:
    """Return the sum of each observable's terms in a group, observables x outcomes.

    Bit q of an outcome is that of qubit q, measured in the basis of the group.
    """
    result = np.zeros((observables, len(outcomes)))
    for place, coefficient, factors in group.terms:
        value = np.full(len(outcomes), coefficient)
        for qubit, letter in factors:
            ones = (outcomes >> qubit) & 1
            value *= ones == int(letter) if letter in "01" else 1 - 2 * ones
        result[place] += value
    return result


def outcome_numbers(program: Program) -> NDArray[np.int64]:
    """Return for each basis state the number of the outcome: its classical bits, bit 0 lowest."""
    indices = np.arange(1 << program.num_qubits)
    numbers = np.full(len(indices), program.at_end(0), dtype=np.int64)
    for bit, qubit in program.final.items():
        numbers |= ((indices >> qubit) & 1) << bit
    return numbers
