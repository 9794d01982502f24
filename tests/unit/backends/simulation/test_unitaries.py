import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantcloud.backends.simulation.unitaries import matrix
from quantcloud.circuits.gates import STANDARD_GATES
from unit.backends.exact import gate_matrix

ANGLES = st.floats(-20, 20, allow_subnormal=False)


@given(data=st.data())
@pytest.mark.parametrize("name", sorted(STANDARD_GATES))
def test_matrices_equal_qiskits(name, data):
    gate = STANDARD_GATES[name]
    params = tuple(data.draw(ANGLES) for _ in range(gate.num_params))
    ours = matrix(name, params)
    assert ours.shape == (2**gate.num_qubits, 2**gate.num_qubits)
    assert np.allclose(ours, gate_matrix(name, params), atol=1e-12)


def test_a_matrix_is_shared_and_cannot_be_changed():
    assert matrix("h") is matrix("h")
    with pytest.raises(ValueError, match="read-only"):
        matrix("h")[0, 0] = 1


def test_an_unknown_gate_is_named():
    with pytest.raises(ValueError, match="'hadamard' is not a standard gate"):
        matrix("hadamard")
