"""The sizes of the states that simulators keep for a circuit."""

from quantcloud.circuits.analysis import Analysis

DOUBLE = 16
"""The bytes of a complex number in double precision."""
SINGLE = 8

_LARGEST = 1 << 60
_MOST_MPS_BITS = 30


def statevector_bytes(num_qubits: int, amplitude_bytes: int = DOUBLE) -> int:
    """Return the bytes of 2**n amplitudes."""
    return amplitude_bytes << num_qubits


def density_matrix_bytes(num_qubits: int) -> int:
    """Return the bytes of 4**n elements."""
    return DOUBLE << (2 * num_qubits)


def tableau_bytes(num_qubits: int) -> int:
    """Return the bytes of a stabilizer simulation: two tableaus of 4 n**2 bits and signs."""
    return num_qubits * (num_qubits + 64)


def matrix_product_bytes(num_qubits: int, rank_bits: int) -> int:
    """Return the bytes of two matrices for each qubit, all with bond dimension `2**rank_bits`."""
    return 2 * num_qubits * DOUBLE << 2 * rank_bits


def state_bytes(analysis: Analysis) -> dict[str, int]:
    """Return the bytes of the circuit's state by kind of method, if below 2**60.

    `stabilizer` is only for Clifford circuits, and `matrix_product_state` only for circuits of
    bounded entanglement. A backend needs more for a run, because it makes copies.
    """
    width = analysis.num_qubits
    found: dict[str, int] = {
        "statevector": statevector_bytes(width),
        "statevector_single": statevector_bytes(width, SINGLE),
        "density_matrix": density_matrix_bytes(width),
    }
    if analysis.is_clifford:
        found["stabilizer"] = tableau_bytes(width)
    bits = analysis.entanglement_bits
    if bits is not None and bits <= _MOST_MPS_BITS:
        found["matrix_product_state"] = matrix_product_bytes(width, bits)
    return {name: size for name, size in found.items() if size < _LARGEST}
