"""Clifford gates are decomposed into equal sequences of Stim's gates."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantcloud.backends.simulation.clifford import clifford_steps
from quantcloud.backends.simulation.unitaries import matrix
from quantcloud.circuits.gates import STANDARD_GATES, is_clifford
from unit.backends.exact import embedded

SOMETIMES = sorted(name for name, gate in STANDARD_GATES.items() if gate.clifford_angle is not None)


@pytest.mark.parametrize("name", SOMETIMES)
@given(data=st.data())
def test_the_steps_multiply_to_the_gate(name, data):
    gate = STANDARD_GATES[name]
    quarters = data.draw(
        st.lists(st.integers(-8, 8), min_size=gate.num_params, max_size=gate.num_params)
    )
    params = tuple(quarter * math.pi / 2 for quarter in quarters)
    if not is_clifford(name, params):
        with pytest.raises(ValueError, match=f"only Clifford gates, and {name}"):
            clifford_steps(name, params)
        return
    made = np.eye(2**gate.num_qubits)
    for step, positions in clifford_steps(name, params):
        made = embedded(matrix(step.lower()), positions, gate.num_qubits) @ made
    expected = matrix(name, params)
    overlap = np.trace(made.conj().T @ expected) / len(made)
    assert abs(overlap) == pytest.approx(1)


@pytest.mark.parametrize("name", sorted(set(STANDARD_GATES) - set(SOMETIMES)))
def test_gates_that_are_never_clifford_are_refused(name):
    params = (0.0,) * STANDARD_GATES[name].num_params
    with pytest.raises(ValueError, match="only Clifford gates"):
        clifford_steps(name, params)
