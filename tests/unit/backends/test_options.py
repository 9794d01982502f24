"""Options of a run besides counts, and the metadata of every outcome."""

import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from quantcloud.domain.execution import Noise
from unit.backends.exact import read, run, statevector

TERMINAL = """
    qreg q[3]; creg c[4]; ry(0.4) q[0]; rx(1.1) q[1]; cx q[0],q[2]; crz(0.3) q[1],q[0];
    measure q[0] -> c[2]; measure q[2] -> c[0]; measure q[1] -> c[3];
"""
MIDWAY = """
    qreg q[2]; creg c[3]; h q[0]; measure q[0] -> c[0]; h q[0]; ry(0.7) q[1];
    measure q[0] -> c[1]; measure q[1] -> c[2];
"""
CLIFFORD = "qreg q[3]; creg c[3]; h q[0]; cx q[0],q[1]; h q[2]; measure q -> c;"

RUNS = [
    ("local", "statevector", TERMINAL, {}),
    ("local", "statevector", MIDWAY, {}),
    ("local", "stabilizer", CLIFFORD, {}),
    ("aer", "statevector", TERMINAL, {}),
    ("aer", "statevector", MIDWAY, {}),
    ("aer", "stabilizer", CLIFFORD, {}),
    ("aer", "matrix_product_state", TERMINAL, {}),
    ("aer", "density_matrix", TERMINAL, {"noise": Noise(0.1, 0.1, 0.1)}),
    ("cirq", "statevector", TERMINAL, {}),
    ("cirq", "statevector", MIDWAY, {}),
    ("cirq", "density_matrix", MIDWAY, {"noise": Noise(0.1, 0.1, 0.1)}),
    ("cirq", "trajectories", MIDWAY, {"noise": Noise(0.1, 0.1, 0.1)}),
    ("pennylane", "statevector", TERMINAL, {}),
    ("pennylane", "statevector", MIDWAY, {}),
]
ALL = ["local", "aer", "cirq", "pennylane"]


@pytest.mark.parametrize(("backend", "method", "source", "options"), RUNS)
def test_the_same_seed_gives_the_same_counts(executors, backend, method, source, options):
    circuit = read(source)
    first, again = (
        run(executors[backend], method, circuit, 500, seed=2**53 - 1, memory=True, **options)
        for _ in range(2)
    )
    other = run(executors[backend], method, circuit, 500, seed=3, memory=True, **options)
    assert first.counts == again.counts
    assert first.memory == again.memory
    assert first.memory != other.memory


@pytest.mark.parametrize(("backend", "method", "source", "options"), RUNS)
def test_memory_lists_the_counts_shot_by_shot(executors, backend, method, source, options):
    circuit = read(source)
    with_memory = run(executors[backend], method, circuit, 500, memory=True, **options)
    assert Counter(with_memory.memory) == with_memory.counts
    assert len(with_memory.memory) == 500
    without = run(executors[backend], method, circuit, 500, **options)
    assert without.memory is None
    assert without.counts == with_memory.counts


@pytest.mark.parametrize(("backend", "method", "source", "options"), RUNS)
def test_neighbouring_shots_are_independent(executors, backend, method, source, options):
    outcome = run(executors[backend], method, read(source), 1000, memory=True, **options)
    changes = sum(one != other for one, other in pairwise(outcome.memory))
    expected = 1000 - sum(count**2 for count in outcome.counts.values()) / 1000
    assert abs(changes - expected) < 5 * expected**0.5


@pytest.mark.parametrize(("backend", "method", "source", "options"), RUNS)
def test_metadata_describes_the_run(executors, backend, method, source, options):
    outcome = run(executors[backend], method, read(source), 10, seed=5, **options)
    metadata = json.loads(json.dumps(outcome.metadata))
    assert metadata["method"] == method
    assert metadata["seed"] == 5
    assert metadata["noise"] is bool(options)
    single = backend == "cirq" and method != "density_matrix"
    assert metadata["precision"] == ("single" if single else "double")
    assert outcome.execution_time_ms > 0
    assert outcome.statevector is None


@pytest.mark.parametrize("backend", ALL)
def test_the_statevector_is_the_state_before_the_measurements(executors, backend):
    circuit = read(TERMINAL)
    outcome = run(executors[backend], "statevector", circuit, 5, statevector=True)
    state = np.array(outcome.statevector.real) + 1j * np.array(outcome.statevector.imag)
    assert abs(np.vdot(state, statevector(circuit))) == pytest.approx(1, abs=1e-6)
    assert sum(outcome.counts.values()) == 5
    assert all(isinstance(part, float) for part in outcome.statevector.real)


@pytest.mark.parametrize(
    ("backend", "method"), [("aer", "density_matrix"), ("cirq", "trajectories")]
)
def test_a_t2_beyond_twice_t1_is_refused(executors, backend, method):
    noise = Noise(t1_us=10, t2_us=30)
    with pytest.raises(ValueError, match="t2_us may be at most twice t1_us, which is 20; got 30"):
        run(executors[backend], method, read(TERMINAL), 5, noise=noise)


@pytest.mark.parametrize("backend", ["local", "aer"])
def test_the_stabilizer_method_names_a_gate_that_is_not_clifford(executors, backend):
    circuit = read("qreg q[1]; creg c[1]; rz(0.3) q[0]; measure q -> c;")
    with pytest.raises(ValueError, match=r"only Clifford gates, and rz\(0.3\) is not one"):
        run(executors[backend], "stabilizer", circuit, 5)


@pytest.mark.parametrize("backend", ALL)
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("qreg q[1]; creg c[1]; measure q -> c;", {"0": 9}),
        ("qreg q[1]; creg c[2]; x q[0]; measure q[0] -> c[1];", {"10": 9}),
        ("qreg q[3]; x q[1];", {"010": 9}),
        ("qreg q[2]; creg c[1]; creg d[3]; x q[1]; measure q[1] -> d[0];", {"0010": 9}),
    ],
)
def test_small_circuits_have_their_only_outcome(executors, backend, source, expected):
    assert run(executors[backend], "statevector", read(source), 9).counts == expected
