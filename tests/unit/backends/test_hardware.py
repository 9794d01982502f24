"""The predicted fidelity of hardware."""

import pytest

from quantcloud.backends.hardware import Device
from quantcloud.openqasm import examine

HEAD = 'include "qelib1.inc"; qreg q[4]; creg c[4]; '
LINE = frozenset({(0, 1), (1, 2), (2, 3)})


def device(couplings: frozenset[tuple[int, int]] | None) -> Device:
    return Device(4, couplings, error_1q=0.01, error_2q=0.05, error_readout=0.02)


def fidelity(couplings: frozenset[tuple[int, int]] | None, statements: str) -> float:
    return device(couplings).fidelity(examine(HEAD + statements))


def test_each_gate_and_each_readout_counts():
    found = fidelity(None, "h q[0]; h q[1]; cx q[0],q[3]; measure q[0] -> c[0];")
    assert found == pytest.approx(0.99**2 * 0.95 * 0.98)


def test_gates_on_neighbours_need_no_swaps():
    assert fidelity(LINE, "cx q[0],q[1]; cx q[2],q[3]; measure q[0] -> c[0];") == pytest.approx(
        0.95**2 * 0.98
    )


def test_gates_on_distant_qubits_need_swaps():
    near, far = (f"cx q[0],q[{other}]; measure q[0] -> c[0];" for other in (1, 3))
    assert fidelity(LINE, far) < fidelity(LINE, near)
    assert fidelity(None, far) == fidelity(None, near)


def test_the_mean_distance_is_right():
    assert device(LINE).mean_distance == pytest.approx((3 * 1 + 2 * 2 + 1 * 3) / 6)
    assert device(None).mean_distance == 1
    assert device(frozenset()).mean_distance == 1
    assert device(frozenset({(0, 1), (2, 3)})).mean_distance == 1
