"""Compares each gate of the NumPy statevector with Qiskit's matrix, at several widths."""

import numpy as np
import pytest

from quantcloud.backends.local import statevector
from quantcloud.backends.local.statevector import Statevector
from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.circuits.ir import Operation
from unit.backends.exact import gate_matrix

# The least width of each gate, and both sides of the limit up to which amplitudes are gathered.
WIDTHS = (0, statevector._GATHERED_QUBITS, statevector._GATHERED_QUBITS + 1)


def applied(matrix, state, qubits):
    """Apply a gate to a state by a tensor product over the axes of its qubits."""
    width = len(state).bit_length() - 1
    axes = [width - 1 - qubit for qubit in reversed(qubits)]
    tensor = matrix.reshape((2,) * (2 * len(qubits)))
    inner = range(len(qubits), 2 * len(qubits))
    product = np.tensordot(tensor, state.reshape((2,) * width), axes=(inner, axes))
    return np.moveaxis(product, range(len(qubits)), axes).ravel()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", sorted(STANDARD_GATES))
def test_a_gate_applies_its_matrix(name, width):
    gate = STANDARD_GATES[name]
    width = max(width, gate.num_qubits)
    rng = np.random.default_rng(len(name) + width)
    amplitudes = rng.normal(size=(2, 1 << width)).view(np.complex128).ravel()
    state = Statevector(width, amplitudes.copy())
    # Several gates on the same state, because its arrays change places.
    for _ in range(5):
        qubits = tuple(map(int, rng.permutation(width)[: gate.num_qubits]))
        params = tuple(map(float, rng.uniform(-4, 4, gate.num_params)))
        state.evolve([Operation(name, qubits, params, (), None)])
        amplitudes = applied(gate_matrix(name, params), amplitudes, qubits)
        assert np.allclose(state.amplitudes, amplitudes, atol=1e-10)
