"""Runs with many qubits, outcomes or bits."""

import time

import numpy as np
import pytest

from quantcloud.backends.aer import backend as aer
from unit.backends.exact import read, run
from unit.backends.offers import ghz, methods, names


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


@pytest.mark.parametrize("backend", ["local", "cirq", "pennylane"])
def test_many_outcomes_are_counted_without_a_loop_over_shots(executors, backend):
    circuit = read("qreg q[18]; creg c[18]; h q; measure q -> c;")
    started = time.process_time()
    outcome = run(executors[backend], "statevector", circuit, 100_000, memory=True)
    assert time.process_time() - started < 2
    assert len(outcome.counts) > 80_000
    assert len(outcome.memory) == 100_000
