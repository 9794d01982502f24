"""Counts, packed shots and estimates of sweeps."""

import numpy as np
import pytest

from quantcloud.backends.aer.backend import CPU as AER
from quantcloud.backends.cirq.backend import BACKEND as CIRQ
from quantcloud.backends.local.backend import BACKEND as LOCAL
from quantcloud.backends.sweeps import methods_of
from quantcloud.circuits import analyse
from quantcloud.domain.execution import Noise, RunOptions
from quantcloud.domain.sweep import Observable, Term, point_seed
from quantcloud.openqasm import parse
from quantcloud.routing.method import Refusal
from unit.backends.exact import assert_agrees, distribution
from unit.backends.sweeping import Problem, array, bound, problem, read

# So much that noise of the change of basis would show.
NOISE = Noise(depolarizing_1q=0.2, depolarizing_2q=0.05, readout=0.2)
# Two measured registers, one of them partly, and a bit that nothing writes.
MEASURED = "bit[9] a; bit[3] b; a[8] = measure q[0]; a[0] = measure q[2]; b[1] = measure q[1];"
METHODS = [("local", "vectorized"), ("local", "statevector"), ("aer", "statevector")]


def measured(seed: int, statements: str = MEASURED, points: int = 3) -> Problem:
    case = problem(seed, num_qubits=3, gates=12, points=points)
    source = case.source + statements
    return Problem(source, read(source), case.values, case.observables)


class Counts:
    """The counts of a point as an outcome."""

    def __init__(self, counts):
        self.counts = counts


@pytest.mark.parametrize(("backend", "method"), METHODS)
def test_the_counts_of_each_point_are_those_of_its_angles(executors, backend, method):
    for case in (measured(1), problem(2, num_qubits=3)):
        block = case.run(executors[backend], method, shots=4000)
        assert block.counts is not None
        for counts, values in zip(block.counts, case.values, strict=True):
            exact = distribution(bound(case.circuit, values.tolist()))
            assert_agrees(Counts(counts), exact, 4000)


@pytest.mark.parametrize(("backend", "method"), METHODS)
def test_mid_circuit_measurements_are_sampled_point_by_point(executors, backend, method):
    if method == "vectorized":
        return
    case = measured(4, "bit[2] c; c[0] = measure q[0]; reset q[1]; if (c[0]) rx(t) q[2]; "
                       "c[1] = measure q[2];", points=2)  # fmt: skip
    block = case.run(executors[backend], method, shots=4000)
    assert block.counts is not None
    for counts, values in zip(block.counts, case.values, strict=True):
        assert_agrees(Counts(counts), distribution(bound(case.circuit, values.tolist())), 4000)
    # An observable sees the state after them.
    observables = (Observable((Term(1.0, ((1, "Z"),)), Term(0.5, ((2, "Z"),)))),)
    found = case.run(executors[backend], method, shots=4000, observables=observables)
    for place, values in enumerate(case.values):
        exact = distribution(bound(case.circuit, values.tolist()))
        z = sum(p * (1 - 2 * int(key[0])) for key, p in exact.items())
        error = array(found.errors)[place]
        assert array(found.values)[place] == pytest.approx(1 + 0.5 * z, abs=6 * error)


@pytest.mark.parametrize(("backend", "method"), METHODS)
def test_packed_shots_have_the_layout_of_bit_arrays(executors, backend, method):
    from qiskit.primitives.containers import BitArray  # noqa: PLC0415

    case = measured(1)
    block = case.run(executors[backend], method, shots=3000, packed=True)
    assert block.counts is None
    assert [(each.name, each.num_bits) for each in block.registers] == [("a", 9), ("b", 3)]
    arrays = [
        BitArray(np.frombuffer(each.data, np.uint8).reshape(3, 3000, -1), each.num_bits)
        for each in block.registers
    ]
    for point, values in enumerate(case.values):
        low, high = (each[point].get_bitstrings() for each in arrays)
        counts: dict[str, int] = {}
        for second, first in zip(high, low, strict=True):
            counts[second + first] = counts.get(second + first, 0) + 1
        exact = distribution(bound(case.circuit, values.tolist()))
        assert_agrees(Counts(counts), exact, 3000)
        # Shots are in random order: the first half is like the second.
        assert low[:1500].count(low[0]) == pytest.approx(low[1500:].count(low[0]), abs=200)


def test_a_circuit_that_measures_nothing_has_one_packed_register(executors):
    case = problem(2, num_qubits=3)
    (register,) = case.run(executors["local"], "vectorized", shots=10, packed=True).registers
    assert (register.name, register.num_bits, len(register.data)) == ("meas", 3, 30)


def test_many_shots_of_many_bits_are_few_bytes(executors):
    source = "OPENQASM 3.0; qubit[2] q; bit[30] c; h q; " + "".join(
        f"c[{bit}] = measure q[{bit % 2}];" for bit in range(30)
    )
    case = Problem(source, read(source), np.empty((1, 0)), ())
    (register,) = case.run(executors["local"], "vectorized", shots=100_000, packed=True).registers
    assert len(register.data) == 400_000


@pytest.mark.parametrize(("backend", "method"), METHODS)
def test_the_outcomes_of_a_point_do_not_depend_on_the_window(executors, backend, method):
    case = problem(6, num_qubits=3, points=5)
    for fields in ({}, {"packed": True}, {"observables": case.observables}):
        whole = case.run(executors[backend], method, shots=100, **fields)
        again = case.run(executors[backend], method, shots=100, **fields)
        part = case.run(executors[backend], method, shots=100, first=3, last=5, **fields)
        assert (whole.counts, whole.registers, whole.values) == (
            again.counts, again.registers, again.values
        )  # fmt: skip
        if whole.counts is not None:
            assert part.counts == whole.counts[3:]
        elif whole.values is not None:
            assert array(part.values) == pytest.approx(array(whole.values, 5, 2)[3:].ravel())
        else:
            assert part.registers[0].data == whole.registers[0].data[300:]


@pytest.mark.parametrize("seed", range(8))
def test_equal_probabilities_and_variances_do_not_depend_on_the_window(executors, seed):
    source = (
        'OPENQASM 3.0; include "stdgates.inc"; input float t; qubit[3] q; '
        "h q; rx(t) q[0]; sx q[1]; cx q[0], q[1]; h q[2]; rz(t) q[1]; h q[1]; cx q[1], q[2];"
    )
    words = ("XYZ", "YXY", "ZZX", "YYY")
    terms = tuple([Term(1.0, tuple(enumerate(word))) for word in words])
    values = np.array([[0.0], [np.pi / 2], [np.pi / 4], [-np.pi / 2], [np.pi], [0.3], [np.pi / 2]])
    case = Problem(source, read(source), values, (Observable(terms),))
    for fields in ({}, {"observables": case.observables, "gradient": True}):
        whole = case.run(executors["local"], "vectorized", seed=seed, **fields)
        for point in range(len(values)):
            alone = case.run(
                executors["local"], "vectorized", seed=seed, first=point, last=point + 1, **fields
            )
            if whole.counts is not None:
                assert alone.counts == whole.counts[point : point + 1]
            else:
                assert array(alone.values) == pytest.approx(array(whole.values)[point])
                assert array(alone.gradients) == pytest.approx(array(whole.gradients)[point])


@pytest.mark.parametrize(
    ("backend", "method"), [*METHODS[1:], ("cirq", "statevector"), ("pennylane", "statevector")]
)
def test_an_observable_sees_a_qubit_whose_final_outcome_is_certain(executors, backend, method):
    source = (
        'OPENQASM 3.0; include "stdgates.inc"; input float[64] t; qubit[3] q; '
        "reset q[1]; ry(t) q[0]; x q[2];"
    )
    observables = tuple([Observable((Term(1.0, ((qubit, "X"),)),)) for qubit in (1, 2)])
    case = Problem(source, read(source), np.array([[0.4]]), observables)
    values = array(case.run(executors[backend], method, shots=4000, observables=observables).values)
    assert values == pytest.approx([0, 0], abs=0.1)


def test_points_have_seeds_that_differ_and_stay():
    seeds = [point_seed(seed, point) for seed in range(30) for point in range(30)]
    assert len(set(seeds)) == 900
    assert point_seed(1, 2) == 2046757602484207


@pytest.mark.parametrize(
    ("backend", "method", "seeds"), [("local", "vectorized", 1000), ("aer", "statevector", 300)]
)
def test_error_bars_are_right(executors, backend, method, seeds):
    case = problem(8, num_qubits=3, gates=14, points=1)
    exact, _ = case.expected()
    # The same values at each point: the seeds differ.
    many = Problem(case.source, case.circuit, np.repeat(case.values, seeds, 0), case.observables)
    for fields in ({"shots": 600}, {"precision": 0.1}):
        block = many.run(executors[backend], method, observables=case.observables, **fields)
        values, errors = (array(data, seeds, 2) for data in (block.values, block.errors))
        off = np.abs(values - exact) / errors
        for column in range(2):
            assert 0.63 <= (off[:, column] < 1).mean() <= 0.73
            assert 0.92 <= (off[:, column] < 2).mean() <= 0.98
        if "precision" in fields:
            assert errors.max() <= 0.1


def test_shots_go_where_the_variance_is(executors):
    # The state has a sharp Z and an even X: the shots belong to X.
    source = "OPENQASM 3.0; qubit q; rz(0.3) q;"
    case = Problem(source, read(source), np.empty((1, 0)), ())
    observables = (Observable((Term(1.0, ((0, "Z"),)), Term(1.0, ((0, "X"),)))),)
    block = case.run(executors["local"], "vectorized", shots=1000, observables=observables)
    assert array(block.errors)[0] == pytest.approx(1 / np.sqrt(999), rel=1e-6)


def test_too_few_shots_for_the_measurements_are_an_error(executors):
    case = problem(8, num_qubits=3, points=1)
    for method in ("vectorized", "statevector"):
        with pytest.raises(ValueError, match="different measurements"):
            case.run(executors["local"], method, shots=1, observables=case.observables)


@pytest.mark.parametrize(("backend", "method"), METHODS)
def test_sampled_gradients_are_near_the_exact_ones(executors, backend, method):
    case = problem(9, num_qubits=2, gates=9, points=1, names=["crz", "cu3", "r", "rxx", "cp", "u"])
    block = case.run(
        executors[backend], method, shots=20_000, observables=case.observables, gradient=True
    )
    assert array(block.gradients, 1, 2, 4) == pytest.approx(case.gradients(), abs=0.25)
    assert array(block.values) == pytest.approx(
        case.expected()[0].ravel(), abs=6 * array(block.errors).max()
    )


@pytest.mark.parametrize(
    ("backend", "method"),
    [("aer", "density_matrix"), ("aer", "statevector"), ("cirq", "trajectories"),
     ("cirq", "density_matrix")],
)  # fmt: skip
def test_sampled_values_with_noise_see_the_state_before_the_readout(executors, backend, method):
    case = problem(11, num_qubits=2, gates=6, points=1, names=["rx", "rz", "cx"])
    terms = (Term(1.0, ((0, "X"),)), Term(1.0, ((1, "X"),)), Term(1.0, ((0, "Y"),)))
    case.observables = (Observable(terms), Observable((Term(1.0, ((0, "Z"), (1, "Z"))),)))
    block = case.run(
        executors[backend], method, shots=20_000, noise=NOISE, observables=case.observables
    )
    values, _ = case.expected(NOISE)
    off = (array(block.values) - values.ravel()) / array(block.errors)
    assert np.abs(off).max() < 5


@pytest.mark.parametrize(("name", "backend"), [("local", LOCAL), ("aer", AER), ("cirq", CIRQ)])
def test_a_multiple_of_the_identity_is_sampled(executors, name, backend):
    source = 'OPENQASM 3.0; include "stdgates.inc"; input float[64] t; qubit q; ry(t) q;'
    observables = (Observable((Term(-1.5, ()),)),)
    case = Problem(source, read(source), np.array([[0.4]]), observables)
    sweep = case.sweep(observables=observables)
    methods = methods_of(backend, analyse(parse(source)), 100, RunOptions(), sweep)
    assert not isinstance(methods, Refusal)
    for method in methods:
        block = case.run(executors[name], method.name, observables=observables)
        assert array(block.values).tolist() == [-1.5]


def test_a_point_without_a_value_is_named(executors):
    source = "OPENQASM 3.0; input float t; qubit q; rx(1/t) q;"
    case = Problem(source, read(source), np.array([[1.0], [2.0], [0.0]]), ())
    for method in ("vectorized", "statevector"):
        with pytest.raises(ValueError, match="at point 2 an angle has no finite real value"):
            case.run(executors["local"], method)
