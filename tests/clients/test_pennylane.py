"""The device `quantcloud.qubit` against PennyLane's own simulator and tests, on a real server."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pennylane as qml
import pytest
from pennylane import numpy as pnp
from pennylane.exceptions import DeviceError

from quantcloud import Client
from quantcloud.client import InvalidRequest
from support.server import Server

DEVICE = "quantcloud.qubit"


@pytest.fixture(scope="module", autouse=True)
def configured(server: Server):
    """Set the variables by which the device finds the server."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUANTCLOUD_SERVER", server.endpoints.grpc)
        patch.setenv("QUANTCLOUD_TOKEN", server.token(tier="enterprise"))
        yield


@pytest.mark.slow
@pytest.mark.parametrize("shots", ["None", "20000"])
def test_pennylanes_tests_of_devices_pass(shots: str, tmp_path: Path):
    tests = Path(find_spec("pennylane").origin).parent / "devices" / "tests"
    program = [
        sys.executable, "-m", "pytest", tests, f"--device={DEVICE}", f"--shots={shots}", "-q",
        "-p", "no:cacheprovider", "--no-flaky-report", "--tb=short", "-W", "ignore",
        # It needs pytest-mock, and skips devices of the new interface.
        "-k", "not supports_broadcasting",
    ]  # fmt: skip
    done = subprocess.run(program, capture_output=True, text=True, cwd=tmp_path, check=False,
                          env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 360


def ansatz(x, y, wires=("a", 1, "c")):
    a, b, c = wires
    qml.RX(x, a)
    qml.CRY(y, wires=[a, b])
    qml.Rot(x, y * 0.3, 0.3, wires=c)
    qml.IsingXY(x * y, wires=[b, c])
    qml.GlobalPhase(0.2)
    qml.ECR([a, b])
    qml.adjoint(qml.SX)(c)
    qml.ctrl(qml.U3, control=a)(x, y, 0.1, wires=c)


def everything(x, y):
    ansatz(x, y)
    return (
        qml.expval(qml.X("a") @ qml.Z("c") + 0.5 * qml.Y(1)),
        qml.var(qml.Hadamard(1) @ qml.X("c")),
        qml.probs(["c", "a"]),
        qml.probs(op=qml.X(1)),
        qml.expval(qml.Projector([1, 0], wires=["a", "c"])),
        qml.expval(qml.Hermitian(np.array([[1, 1j], [-1j, 2]]), wires="c")),
    )


def nodes(function) -> list:
    """Return the function as nodes of our device and of PennyLane's."""
    return [
        qml.QNode(function, qml.device(name, wires=["a", 1, "c"]))
        for name in (DEVICE, "default.qubit")
    ]


def test_exact_measurements_and_broadcasts_are_those_of_default_qubit():
    for x in (0.3, np.array([0.1, 0.2, 1.3])):
        ours, theirs = (node(x, 0.7) for node in nodes(everything))
        for mine, other in zip(ours, theirs, strict=True):
            assert np.shape(mine) == np.shape(other)
            assert np.allclose(mine, other, atol=1e-9)


def test_states_have_their_order_and_phase():
    def state(x, y):
        ansatz(x, y)
        return qml.state(), qml.density_matrix(["c", "a"]), qml.vn_entropy([1])

    ours, theirs = (node(0.3, 0.7) for node in nodes(state))
    for mine, other in zip(ours, theirs, strict=True):
        assert np.allclose(mine, other, atol=1e-9)


@pytest.mark.parametrize("wires", [[1, 2, 0], ["a", "c", 5]])
def test_measurements_of_states_find_their_wires(wires):
    a, b, c = wires

    def circuit():
        ansatz(0.3, 0.7, wires)
        return qml.vn_entropy(a), qml.mutual_info(b, c), qml.purity([c]), qml.density_matrix(a)

    ours, theirs = (
        qml.QNode(circuit, qml.device(name, wires=wires))() for name in (DEVICE, "default.qubit")
    )
    for mine, other in zip(ours, theirs, strict=True):
        assert np.allclose(mine, other, atol=1e-9)


def test_a_device_without_wires_has_those_of_the_tape_in_order():
    def circuit():
        qml.BasisState([0, 1, 1], wires=["a", 5, "c"])
        qml.RX(0.3, "a")
        return qml.probs(), qml.state(), qml.expval(qml.Z("last"))

    ours, theirs = (qml.QNode(circuit, qml.device(name))() for name in (DEVICE, "default.qubit"))
    for mine, other in zip(ours, theirs, strict=True):
        assert np.shape(mine) == np.shape(other)
        assert np.allclose(mine, other, atol=1e-9)


def test_values_are_numbers():
    (node, _) = nodes(lambda: (qml.expval(qml.Z("a")), qml.vn_entropy("a")))
    assert all(isinstance(each, float) for each in node())


def test_broadcast_gates_that_have_but_a_matrix_run():
    def circuit(x):
        for wire in "abcd":
            qml.Hadamard(wire)
        qml.DoubleExcitationPlus(x, wires=[*"abcd"])
        qml.FermionicSWAP(x, wires=["a", "d"])
        return qml.expval(qml.X("a") @ qml.Y("d")), qml.probs(["b", "c"])

    x = np.array([0.3, 0.7, 1.1])
    ours, theirs = (
        qml.QNode(circuit, qml.device(name, wires=[*"abcd"]))(x)
        for name in (DEVICE, "default.qubit")
    )
    for mine, other in zip(ours, theirs, strict=True):
        assert np.allclose(mine, other, atol=1e-9)


def values(x, y):
    qml.RX(x, "a")
    qml.CRY(y, wires=["a", 1])
    qml.Rot(x, y * 0.3, 0.3, wires="c")
    qml.IsingXX(x * y, wires=[1, "c"])
    qml.SingleExcitation(y, wires=["a", "c"])
    qml.s_prod(1j, qml.X("a"))
    return qml.expval(qml.X("a") @ qml.Z("c") + 0.5 * qml.Y(1)), qml.expval(qml.Z("a"))


@pytest.mark.parametrize("method", ["best", "device", "adjoint", "parameter-shift"])
def test_derivatives_are_those_of_default_qubit(method: str):
    x, y = pnp.array(0.3, requires_grad=True), pnp.array([0.4, 0.9], requires_grad=True)

    def jacobian(node):
        return qml.jacobian(lambda x, y: pnp.hstack([*node(x, y[0] * y[1])]))(x, y)

    wires = ["a", 1, "c"]
    ours = qml.QNode(values, qml.device(DEVICE, wires=wires), diff_method=method)
    theirs = qml.QNode(values, qml.device("default.qubit", wires=wires), diff_method="adjoint")
    if method == "best":
        assert qml.workflow.get_best_diff_method(ours)(x, x) == "device"
    with qml.Tracker(ours.device) as tracker:
        found = jacobian(ours)
    for mine, other in zip(found, jacobian(theirs), strict=True):
        assert np.allclose(mine, other, atol=1e-9)
    if method != "parameter-shift":
        # One for each argument.
        assert tracker.totals["execute_and_derivative_batches"] == 2


def test_trainable_coefficients_are_differentiated_by_shifts():
    def energy(c, x):
        qml.RX(x, 0)
        return qml.expval(qml.Hamiltonian([c, 0.5], [qml.Z(0), qml.Y(0)]))

    args = pnp.array(0.3, requires_grad=True), pnp.array(0.4, requires_grad=True)
    gradients = [
        qml.grad(qml.QNode(energy, qml.device(name, wires=1)))(*args)
        for name in (DEVICE, "default.qubit")
    ]
    assert np.allclose(*gradients, atol=1e-9)


def test_a_batch_is_one_submission_and_like_tapes_are_points_of_one_job():
    tapes = [
        qml.tape.QuantumScript(
            [qml.RX(value, 0), qml.RY(0.1, 1)], [qml.expval(qml.Z(0) @ qml.Z(1))]
        )
        for value in np.linspace(0, 3, 250)
    ]
    tapes.append(qml.tape.QuantumScript([qml.RX(0.3, 0)], [qml.expval(qml.Z(0))]))
    with Client() as client:
        before = len([*client.jobs()])
        found = qml.device(DEVICE, wires=2).execute(tapes)
        jobs = [*client.jobs()]
        # A job has 100 points at most.
        assert len(jobs) == before + 4
        assert len({job.batch_id for job in jobs[:4]}) == 1
    assert np.allclose(found[:250], np.cos(np.linspace(0, 3, 250)) * np.cos(0.1))
    assert np.allclose(found[250], np.cos(0.3))


def test_samples_and_shot_vectors_are_as_on_default_qubit():
    def sampled(x, y):
        ansatz(x, y)
        return (
            qml.expval(qml.X("a") @ qml.Z("c") + 0.5 * qml.Y(1)),
            qml.counts(wires=["c", "a"]),
            qml.probs(wires=[1, "a"]),
            qml.sample(qml.Y("c")),
            qml.var(qml.X("a")),
        )

    ours, theirs = (qml.set_shots(node, (8000, 10))(0.3, 0.7) for node in nodes(sampled))
    assert [np.shape(each) for each in ours[1]] == [np.shape(each) for each in theirs[1]]
    (value, counts, probs, sample, var), (other, others, theirs_probs, _, theirs_var) = (
        ours[0], theirs[0],
    )  # fmt: skip
    assert value == pytest.approx(other, abs=0.06)
    assert probs == pytest.approx(theirs_probs, abs=0.03)
    assert var == pytest.approx(theirs_var, abs=0.06)
    assert sum(counts.values()) == 8000
    assert all(abs(counts.get(key, 0) - others.get(key, 0)) < 400 for key in {*counts, *others})
    assert {*sample} == {-1, 1}


def test_a_seed_repeats_and_equal_tapes_have_samples_of_their_own():
    tape = qml.tape.QuantumScript([qml.Hadamard(0)], [qml.sample(wires=0)], shots=100)
    device = qml.device(DEVICE, wires=1, backend="local_simulator", seed=5)
    one, other = device.execute([tape, tape])
    assert (one != other).any()
    repeated = qml.device(DEVICE, wires=1, backend="local_simulator", seed=5)
    assert (one == repeated.execute([tape, tape])[0]).all()
    assert (repeated.execute([tape])[0] != one).any()


def test_mid_circuit_measurements_are_deferred():
    def measured(x):
        qml.RX(x, 0)
        first = qml.measure(0, reset=True)
        qml.cond(first, qml.RY)(0.4, 1)
        second = qml.measure(1)
        return qml.expval(qml.Z(1)), qml.expval(first + 2 * second), qml.probs(op=[first, second])

    ours, theirs = (
        qml.QNode(measured, qml.device(name))(1.2) for name in (DEVICE, "default.qubit")
    )
    for mine, other in zip(ours, theirs, strict=True):
        assert np.allclose(mine, other, atol=1e-9)
    sampled = qml.set_shots(qml.QNode(measured, qml.device(DEVICE)), 5000)(1.2)
    for mine, other in zip(sampled, theirs, strict=True):
        assert np.allclose(mine, other, atol=0.08)


def test_a_deferred_measurement_takes_no_wire_of_the_device():
    def measured():
        qml.Hadamard("a")
        first = qml.measure("a", reset=True)
        qml.cond(first, qml.X)(1)
        return qml.expval(first), qml.probs(["a", 1])

    value, probabilities = qml.QNode(measured, qml.device(DEVICE, wires=["a", 1]))()
    assert value == pytest.approx(0.5)
    assert probabilities == pytest.approx([0.5, 0.5, 0, 0])


def test_states_come_with_other_measurements():
    def mixed(x, y):
        ansatz(x, y)
        return qml.state(), qml.expval(qml.X(1)), qml.vn_entropy([1]), qml.probs(op=qml.Y("a"))

    ours, theirs = (node(0.3, 0.7) for node in nodes(mixed))
    for mine, other in zip(ours, theirs, strict=True):
        assert np.allclose(mine, other, atol=1e-9)


def test_values_of_mid_circuit_measurements_are_differentiated():
    def outcome(x):
        qml.RX(x, 0)
        return qml.expval(qml.measure(0))

    found = qml.grad(qml.QNode(outcome, qml.device(DEVICE)))(pnp.array(0.3, requires_grad=True))
    assert found == pytest.approx(np.sin(0.3) / 2)


def dynamic(x):
    """Measure, reset and branch on two outcomes."""
    qml.RX(x, "a")
    first = qml.measure("a", reset=True)
    qml.cond(first, qml.RY)(0.4, 1)
    second = qml.measure(1)
    qml.cond(first & ~second, qml.X)("c")
    qml.cond(first + 2 * second > 2, qml.Rot)(0.4, 1.2, 0.1, "c")
    return (
        qml.expval(qml.Z(1)),
        qml.expval(first + 2 * second),
        qml.probs(op=[first, second]),
        qml.expval(qml.Z("c") @ qml.X(1)),
        qml.probs(wires=["c", "a"]),
    )


@pytest.mark.parametrize("wires", [None, ["a", 1, "c"]])
def test_one_shot_gives_what_deferred_does(wires):
    device = qml.device(DEVICE, wires=wires, seed=1)
    with qml.Tracker(device) as tracker:
        shots = qml.set_shots(qml.QNode(dynamic, device, mcm_method="one-shot"), (4000, 20))(1.2)
    exact = qml.QNode(dynamic, qml.device("default.qubit"))(1.2)
    assert [np.shape(each) for each in shots[1]] == [np.shape(each) for each in exact]
    for mine, other in zip(shots[0], exact, strict=True):
        assert np.allclose(mine, other, atol=0.08)
    assert tracker.totals["batches"] == 1


def test_one_shot_needs_no_wire_for_a_measurement():
    def flips(x):
        qml.RX(x, 0)
        parity = qml.measure(0, postselect=1)
        for _ in range(40):
            qml.Hadamard(0)
            qml.cond(qml.measure(0, reset=True), qml.X)(1)
        qml.cond(parity, qml.X)(0)
        return qml.expval(qml.Z(0)), qml.counts(parity)

    device = qml.device(DEVICE, wires=2, seed=1)
    node = qml.set_shots(qml.QNode(flips, device, mcm_method="one-shot"), 100)
    value, counts = node(1.2)
    assert value == -1
    assert 5 < counts[1.0] < 60


def vqe(device) -> float:
    hydrogen = qml.Hamiltonian(
        [-0.2427, -0.2427, 0.1711, 0.1711, 0.1228, 0.1686, 0.0453, -0.0453, -0.0453, 0.0453],
        [
            qml.Z(2), qml.Z(3), qml.Z(0), qml.Z(1), qml.Z(0) @ qml.Z(2), qml.Z(0) @ qml.Z(1),
            qml.Y(0) @ qml.X(1) @ qml.X(2) @ qml.Y(3), qml.Y(0) @ qml.Y(1) @ qml.X(2) @ qml.X(3),
            qml.X(0) @ qml.X(1) @ qml.Y(2) @ qml.Y(3), qml.X(0) @ qml.Y(1) @ qml.Y(2) @ qml.X(3),
        ],
    )  # fmt: skip

    @qml.qnode(device)
    def energy(theta):
        qml.BasisState(np.array([1, 1, 0, 0]), wires=range(4))
        qml.DoubleExcitation(theta, wires=range(4))
        return qml.expval(hydrogen)

    optimiser = qml.GradientDescentOptimizer(0.4)
    theta = pnp.array(0.0, requires_grad=True)
    for _ in range(10):
        theta, value = optimiser.step_and_cost(energy, theta)
    return float(value)


def test_vqe_ends_where_it_does_at_home():
    ours, theirs = (vqe(qml.device(name, wires=4)) for name in (DEVICE, "default.qubit"))
    assert ours == pytest.approx(theirs, abs=1e-9)


def qaoa(device) -> np.ndarray:
    graph = [(0, 1), (1, 2), (2, 3), (3, 0)]
    cost = sum((qml.Z(a) @ qml.Z(b) for a, b in graph[1:]), qml.Z(0) @ qml.Z(1))

    def circuit(gamma, beta):
        for wire in range(4):
            qml.Hadamard(wire)
        qml.ApproxTimeEvolution(cost, gamma, 1)
        for wire in range(4):
            qml.RX(2 * beta, wires=wire)

    @qml.qnode(device)
    def mean(parameters):
        circuit(*parameters)
        return qml.expval(cost)

    @qml.qnode(device)
    def outcome(parameters):
        circuit(*parameters)
        return qml.probs(wires=range(4))

    optimiser = qml.AdamOptimizer(0.1)
    parameters = pnp.array([0.3, 0.4], requires_grad=True)
    for _ in range(8):
        parameters = optimiser.step(mean, parameters)
    return outcome(parameters)


def test_qaoa_finds_the_cut():
    ours, theirs = (qaoa(qml.device(name, wires=4)) for name in (DEVICE, "default.qubit"))
    assert ours == pytest.approx(theirs, abs=1e-6)
    assert {*np.argsort(ours)[-2:]} == {0b0101, 0b1010}


def test_a_kernel_matrix_is_that_at_home():
    points = np.random.default_rng(3).uniform(0, 3, (4, 2))

    def matrix(device):
        @qml.qnode(device)
        def overlap(p, q):
            qml.IQPEmbedding(p, wires=range(2))
            qml.adjoint(qml.IQPEmbedding)(q, wires=range(2))
            return qml.probs(wires=range(2))

        return qml.kernels.kernel_matrix(points, points, lambda p, q: overlap(p, q)[0])

    ours, theirs = (matrix(qml.device(name, wires=2)) for name in (DEVICE, "default.qubit"))
    assert ours == pytest.approx(theirs, abs=1e-9)


def test_errors_say_what_is_wrong():
    def circuit():
        qml.Hadamard(0)
        return qml.expval(qml.Z(0))

    with pytest.raises(InvalidRequest, match="unknown"):
        qml.QNode(circuit, qml.device(DEVICE, wires=1, backend="nope"))()
    with pytest.raises(DeviceError, match="use 'deferred' or 'one-shot'"):
        qml.QNode(circuit, qml.device(DEVICE, wires=1), mcm_method="tree-traversal")()
    with pytest.raises(DeviceError, match="use 'hw-like'"):
        qml.QNode(circuit, qml.device(DEVICE, wires=1), postselect_mode="fill-shots")()

    def wide():
        return qml.expval(qml.prod(*map(qml.Hadamard, range(9))))

    with pytest.raises(DeviceError, match="on 9 wires: use Pauli words, or 8 wires"):
        qml.QNode(wide, qml.device(DEVICE, wires=9))()

    def complex_value():
        return qml.expval(qml.Y(0) @ qml.Z(0))

    with pytest.raises(DeviceError, match="not Hermitian"):
        qml.QNode(complex_value, qml.device(DEVICE, wires=1))()

    def shrunk():
        qml.s_prod(0.3, qml.X(0))
        return qml.expval(qml.Z(0))

    with pytest.raises(DeviceError, match="not unitary"):
        qml.QNode(shrunk, qml.device(DEVICE, wires=1))()

    def shadow():
        return qml.classical_shadow(wires=[0])

    with pytest.raises(DeviceError, match="not accepted"):
        qml.set_shots(qml.QNode(shadow, qml.device(DEVICE, wires=1)), 10)()
