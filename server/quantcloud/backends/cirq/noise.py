"""Makes noise as Cirq's channels."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# Cirq is annotated only in part.

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import cirq
import numpy as np

from quantcloud.backends.simulation.noise import MICROSECONDS, gate_channels, readout_of, relaxation
from quantcloud.circuits.ir import Operation
from quantcloud.domain.execution import Noise, Readout


def noise_after(noise: Noise, operation: Operation) -> Iterator[cirq.Operation]:
    """Return the channels that follow a gate on one or two qubits or a `delay`."""
    name, indices, params, _, _ = operation
    qubits = [cirq.LineQubit(index) for index in indices]
    if name == "delay":
        time_us = params[0] * MICROSECONDS
    else:
        channels = gate_channels(noise, name, len(qubits))
        time_us = channels.time_us
        if channels.depolarizing:
            # The maximally mixed state is an even mixture of all Pauli errors and the identity.
            paulis = 4 ** len(qubits)
            rate = channels.depolarizing * (paulis - 1) / paulis
            yield cirq.depolarize(rate, n_qubits=len(qubits)).on(*qubits)
        if channels.pauli:
            error = _pauli(channels.pauli)
            yield from (
                [error.on(*qubits)] if error.num_qubits() == len(qubits) else error.on_each(*qubits)
            )
        if channels.amplitude_damping:
            yield from cirq.amplitude_damp(channels.amplitude_damping).on_each(*qubits)
    for qubit in qubits:
        relaxed = relaxation(noise, qubit.x, time_us)
        if relaxed is not None:
            yield cirq.amplitude_damp(relaxed.decay).on(qubit)
            yield cirq.phase_flip(relaxed.dephasing).on(qubit)


@lru_cache(maxsize=256)
def _pauli(errors: tuple[tuple[str, float], ...]) -> Any:
    rest = max(0.0, 1 - sum(probability for _, probability in errors))
    identity = "I" * len(errors[0][0])
    return cirq.asymmetric_depolarize(error_probabilities={identity: rest, **dict(errors)})


def confusion(noise: Noise | None, qubit: int) -> dict[tuple[int, ...], np.ndarray] | None:
    """Return how a measurement of `qubit` is misread, in Cirq's form."""
    readout = None if noise is None else readout_of(noise, qubit)
    return None if readout is None else {(0,): np.array(readout)}


def misreading(noise: Noise, qubit: int) -> cirq.Operation | None:
    """Return a channel before a measurement at the end that gives the outcomes of a misread one."""
    readout = readout_of(noise, qubit)
    return None if readout is None else _misreading(readout).on(cirq.LineQubit(qubit))


@lru_cache(maxsize=256)
def _misreading(readout: Readout) -> cirq.Gate:
    if readout[0][1] == readout[1][0]:
        return cirq.bit_flip(readout[0][1])
    operators: list[np.ndarray] = []
    for is_one, row in enumerate(readout):
        for read, probability in enumerate(row):
            operator = np.zeros((2, 2))
            operator[read, is_one] = probability**0.5
            operators.append(operator)
    return cirq.KrausChannel(operators)
