"""The methods that backends offer for a circuit, and that runs keep to the predictions."""

import os
import re
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from quantcloud.backends.aer import backend as aer
from quantcloud.backends.base import installed_backends
from quantcloud.backends.cirq import backend as cirq
from quantcloud.backends.local import backend as local
from quantcloud.backends.pennylane import backend as pennylane
from quantcloud.backends.simulation.costs import histories, readable_bytes
from quantcloud.circuits import analyse
from quantcloud.domain.execution import Noise, RunOptions
from quantcloud.openqasm import parse
from quantcloud.routing.method import Refusal
from unit.backends.exact import read, run

SHOTS = 1024
TESTS = Path(__file__).parents[2]
PLAIN = RunOptions()
NOISY = RunOptions(noise=Noise(0.01, 0.02, 0.03))


def wide(num_qubits, gate="cp(0.3)", rounds=10):
    """Return a circuit that is neither Clifford nor sparse, unless `gate` makes it so."""
    pairs = "".join(
        f"{gate} q[{i}],q[{i + 1}];" for _ in range(rounds) for i in range(num_qubits - 1)
    )
    return f"qreg q[{num_qubits}]; creg c[{num_qubits}]; h q[0]; {pairs} measure q -> c;"


def ghz(num_qubits):
    return wide(num_qubits, "cx", 1)


def methods(backend, source, options=PLAIN, shots=SHOTS):
    return backend.methods(
        analyse(parse(f'OPENQASM 2.0; include "qelib1.inc"; {source}')), shots, options
    )


def names(offer):
    assert not isinstance(offer, Refusal), offer
    assert [method.seconds for method in offer] == sorted(method.seconds for method in offer)
    assert all(method.memory_bytes > 0 for method in offer)
    return {method.name for method in offer}


def test_the_entry_points_lead_to_the_backends():
    installed = installed_backends()
    assert installed["aer_gpu_simulator"] is aer.GPU
    for backend in (aer.CPU, cirq.BACKEND, local.BACKEND, pennylane.BACKEND):
        assert installed[backend.info.name] is backend
        assert backend.offline_reason() is None
        assert backend.info.is_simulator
        assert backend.info.cost_per_shot == 0


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
        return histories(analyse(parse(f'OPENQASM 2.0; include "qelib1.inc"; {source}')), 1000)

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


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (16, "16 bytes"),
        (1536, "1.5 KiB"),
        (16 << 25, "512 MiB"),
        (1023 << 20, "1023 MiB"),
        (16 << 34, "256 GiB"),
        (0, "0 bytes"),
        (16 << 60, "16 EiB"),
        (16 << 5001, "2**5005 bytes"),
    ],
)
def test_sizes_are_readable(amount, text):
    assert readable_bytes(amount) == text


@pytest.mark.parametrize(
    ("backend", "num_qubits", "shots"),
    [("local", 100, 1024), ("local", 1000, 1024), ("aer", 100, 100)],
)
def test_wide_ghz_states_are_sampled(executors, backend, num_qubits, shots):
    outcome = run(executors[backend], "stabilizer", read(ghz(num_qubits)), shots)
    assert outcome.counts.keys() == {"0" * num_qubits, "1" * num_qubits}
    assert sum(outcome.counts.values()) == shots
    assert min(outcome.counts.values()) > shots / 4


def test_a_sparse_wide_circuit_is_exact_as_a_matrix_product_state(executors):
    """Pairs of neighbours are independent, so each has its own distribution."""
    width = 40
    pairs = "".join(
        f"ry({0.3 + 0.1 * i}) q[{i}]; cx q[{i}],q[{i + 1}]; ry(0.5) q[{i + 1}];"
        for i in range(0, width, 2)
    )
    source = f"qreg q[{width}]; creg c[{width}]; {pairs} measure q -> c;"
    assert names(methods(aer.CPU, source)) == {"matrix_product_state"}
    shots = 20_000
    outcome = run(executors["aer"], "matrix_product_state", read(source), shots)
    ones = np.zeros(width)
    for key, count in outcome.counts.items():
        ones += count * np.array([bit == "1" for bit in reversed(key)])
    first = np.sin((0.3 + 0.1 * np.arange(0, width, 2)) / 2) ** 2
    second = first * np.cos(0.25) ** 2 + (1 - first) * np.sin(0.25) ** 2
    exact = np.stack((first, second), axis=1).ravel()
    # Hoeffding's bound of 1e-10 for each of the qubits.
    assert np.abs(ones / shots - exact).max() < np.sqrt(np.log(2e10) / (2 * shots))


def test_a_matrix_product_state_is_never_truncated():
    reach = "".join(f"cp(0.3) q[{i}],q[{i + 20}];" for i in range(20))
    source = f"qreg q[40]; creg c[40]; h q; {reach} measure q -> c;"
    refusal = methods(aer.CPU, source)
    assert "allow a Schmidt rank of 64 (its gates allow 2**20)" in refusal.reason


@pytest.mark.parametrize("backend", ["local", "cirq", "pennylane"])
def test_many_outcomes_are_counted_without_a_loop_over_shots(executors, backend):
    circuit = read("qreg q[18]; creg c[18]; h q; measure q -> c;")
    started = time.process_time()
    outcome = run(executors[backend], "statevector", circuit, 100_000, memory=True)
    assert time.process_time() - started < 2
    assert len(outcome.counts) > 80_000
    assert len(outcome.memory) == 100_000


def test_the_gpu_backend_needs_a_cuda_build(tmp_path, monkeypatch):
    assert aer.GPU.offline_reason() == "no CUDA build of Qiskit Aer is installed (qiskit-aer-gpu)"
    folder = tmp_path / "qiskit_aer_gpu-0.18.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: qiskit-aer-gpu\nVersion: 0.18\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert metadata.version("qiskit-aer-gpu") == "0.18"
    assert aer.GPU.offline_reason() in (None, "this machine shows no NVIDIA GPU (/dev/nvidia0)")


LIGHT = """
import sys
from quantcloud.backends.base import installed_backends
from quantcloud.circuits import analyse
from quantcloud.openqasm import parse
from quantcloud.domain.execution import RunOptions
circuit = parse('OPENQASM 2.0; include "qelib1.inc"; qreg q[3]; creg c[3]; h q; measure q -> c;')
for backend in installed_backends().values():
    if backend.offline_reason() is None:
        assert backend.methods(analyse(circuit), 1024, RunOptions())
heavy = {"numpy", "qiskit", "qiskit_aer", "cirq", "qsimcirq", "pennylane", "stim", "scipy"}
print(sorted(heavy & sys.modules.keys()))
"""


def test_the_light_half_imports_no_simulator():
    result = subprocess.run(
        [sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True, timeout=60
    )
    assert result.stdout.strip() == "[]"


def test_each_repeated_measurement_takes_memory():
    often = "qreg q[1]; creg c[1];" + "h q[0]; measure q[0] -> c[0];" * 1000
    (method,) = (each for each in methods(local.BACKEND, often) if each.name == "stabilizer")
    assert method.memory_bytes >= 1000 * SHOTS


# Prints how many bytes more a circuit with the given number of gates takes than a small one. Each
# gate has a different angle.
TAKEN = """
import sys
from quantcloud.backends.base import installed_backends
from unit.backends.exact import read, run
from unit.backends.test_methods import EVERY_NOISE, peak, rotations

backend, method, gates, noisy = sys.argv[1], sys.argv[2], int(sys.argv[3]), bool(sys.argv[4])
executor = installed_backends()[backend].executor()
noise = EVERY_NOISE if noisy else None
run(executor, method, read(rotations(4)), 20, noise=noise)
before = peak()
run(executor, method, read(rotations(gates)), 20, noise=noise)
print(peak() - before)
"""
EVERY_NOISE = Noise(1e-4, 1e-4, 1e-3, 50.0, 30.0)


def peak():
    """The peak memory of this process, in bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) << 10


def rotations(gates):
    turned = "".join(f"rzz({0.1 + place / gates}) q[0],q[1];" for place in range(gates))
    return f"qreg q[2]; creg c[2]; {turned} measure q -> c;"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc/self/status")
@pytest.mark.parametrize(
    ("backend", "method", "gates", "noise"),
    [
        (aer.CPU, "statevector", 30_000, None),
        (aer.CPU, "statevector", 5_000, EVERY_NOISE),
        (aer.CPU, "density_matrix", 5_000, EVERY_NOISE),
        (cirq.BACKEND, "statevector", 30_000, None),
        (cirq.BACKEND, "trajectories", 2_000, EVERY_NOISE),
        (cirq.BACKEND, "density_matrix", 2_000, EVERY_NOISE),
        (pennylane.BACKEND, "statevector", 30_000, None),
        (local.BACKEND, "statevector", 30_000, None),
    ],
)
def test_gates_take_no_more_memory_than_predicted(backend, method, gates, noise):
    offer = methods(backend, rotations(gates), RunOptions(noise=noise), shots=20)
    (predicted,) = (each.memory_bytes for each in offer if each.name == method)
    arguments = [backend.info.name, method, str(gates), "noisy" if noise else ""]
    result = subprocess.run(
        [sys.executable, "-c", TAKEN, *arguments],
        capture_output=True, text=True, check=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert predicted / 4 < int(result.stdout) < predicted


WIDE_TAKEN = """
import sys
from quantcloud.backends.base import installed_backends
from unit.backends.exact import read, run
from unit.backends.test_methods import peak, rotations, wide

backend, width, shots = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
executor = installed_backends()[backend].executor()
run(executor, "statevector", read(wide(14)), shots)
before = peak()
run(executor, "statevector", read(wide(width, rounds=1)), shots)
print(peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc/self/status")
@pytest.mark.parametrize("shots", [1, 1000])
@pytest.mark.parametrize("backend", [aer.CPU, cirq.BACKEND])
def test_a_wide_state_takes_no_more_memory_than_predicted(backend, shots):
    width = 22
    (method,) = methods(backend, wide(width, rounds=1), shots=shots)
    result = subprocess.run(
        [sys.executable, "-c", WIDE_TAKEN, backend.info.name, str(width), str(shots)],
        capture_output=True, text=True, check=True, timeout=120,
        env={**os.environ, "PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert method.memory_bytes / 4 < int(result.stdout) < 1.05 * method.memory_bytes


@pytest.mark.parametrize(
    ("backend", "package"),
    [
        (aer.CPU, "qiskit"), (aer.CPU, "qiskit_aer"), (cirq.BACKEND, "cirq"),
        (cirq.BACKEND, "qsimcirq"), (pennylane.BACKEND, "pennylane"),
        (pennylane.BACKEND, "pennylane_lightning"),
    ],
)  # fmt: skip
def test_a_backend_whose_package_is_not_installed_is_offline(backend, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    reason = backend.offline_reason()
    assert reason is not None
    assert reason.startswith(f"the package {package} is not installed for this Python, 3.")
