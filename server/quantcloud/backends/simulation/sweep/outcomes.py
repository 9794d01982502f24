"""Outcomes of measurements: their probabilities, and shots as bytes as in Qiskit's BitArray."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from quantcloud.backends.simulation.programs import Program
from quantcloud.backends.simulation.sampling import probabilities, shuffled
from quantcloud.backends.simulation.sweep.groups import Group
from quantcloud.backends.simulation.sweep.observables import State
from quantcloud.backends.simulation.sweep.values import Floats
from quantcloud.circuits import ir
from quantcloud.domain.sweep import Register

Bytes = NDArray[np.uint8]


def outcome_probabilities(state: State, program: Program) -> Floats:
    """Return the probability of each outcome, by the number of its bits.

    `state` is amplitudes x points or amplitudes; the result is points x outcomes or outcomes.
    """
    weights = probabilities(state).T
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
    return packed_keys(counts, num_bits)[shuffled(counts, rng)]


def packed_keys(keys: Iterable[str], num_bits: int) -> Bytes:
    """Return bitstrings as rows of whole bytes, little-endian."""
    width = (num_bits + 7) // 8
    data = b"".join([int(key, 2).to_bytes(width, "little") for key in keys])
    return np.frombuffer(data, dtype=np.uint8).reshape(-1, width)
