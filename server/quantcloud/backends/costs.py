"""What a run is predicted to need.

Memory follows from the sizes of the states. Time is a sum of three terms, a fixed start, so much
for each operation, and so much for each amplitude that an operation touches; its constants were
measured on one core of a 2-core server and only have to rank methods and find the hopeless.
"""

import math
from dataclasses import dataclass

from quantcloud.circuits.analysis import Analysis

DOUBLE = 16
"""Bytes of a complex number in double precision."""
SINGLE = 8

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of a simulator that goes over all amplitudes once for each gate."""

    start: float
    operation: float
    amplitude: float
    shot: float = 1e-7

    def seconds(self, amplitudes: float, operations: int, shots: int, repeats: float = 1) -> float:
        """Predict the time of `repeats` evolutions through `operations`, and the sampling."""
        evolution = operations * (self.operation + self.amplitude * amplitudes)
        return self.start + repeats * evolution + self.amplitude * amplitudes + self.shot * shots


def statevector_bytes(num_qubits: int, amplitude_bytes: int = DOUBLE) -> int:
    """Size of 2**n amplitudes."""
    return amplitude_bytes << num_qubits


def density_matrix_bytes(num_qubits: int, amplitude_bytes: int = DOUBLE) -> int:
    """Size of 4**n elements."""
    return amplitude_bytes << (2 * num_qubits)


def tableau_bytes(num_qubits: int) -> int:
    """Size of two tableaus of 4 n**2 bits and signs, which a stabilizer simulation holds."""
    return num_qubits * (num_qubits + 64)


def histories(analysis: Analysis, shots: int) -> int:
    """Guess how many different histories `shots` shots of a circuit have.

    Counts on one final measurement of every qubit; each other measurement or reset doubles them.
    """
    if not analysis.has_mid_circuit:
        return 1
    measurements = analysis.gate_counts.get("measure", 0)
    resets = analysis.gate_counts.get("reset", 0)
    events = max(1, measurements - analysis.num_qubits) + resets
    return min(shots, 1 << min(events, shots.bit_length()))


def waiting_states(analysis: Analysis, shots: int) -> int:
    """Bound how many states `branching.run` keeps waiting."""
    return math.ceil(math.log2(shots)) if analysis.has_mid_circuit and shots > 1 else 0


def readable_bytes(amount: int) -> str:
    """Write a size in binary units: `statevector_bytes(34)` is `256 GiB`."""
    if amount >> 10 * len(_UNITS):
        return f"2**{amount.bit_length() - 1} bytes"
    rank = max(0, (amount.bit_length() - 1) // 10)
    size = amount / (1 << 10 * rank)
    return f"{size:.0f} {_UNITS[rank]}" if size >= 100 else f"{size:.3g} {_UNITS[rank]}"  # noqa: PLR2004 - three digits
