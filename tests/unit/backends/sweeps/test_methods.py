"""Which methods compute sweeps, and backends that know nothing of them."""

import numpy as np
import pytest

from quantcloud.backends.aer.backend import CPU as AER
from quantcloud.backends.cirq.backend import BACKEND as CIRQ
from quantcloud.backends.local.backend import BACKEND as LOCAL
from quantcloud.backends.pennylane.backend import BACKEND as PENNYLANE
from quantcloud.backends.sweeps import circuit_of, methods_of, run
from quantcloud.circuits import analyse
from quantcloud.domain.backend import BackendInfo
from quantcloud.domain.execution import Execution, Noise, Outcome, RunOptions
from quantcloud.domain.sweep import Input, Observable, Sweep, Term, point_seed
from quantcloud.openqasm import parse
from quantcloud.routing.method import Method, Refusal
from unit.backends.sweeping import problem

ALL = (LOCAL, AER, CIRQ, PENNYLANE)
VALUE = (Observable((Term(1.0, ((0, "Z"),)), Term(1.0, ((0, "X"),)))),)
ANSATZ = "OPENQASM 3.0; input array[float, 40] w; qubit[{0}] q;" + "".join(
    f"ry(w[{place}]) q[{place % 4}]; cx q[{place % 4}], q[{(place + 1) % 4}];"
    for place in range(40)
)


def offer(backend, source, *, noise=None, shots=1000, points=10, **fields):
    sweep = Sweep(points, points, **fields)
    return methods_of(backend, analyse(parse(source)), shots, RunOptions(noise=noise), sweep)


def test_the_time_and_the_memory_count_all_points_of_the_window():
    source = ANSATZ.format(8)
    for backend in ALL:
        one, many = (
            offer(backend, source, points=points, observables=VALUE, exact=True)
            for points in (1, 1000)
        )
        for few, more in zip(one, many, strict=True):
            assert 50 * few.seconds < more.seconds <= 1100 * few.seconds
            assert more.coefficients.seconds(more.work) == pytest.approx(more.seconds)
        part = methods_of(
            backend, analyse(parse(source)), 100, RunOptions(),
            Sweep(1000, 20, first=10, observables=VALUE, exact=True),
        )  # fmt: skip
        assert part[0].seconds < many[0].seconds / 20


def test_local_simulator_computes_narrow_sweeps_vectorized():
    assert [each.name for each in offer(LOCAL, ANSATZ.format(8))] == ["vectorized"]
    assert [each.name for each in offer(LOCAL, ANSATZ.format(17))] == ["statevector"]
    mid_circuit = "OPENQASM 3.0; qubit q; bit c; h q; c = measure q; h q;"
    assert {each.name for each in offer(LOCAL, mid_circuit)} == {"stabilizer", "statevector"}


def test_exact_values_of_wide_clifford_circuits_take_little_time(executors):
    width = 2_000
    source = f"OPENQASM 3.0; qubit[{width}] q; h q[0]; for int i in [1:{width - 1}] {{ "
    source += "cx q[i - 1], q[i]; }"
    ends = Observable((Term(2.0, ((0, "Z"), (width - 1, "Z"))), Term(1.0, ((0, "Z"),))))
    (method,) = offer(LOCAL, source, points=1, observables=(ends,), exact=True)
    assert method.name == "stabilizer"
    assert method.seconds < 1
    sweep = Sweep(1, 1, observables=(ends,), exact=True, variances=True)
    block = run(
        executors["local"], LOCAL, circuit_of(source),
        Execution("job", "local", method.name, source, 1, 1, sweep=sweep),
    ).block  # fmt: skip
    assert np.frombuffer(block.values).tolist() == [2.0]
    assert np.frombuffer(block.variances).tolist() == [1.0]
    assert isinstance(offer(LOCAL, source, probabilities=True), Refusal)


def test_what_a_backend_cannot_compute_is_refused_with_the_reason():
    mid_circuit = "OPENQASM 3.0; qubit q; bit c; h q; c = measure q; rx(1) q;"
    for fields in ({"observables": VALUE, "exact": True}, {"probabilities": True}):
        found = offer(LOCAL, mid_circuit, **fields)
        assert isinstance(found, Refusal)
        assert "give 'shots'" in found.reason
    loop = "OPENQASM 3.0; qubit q; bit c; while (c == 0) { h q; c = measure q; }"
    assert "variables and loops" in offer(AER, loop, observables=VALUE).reason
    noise = Noise(depolarizing_1q=0.1)
    assert "no noise" in offer(LOCAL, ANSATZ.format(4), noise=noise).reason
    found = offer(AER, ANSATZ.format(4), noise=noise, observables=VALUE, exact=True)
    assert [each.name for each in found] == ["density_matrix"]
    assert "without noise" in offer(AER, ANSATZ.format(4), noise=noise, probabilities=True).reason
    wide = "OPENQASM 3.0; qubit[20] q; h q;"
    assert "16 classical bits" in offer(LOCAL, wide, probabilities=True).reason
    wider = "OPENQASM 3.0; input float t; qubit[24] q; rx(t) q;"
    assert isinstance(offer(AER, wider, observables=VALUE, exact=True), Refusal)
    assert not isinstance(offer(AER, wider, observables=VALUE), Refusal)


def test_derivatives_without_an_adjoint_state_cost_two_runs_for_each_angle():
    source = ANSATZ.format(8)
    shifted, adjoint = (70, 90), (1, 10)
    for backend, (least, most) in zip(ALL, (adjoint, shifted, shifted, adjoint), strict=True):
        plain, sloped = (
            offer(backend, source, observables=VALUE, exact=True, gradient=gradient)[0].seconds
            for gradient in (False, True)
        )
        assert least <= sloped / plain <= most


class Simple:
    """A backend of another package: it knows nothing of sweeps."""

    info = BackendInfo("simple", "someone", 5, (), "")

    def methods(self, analysis, shots, options):
        del analysis, shots, options
        return [Method("only", 1 << 20, 0.5)]

    def run(self, circuit, execution):
        assert not circuit.inputs
        angle = next(each for each in circuit.operations if each.params).params[0]
        return Outcome({f"{angle:.6f}": execution.shots, f"seed {execution.seed}": 0}, 2.0)


def test_a_backend_that_knows_nothing_of_sweeps_runs_them_point_by_point():
    backend = Simple()
    case = problem(0, num_qubits=1, points=4)
    (method,) = offer(backend, case.source, points=4)
    assert method.seconds == 2.0
    assert isinstance(offer(backend, case.source, observables=VALUE), Refusal)
    sweep = case.sweep(first=1, last=3)
    execution = Execution("job", "simple", "only", case.source, 7, 5, sweep=sweep)
    outcome = run(backend, backend, case.circuit, execution)
    assert outcome.block is not None
    assert outcome.execution_time_ms == 4.0
    assert (outcome.block.first, outcome.block.points) == (1, 2)
    counts = outcome.block.counts
    assert counts is not None
    assert [f"seed {point_seed(5, point)}" in counts[point - 1] for point in (1, 2)] == [True, True]
    assert all(7 in each.values() for each in counts)


def test_the_circuit_of_a_sweep_is_read_once_unless_it_is_large():
    small = "OPENQASM 3.0; input float t; qubit q; rx(t) q;"
    large = small + "x q;" * 10_001
    assert circuit_of(small) is circuit_of(small)
    assert circuit_of(large) is not circuit_of(large)
    for number in range(4):
        circuit_of(small + "x q;" * (number + 1))
    kept = circuit_of(small)
    assert kept.inputs == (Input("t"),)


def test_a_circuit_with_inputs_does_not_run_without_their_values(executors):
    case = problem(0, num_qubits=2)
    for name, executor in executors.items():
        with pytest.raises(ValueError, match="the input 'w' has no values"):
            executor.run(case.circuit, Execution("job", name, "statevector", case.source, 10, 1))
    with pytest.raises(ValueError, match="the input 'w' has no values"):
        executors["local"].run(
            case.circuit,
            Execution("job", "local", "vectorized", case.source, 10, 1, sweep=Sweep(1, 1)),
        )


def test_shots_for_a_precision_follow_from_the_coefficients():
    source = ANSATZ.format(4)
    rough, fine = (
        offer(AER, source, observables=VALUE, precision=precision)[0].work.samples
        for precision in (0.1, 0.01)
    )
    assert fine == pytest.approx(100 * rough, rel=0.1)
    assert np.isfinite(fine)
