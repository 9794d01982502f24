"""Derivatives on `quantcloud.qubit`, and the algorithms that need them."""

import numpy as np
import pennylane as qml
import pytest
from pennylane import numpy as pnp

from support.clients.pennylane import DEVICE, assert_alike, nodes

pytestmark = pytest.mark.usefixtures("configured")


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
    assert_alike(found, jacobian(theirs))
    if method != "parameter-shift":
        # One for each argument.
        assert tracker.totals["execute_and_derivative_batches"] == 2


def test_trainable_coefficients_are_differentiated_by_shifts():
    def energy(c, x):
        qml.RX(x, 0)
        return qml.expval(qml.Hamiltonian([c, 0.5], [qml.Z(0), qml.Y(0)]))

    args = pnp.array(0.3, requires_grad=True), pnp.array(0.4, requires_grad=True)
    gradients = [qml.grad(node)(*args) for node in nodes(energy, 1)]
    assert np.allclose(*gradients, atol=1e-9)


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
