"""Measurements within a circuit on `quantcloud.qubit`: deferred, and one shot at a time."""

import numpy as np
import pennylane as qml
import pytest
from pennylane import numpy as pnp

from support.clients.pennylane import DEVICE, assert_alike, nodes

pytestmark = pytest.mark.usefixtures("configured")


def test_mid_circuit_measurements_are_deferred():
    def measured(x):
        qml.RX(x, 0)
        first = qml.measure(0, reset=True)
        qml.cond(first, qml.RY)(0.4, 1)
        second = qml.measure(1)
        return qml.expval(qml.Z(1)), qml.expval(first + 2 * second), qml.probs(op=[first, second])

    ours, theirs = (node(1.2) for node in nodes(measured))
    assert_alike(ours, theirs)
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
