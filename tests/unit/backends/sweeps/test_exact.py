"""Exact values, variances, probabilities and gradients against dense matrices."""

import numpy as np
import pytest

from quantcloud.backends.local.vectorized import layers
from quantcloud.backends.local.vectorized import sweep as vectorized
from quantcloud.backends.simulation.sweep import observables as operators
from quantcloud.circuits.binding import bound
from quantcloud.domain.execution import Noise
from quantcloud.domain.sweep import Observable, Term
from unit.backends.exact import distribution
from unit.backends.sweeping import Problem, array, problem, read

NOISE = Noise(depolarizing_1q=0.02, depolarizing_2q=0.05, readout=0.1, t1_us=50, t2_us=40)
METHODS = [
    ("local", "vectorized", 1e-10),
    ("local", "statevector", 1e-10),
    ("aer", "statevector", 1e-10),
    ("cirq", "statevector", 1e-5),
    ("pennylane", "statevector", 1e-10),
]
# Circuits of these gates have only real amplitudes.
REAL = ["ry", "h", "x", "z", "cx", "cz", "ch", "cry", "swap", "ccx"]


def assert_right(case, block, tolerance):
    values, variances = case.expected()
    shape = values.shape
    assert array(block.values, *shape) == pytest.approx(values, abs=tolerance)
    assert array(block.variances, *shape) == pytest.approx(variances, abs=20 * tolerance)
    assert block.errors is None
    gradients = array(block.gradients, *shape, case.values.shape[1])
    assert gradients[:1] == pytest.approx(case.gradients(), abs=5 * tolerance)


@pytest.mark.parametrize(("backend", "method", "tolerance"), METHODS)
@pytest.mark.parametrize("seed", range(3))
def test_values_variances_and_gradients_are_right(executors, backend, method, tolerance, seed):
    case = problem(seed, num_qubits=2 + seed)
    block = case.run(
        executors[backend], method, observables=case.observables, exact=True, gradient=True,
        variances=True,
    )  # fmt: skip
    assert_right(case, block, tolerance)


@pytest.mark.parametrize("seed", range(12))
def test_all_gates_are_right_vectorized(executors, seed):
    case = problem(
        100 + seed, num_qubits=1 + seed % 5, gates=45, names=REAL if seed % 3 == 0 else None
    )
    block = case.run(
        executors["local"], "vectorized", observables=case.observables, exact=True, gradient=True,
        variances=True,
    )  # fmt: skip
    assert_right(case, block, 1e-10)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("points", [1, 2])
def test_joined_qubits_are_right(executors, seed, points, monkeypatch):
    monkeypatch.setattr(layers, "_JOINED_FROM", 1)
    monkeypatch.setattr(layers, "TOGETHER", 1 + seed % 3)
    case = problem(
        200 + seed, num_qubits=2 + seed % 4, gates=30, points=points,
        names=REAL if seed % 3 == 0 else None, observables=1 + seed % 2,
    )  # fmt: skip
    block = case.run(
        executors["local"], "vectorized", observables=case.observables, exact=True, gradient=True,
        variances=True,
    )  # fmt: skip
    assert_right(case, block, 1e-10)


@pytest.mark.parametrize("names", [None, REAL])
def test_wide_states_and_states_that_are_computed_again_are_right(executors, names, monkeypatch):
    case = problem(7, num_qubits=6, gates=30, points=1, names=names)
    fields = {"observables": case.observables, "exact": True, "gradient": True}
    kept = case.run(executors["local"], "vectorized", **fields)
    values, _ = case.expected()
    assert array(kept.values, 1, 2) == pytest.approx(values, abs=1e-10)
    assert array(kept.gradients, 1, 2, 8) == pytest.approx(case.gradients(), abs=1e-9)
    monkeypatch.setattr(vectorized, "_MOST_KEPT_BYTES", 0)
    again = case.run(executors["local"], "vectorized", **fields)
    assert array(again.gradients) == pytest.approx(array(kept.gradients), abs=1e-12)


def test_the_points_of_a_window_are_those_of_the_whole_sweep(executors, monkeypatch):
    case = problem(1, num_qubits=3, points=7)
    fields = {"observables": case.observables, "exact": True, "gradient": True}
    for method in ("vectorized", "statevector"):
        whole = case.run(executors["local"], method, **fields)
        part = case.run(executors["local"], method, first=2, last=5, **fields)
        assert (part.first, part.points) == (2, 3)
        assert array(part.values, 3, 2) == pytest.approx(array(whole.values, 7, 2)[2:5], abs=1e-14)
        assert array(part.gradients, 3, 2, 5) == pytest.approx(
            array(whole.gradients, 7, 2, 5)[2:5], abs=1e-13
        )
    monkeypatch.setattr(vectorized, "CHUNK_BYTES", 1)
    alone = case.run(executors["local"], "vectorized", **fields)
    assert array(alone.values) == pytest.approx(array(whole.values), abs=1e-12)


@pytest.mark.parametrize(("backend", "method"), [("local", "vectorized"), ("aer", "statevector")])
def test_zipped_observables_go_with_their_points(executors, backend, method):
    case = problem(5, num_qubits=3, points=4, observables=4)
    values, _ = case.expected()
    block = case.run(
        executors[backend], method, observables=case.observables, zipped=True, exact=True,
        gradient=True,
    )  # fmt: skip
    assert array(block.values) == pytest.approx(np.diag(values), abs=1e-10)
    gradients = array(block.gradients, 4, 1, 5)
    assert gradients[0, 0] == pytest.approx(case.gradients()[0, 0], abs=1e-9)


@pytest.mark.parametrize("backend", ["aer", "cirq"])
def test_values_and_gradients_with_noise_are_those_of_the_density_matrix(executors, backend):
    # Only gates that both backends run as they are, and no readout.
    case = problem(11, num_qubits=2, gates=9, points=2, names=["rx", "rz", "cx", "crz", "cp"])
    block = case.run(
        executors[backend], "density_matrix", noise=NOISE, observables=case.observables,
        exact=True, variances=True, gradient=True,
    )  # fmt: skip
    values, variances = case.expected(NOISE)
    assert array(block.values, 2, 2) == pytest.approx(values, abs=1e-10)
    assert array(block.variances, 2, 2) == pytest.approx(variances, abs=1e-9)
    moved = [case.values.copy() for _ in range(2)]
    for sign, rows in zip((1, -1), moved, strict=True):
        rows[:, 0] += sign * 1e-4
    sides = [Problem(case.source, case.circuit, rows, case.observables) for rows in moved]
    slope = (sides[0].expected(NOISE)[0] - sides[1].expected(NOISE)[0]) / 2e-4
    # The array `w`, the last parameter of the sweep, has the first input.
    gradients = array(block.gradients, 2, 2, 4)
    assert gradients[:, :, case.order.index(0)] == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize("method", ["vectorized", "statevector"])
@pytest.mark.parametrize(
    "measured",
    [
        "",
        "bit[2] c; c[1] = measure q[0];",
        "bit[3] c; c[0] = measure q[1]; c[2] = measure q[1];",
    ],
)
def test_probabilities_are_those_of_the_classical_bits(executors, method, measured):
    case = problem(3, num_qubits=3, points=2)
    case.source += measured
    case.circuit = read(case.source)
    block = case.run(executors["local"], method, probabilities=True)
    assert block.probabilities is not None
    found = array(block.probabilities, 2, 1 << case.circuit.num_clbits)
    for row, values in zip(found, case.values, strict=True):
        expected = distribution(bound(case.circuit, values.tolist()))
        for key, probability in expected.items():
            assert row[int(key, 2)] == pytest.approx(probability, abs=1e-12)
        assert row.sum() == pytest.approx(1)


def test_stabilizer_states_of_many_qubits_have_exact_values(executors):
    width = 60
    source = f"OPENQASM 3.0; qubit[{width}] q; h q[0];" + "".join(
        f"cx q[{place}], q[{place + 1}];" for place in range(width - 1)
    )
    case = Problem(source, read(source), np.empty((1, 0)), ())
    observables = (
        Observable((Term(0.5, ((0, "Z"), (59, "Z"))), Term(2.0, ((3, "Z"),)), Term(1.0, ()))),
        Observable(
            (Term(1.0, tuple((place, "X") for place in range(width))), Term(1.0, ((7, "1"),)))
        ),
    )
    block = case.run(
        executors["local"], "stabilizer", observables=observables, exact=True, variances=True
    )
    assert array(block.values).tolist() == [1.5, 1.5]
    # 4 of the single Z, whose square is 1 and whose mean is 0; a quarter of the projector.
    assert array(block.variances).tolist() == [4.0, 0.25]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("names", [None, REAL])
@pytest.mark.parametrize("together", [1, 1 << 14])
def test_observables_on_wide_states_are_right(executors, seed, names, together, monkeypatch):
    monkeypatch.setattr(operators, "_TOGETHER", together)
    case = problem(
        300 + seed, num_qubits=1 + seed % 5, gates=30, points=1 + seed % 3, names=names,
    )  # fmt: skip
    alone = case.run(executors["local"], "vectorized", observables=case.observables, exact=True)
    values, _ = case.expected()
    assert array(alone.values, *values.shape) == pytest.approx(values, abs=1e-10)
    block = case.run(
        executors["local"], "vectorized", observables=case.observables, exact=True, gradient=True,
        variances=True,
    )  # fmt: skip
    assert_right(case, block, 1e-10)
