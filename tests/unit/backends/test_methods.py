"""The methods that backends offer for a circuit, and their predictions."""

import pytest

from quantcloud.backends.aer import backend as aer
from quantcloud.backends.cirq import backend as cirq
from quantcloud.backends.local import backend as local
from quantcloud.backends.pennylane import backend as pennylane
from quantcloud.backends.simulation.costs import histories
from quantcloud.circuits import analyse
from quantcloud.domain.execution import RunOptions
from quantcloud.openqasm import parse
from quantcloud.routing.method import Refusal
from unit.backends.exact import with_header
from unit.backends.offers import NOISY, SHOTS, ghz, methods, names, wide


@pytest.mark.parametrize(
    ("backend", "provider", "num_qubits"),
    [
        (local.BACKEND, "quantsdk", 20),
        (aer.CPU, "ibm", 25),
        (aer.GPU, "ibm", 30),
        (cirq.BACKEND, "google", 20),
        (pennylane.BACKEND, "xanadu", 20),
    ],
)
def test_every_backend_accepts_its_width_and_no_more(backend, provider, num_qubits):
    assert backend.info.provider == provider
    assert backend.info.num_qubits == num_qubits
    (method,) = methods(backend, wide(num_qubits))
    assert method.name == "statevector"
    refusal = methods(backend, wide(num_qubits + 1) + "reset q[0];")
    assert isinstance(refusal, Refusal)
    assert f"{backend.info.name} runs up to {num_qubits} qubits" in refusal.reason
    assert f"{num_qubits + 1}, a statevector of " in refusal.reason


@pytest.mark.parametrize(("backend", "most"), [(cirq.BACKEND, 36), (aer.CPU, 36)])
def test_more_qubits_are_accepted_if_one_evolution_serves_all_shots(backend, most):
    assert "statevector" in names(methods(backend, wide(most)))
    assert f"circuits up to {most} qubits" in methods(backend, wide(most + 1)).reason
    assert isinstance(methods(backend, wide(26), NOISY), Refusal)


def test_qsim_takes_fewer_qubits_with_noise():
    assert isinstance(methods(cirq.BACKEND, wide(21), NOISY), Refusal)


def test_a_refusal_states_the_memory_that_the_run_would_take():
    assert "this one has 37, a statevector of 2 TiB" in methods(aer.CPU, wide(37)).reason
    assert "this one has 37, a statevector of 1 TiB" in methods(cirq.BACKEND, wide(37)).reason


@pytest.mark.parametrize("num_qubits", [100, 1000])
def test_wide_clifford_circuits_are_accepted(num_qubits):
    assert names(methods(local.BACKEND, ghz(num_qubits))) == {"stabilizer"}
    assert "stabilizer" in names(methods(aer.CPU, ghz(num_qubits)))
    assert isinstance(methods(cirq.BACKEND, ghz(num_qubits)), Refusal)


def test_a_circuit_too_wide_for_every_method_is_refused():
    for backend in (local.BACKEND, aer.CPU):
        refusal = methods(backend, ghz(5001))
        assert isinstance(refusal, Refusal)
        assert "Clifford circuits up to" in refusal.reason


def test_noise_is_accepted_by_methods_that_simulate_it():
    assert names(methods(aer.CPU, wide(4), NOISY)) == {"statevector", "density_matrix"}
    assert names(methods(aer.CPU, wide(16), NOISY)) == {"statevector"}
    assert names(methods(cirq.BACKEND, wide(4), NOISY)) == {"trajectories", "density_matrix"}
    assert names(methods(cirq.BACKEND, wide(16), NOISY)) == {"trajectories"}
    for backend in (local.BACKEND, pennylane.BACKEND):
        assert "simulates no noise" in methods(backend, wide(4), NOISY).reason


def test_the_statevector_option_needs_a_statevector_method():
    asked = RunOptions(statevector=True)
    for backend in (local.BACKEND, aer.CPU, cirq.BACKEND, pennylane.BACKEND):
        assert names(methods(backend, ghz(5), asked)) == {"statevector"}
    assert isinstance(methods(local.BACKEND, ghz(50), asked), Refusal)
    noisy = RunOptions(statevector=True, noise=NOISY.noise)
    for backend in (aer.CPU, cirq.BACKEND):
        assert "noisy state is mixed" in methods(backend, ghz(5), noisy).reason


def test_methods_state_their_precision():
    assert all(not method.double_precision for method in methods(cirq.BACKEND, wide(5)))
    assert all(method.double_precision for method in methods(pennylane.BACKEND, wide(5)))


def test_predictions_grow_with_the_circuit():
    for backend in (local.BACKEND, aer.CPU, cirq.BACKEND, pennylane.BACKEND):
        # With few shots, the states take most of the memory.
        (small,) = methods(backend, wide(14), shots=10)
        (large,) = methods(backend, wide(20), shots=10)
        assert 10 * small.memory_bytes < large.memory_bytes < 65 * small.memory_bytes
        assert large.seconds > 5 * small.seconds


def test_histories_count_mid_circuit_measurements():
    def of(source):
        return histories(analyse(parse(with_header(source))), 1000)

    assert of(ghz(3)) == 1
    assert of("qreg q[1]; creg c[2]; h q[0]; measure q[0]->c[0]; h q[0]; measure q[0]->c[1];") == 2
    each = "".join(f"h q[{i}]; measure q[{i}] -> c[{i}]; if(c==1) x q[{i + 1}];" for i in range(9))
    assert of(f"qreg q[10]; creg c[10]; {each} measure q[9] -> c[9];") == 512
    rounds = "h q[0]; measure q[0] -> c[0]; reset q[0];" * 30
    assert of(f"qreg q[1]; creg c[1]; {rounds} h q[0]; measure q[0] -> c[0];") == 4
    assert of(f"qreg q[9]; creg c[1]; {rounds} h q; measure q[8] -> c[0];") == 1000


@pytest.mark.parametrize("backend", [cirq.BACKEND, pennylane.BACKEND])
@pytest.mark.parametrize("operation", ["measure q[1] -> c[1];", "reset q[1];"])
def test_libraries_without_conditional_measurements_refuse_them(backend, operation):
    start = "qreg q[2]; creg c[2]; h q; measure q[0] -> c[0]; if (c==1) "
    refusal = methods(backend, f"{start} {operation} measure q[1] -> c[1];")
    assert refusal.reason == (
        f"{backend.info.name} measures and resets no qubit under a condition; local_simulator and "
        "aer_simulator do"
    )
    assert names(methods(backend, f"{start} x q[1]; measure q[1] -> c[1];")) == {"statevector"}


def test_a_matrix_product_state_is_never_truncated():
    reach = "".join(f"cp(0.3) q[{i}],q[{i + 20}];" for i in range(20))
    source = f"qreg q[40]; creg c[40]; h q; {reach} measure q -> c;"
    refusal = methods(aer.CPU, source)
    assert "allow a Schmidt rank of 64 (its gates allow 2**20)" in refusal.reason


def test_each_repeated_measurement_takes_memory():
    often = "qreg q[1]; creg c[1];" + "h q[0]; measure q[0] -> c[0];" * 1000
    (method,) = (each for each in methods(local.BACKEND, often) if each.name == "stabilizer")
    assert method.memory_bytes >= 1000 * SHOTS
