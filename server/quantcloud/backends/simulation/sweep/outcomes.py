"""Outcomes of measurements from states, for all points at once."""

import numpy as np

from quantcloud.backends.simulation.programs import Program
from quantcloud.backends.simulation.sampling import probabilities
from quantcloud.backends.simulation.sweep.observables import State
from quantcloud.backends.simulation.sweep.values import Floats

MAX_PROBABILITY_BITS = 16
"""The most classical bits of a circuit whose exact probabilities are computed."""


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
    if program.num_clbits > MAX_PROBABILITY_BITS:
        raise ValueError(
            f"exact probabilities are of circuits with up to {MAX_PROBABILITY_BITS} classical bits"
        )
    result = np.zeros((*weights.shape[:-1], 1 << program.num_clbits))
    np.add.at(result.T, numbers, weights.T)
    return result


def outcome_numbers(program: Program) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Return for each basis state the number of the outcome: its classical bits, bit 0 lowest."""
    indices = np.arange(1 << program.num_qubits)
    numbers = np.full(len(indices), program.at_end(0), dtype=np.int64)
    for bit, qubit in program.final.items():
        numbers |= ((indices >> qubit) & 1) << bit
    return numbers
