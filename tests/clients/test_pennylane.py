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
from pennylane.exceptions import DeviceError

from quantcloud import Client
from quantcloud.client import InvalidRequest
from support.clients.pennylane import DEVICE, assert_alike, nodes

pytestmark = pytest.mark.usefixtures("configured")


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


WIRES = ("a", 1, "c")


def ansatz(x, y, wires=WIRES):
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


def test_exact_measurements_and_broadcasts_are_those_of_default_qubit():
    for x in (0.3, np.array([0.1, 0.2, 1.3])):
        ours, theirs = (node(x, 0.7) for node in nodes(everything, WIRES))
        assert_alike(ours, theirs)


def test_states_have_their_order_and_phase():
    def state(x, y):
        ansatz(x, y)
        return qml.state(), qml.density_matrix(["c", "a"]), qml.vn_entropy([1])

    ours, theirs = (node(0.3, 0.7) for node in nodes(state, WIRES))
    assert_alike(ours, theirs)


@pytest.mark.parametrize("wires", [[1, 2, 0], ["a", "c", 5]])
def test_measurements_of_states_find_their_wires(wires):
    a, b, c = wires

    def circuit():
        ansatz(0.3, 0.7, wires)
        return qml.vn_entropy(a), qml.mutual_info(b, c), qml.purity([c]), qml.density_matrix(a)

    ours, theirs = (node() for node in nodes(circuit, wires))
    assert_alike(ours, theirs)


def test_a_device_without_wires_has_those_of_the_tape_in_order():
    def circuit():
        qml.BasisState([0, 1, 1], wires=["a", 5, "c"])
        qml.RX(0.3, "a")
        return qml.probs(), qml.state(), qml.expval(qml.Z("last"))

    ours, theirs = (node() for node in nodes(circuit))
    assert_alike(ours, theirs)


def test_values_are_numbers():
    (node, _) = nodes(lambda: (qml.expval(qml.Z("a")), qml.vn_entropy("a")), WIRES)
    assert all(isinstance(each, float) for each in node())


def test_broadcast_gates_that_have_but_a_matrix_run():
    def circuit(x):
        for wire in "abcd":
            qml.Hadamard(wire)
        qml.DoubleExcitationPlus(x, wires=[*"abcd"])
        qml.FermionicSWAP(x, wires=["a", "d"])
        return qml.expval(qml.X("a") @ qml.Y("d")), qml.probs(["b", "c"])

    x = np.array([0.3, 0.7, 1.1])
    ours, theirs = (node(x) for node in nodes(circuit, [*"abcd"]))
    assert_alike(ours, theirs)


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

    ours, theirs = (qml.set_shots(node, (8000, 10))(0.3, 0.7) for node in nodes(sampled, WIRES))
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


def test_states_come_with_other_measurements():
    def mixed(x, y):
        ansatz(x, y)
        return qml.state(), qml.expval(qml.X(1)), qml.vn_entropy([1]), qml.probs(op=qml.Y("a"))

    ours, theirs = (node(0.3, 0.7) for node in nodes(mixed, WIRES))
    assert_alike(ours, theirs)


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
