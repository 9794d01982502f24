"""Small circuits on Aer's bare state, which is reused."""

import numpy as np
import pytest

from quantcloud.backends.aer.limits import MAX_BARE_QUBITS
from quantcloud.backends.aer.state import AerState, BareStates
from quantcloud.backends.simulation.programs import program
from quantcloud.circuits.ir import Operation
from unit.backends.exact import every_gate, read, run, statevector


def gates(source):
    return program(read(source)).body


@pytest.mark.parametrize("num_qubits", [1, 2, 4, 7])
def test_probabilities_are_exact_in_any_order(num_qubits):
    states = BareStates()
    for seed in (1, 2, 1):
        circuit = read(every_gate(num_qubits, np.random.default_rng(seed)))
        found = states.probabilities(num_qubits, program(circuit).body)
        assert np.allclose(found, abs(statevector(circuit)) ** 2, atol=1e-13)


def test_a_failed_circuit_leaves_no_gates_in_the_state():
    states = BareStates()
    flips = gates("qreg q[2]; x q[0]; x q[1];")
    assert np.allclose(states.probabilities(2, flips), [0, 0, 0, 1])
    with pytest.raises(ValueError, match="not a standard gate"):
        states.probabilities(2, [*flips, Operation("nonsense", (0,))])
    assert np.allclose(states.probabilities(2, gates("qreg q[2]; x q[1];")), [0, 0, 1, 0])


@pytest.mark.parametrize("num_qubits", [MAX_BARE_QUBITS, MAX_BARE_QUBITS + 1])
def test_circuits_on_both_sides_of_the_limit_agree(executors, num_qubits):
    circuit = read(
        f"qreg q[{num_qubits}]; creg c[{num_qubits}]; h q[0]; s q[0]; h q[0]; x q[2];"
        f"cx q[0],q[{num_qubits - 1}]; measure q -> c;"
    )
    counts = run(executors["aer"], "statevector", circuit, 4000).counts
    low, high = "100".zfill(num_qubits), "1" + "101".zfill(num_qubits - 1)
    assert counts.keys() == {low, high}
    assert abs(counts[low] - 2000) < 300
    assert counts == run(executors["aer"], "statevector", circuit, 4000).counts


def test_evolutions_continue_and_do_not_change_copies():
    state = AerState(2)
    state.evolve(gates("qreg q[2]; x q[0];"))
    other = state.copy()
    with pytest.raises(ValueError, match="not a standard gate"):
        state.evolve([*gates("qreg q[2]; x q[1];"), Operation("nonsense", (0,))])
    state.evolve(gates("qreg q[2]; cx q[0],q[1];"))
    assert np.allclose(state.amplitudes, [0, 0, 0, 1])
    other.evolve(gates("qreg q[2]; h q[1];"))
    assert np.allclose(other.amplitudes, [0, 0.5**0.5, 0, 0.5**0.5])
