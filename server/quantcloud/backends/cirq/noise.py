"""Makes noise as Cirq's channels."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# Cirq is annotated only in part.

from functools import lru_cache

import cirq

from quantcloud.backends.simulation.noise import relaxation
from quantcloud.domain.execution import Noise


@lru_cache(maxsize=256)
def channels(noise: Noise, num_qubits: int) -> tuple[tuple[cirq.Gate, tuple[int, ...]], ...]:
    """Return the channels, and their positions, that follow a gate on 1 or 2 qubits."""
    rate, time_us = (
        (noise.depolarizing_1q, noise.gate_time_1q_us)
        if num_qubits == 1
        else (noise.depolarizing_2q, noise.gate_time_2q_us)
    )
    result: list[tuple[cirq.Gate, tuple[int, ...]]] = []
    if rate:
        # The maximally mixed state is an even mixture of all Pauli errors, including the identity.
        paulis = 4**num_qubits
        depolarize = cirq.depolarize(rate * (paulis - 1) / paulis, n_qubits=num_qubits)
        result.append((depolarize, tuple(range(num_qubits))))
    relaxed = relaxation(noise, time_us)
    if relaxed is not None:
        for position in range(num_qubits):
            result.append((cirq.amplitude_damp(relaxed.decay), (position,)))
            result.append((cirq.phase_flip(relaxed.dephasing), (position,)))
    return tuple(result)
