"""Gates with modifiers, compared with the matrices that the modifiers define."""

import numpy as np
import pytest
from numpy.typing import NDArray

from quantcloud.backends.local.statevector import Statevector
from quantcloud.backends.simulation.unitaries import matrix
from quantcloud.circuits import expanded
from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.openqasm import parse

ANGLES = (0.7, -1.1, 2.3, 0.4)
Matrix = NDArray[np.complex128]


def params(name: str) -> tuple[float, ...]:
    return ANGLES[: STANDARD_GATES[name].num_params]


def call(name: str) -> str:
    return f"{name}({', '.join(map(repr, params(name)))})" if params(name) else name


def unitary(statements: str, width: int) -> Matrix:
    """Return the matrix of a circuit, up to its global phase."""
    circuit = expanded(parse(f"OPENQASM 3.0; qubit[{width}] q; {statements}"))
    columns: list[Matrix] = []
    for index in range(1 << width):
        start = np.zeros(1 << width, dtype=np.complex128)
        start[index] = 1
        state = Statevector(width, start)
        state.evolve([each for each in circuit.operations if each.name != "barrier"])
        columns.append(state.amplitudes)
    return np.stack(columns, axis=1)


def controlled(target: Matrix, controls: int, pattern: int | None = None) -> Matrix:
    """Return the form with controls at the lowest bits, which act if they have the `pattern`."""
    stride = 1 << controls
    if pattern is None:
        pattern = stride - 1
    result = np.eye(len(target) * stride, dtype=np.complex128)
    result[pattern::stride, pattern::stride] = target
    return result


def power(base: Matrix, exponent: float) -> Matrix:
    """Return the principal power of a unitary matrix."""
    values, vectors = np.linalg.eig(base)
    angles = np.angle(values)
    angles[angles < -np.pi + 1e-9] = np.pi
    return vectors @ np.diag(np.exp(1j * angles * exponent)) @ np.linalg.inv(vectors)


def assert_same(first: Matrix, second: Matrix) -> None:
    """Compare up to a global phase."""
    overlap = np.trace(first.conj().T @ second) / len(first)
    assert abs(abs(overlap) - 1) < 1e-9


def qubits(count: int, first: int = 0) -> str:
    return ", ".join(f"q[{index}]" for index in range(first, first + count))


GATES = [name for name in STANDARD_GATES if name not in ("rc3x", "c3sqrtx", "c4x")]


@pytest.mark.parametrize("name", STANDARD_GATES)
@pytest.mark.parametrize("controls", [1, 2])
def test_the_controlled_form_of_a_standard_gate(name: str, controls: int):
    width = STANDARD_GATES[name].num_qubits + controls
    made = unitary(f"ctrl({controls}) @ {call(name)} {qubits(width)};", width)
    assert_same(made, controlled(matrix(name, params(name)), controls))


@pytest.mark.parametrize("name", GATES)
def test_the_inverse_of_a_standard_gate(name: str):
    width = STANDARD_GATES[name].num_qubits
    expected = matrix(name, params(name)).conj().T
    assert_same(unitary(f"inv @ {call(name)} {qubits(width)};", width), expected)
    # With a control, the global phase counts too.
    made = unitary(f"ctrl @ inv @ {call(name)} {qubits(width + 1)};", width + 1)
    assert_same(made, controlled(expected, 1))


@pytest.mark.parametrize("name", GATES)
@pytest.mark.parametrize("exponent", [3, -2, 0])
def test_a_whole_power_of_a_standard_gate(name: str, exponent: int):
    width = STANDARD_GATES[name].num_qubits + 1
    made = unitary(f"ctrl @ pow({exponent}) @ {call(name)} {qubits(width)};", width)
    expected = np.linalg.matrix_power(matrix(name, params(name)), exponent)
    assert_same(made, controlled(expected, 1))


@pytest.mark.parametrize(
    "name", ["x", "y", "z", "h", "s", "tdg", "sx", "rx", "ry", "rz", "p", "u", "U", "u2", "r"]
)
@pytest.mark.parametrize("exponent", [0.5, -1 / 3, 2.5])
def test_a_root_of_a_gate_on_one_qubit(name: str, exponent: float):
    made = unitary(f"ctrl @ pow({exponent}) @ {call(name)} {qubits(2)};", 2)
    assert_same(made, controlled(power(matrix(name, params(name)), exponent), 1))


@pytest.mark.parametrize("name", ["cx", "cz", "cp", "cu", "ccx", "crx", "csx"])
def test_a_root_of_a_controlled_gate(name: str):
    width = STANDARD_GATES[name].num_qubits
    made = unitary(f"pow(0.5) @ {call(name)} {qubits(width)};", width)
    base = matrix(name, params(name))
    assert_same(made @ made, base)


@pytest.mark.parametrize("name", ["x", "h", "rz", "u", "swap", "cx", "rzz"])
@pytest.mark.parametrize("controls", [1, 2])
def test_negative_controls(name: str, controls: int):
    width = STANDARD_GATES[name].num_qubits + controls
    made = unitary(f"negctrl({controls}) @ {call(name)} {qubits(width)};", width)
    assert_same(made, controlled(matrix(name, params(name)), controls, 0))


@pytest.mark.parametrize("name", ["x", "z", "h", "rz", "ry", "u", "p", "sx"])
@pytest.mark.parametrize("controls", [5, 6, 7])
def test_many_controls(name: str, controls: int):
    made = unitary(f"ctrl({controls}) @ {call(name)} {qubits(controls + 1)};", controls + 1)
    assert_same(made, controlled(matrix(name, params(name)), controls))


def test_many_controls_of_a_gate_with_idle_qubits():
    made = unitary(f"gate g a, b {{ x a; cx a, b; }} ctrl(5) @ g {qubits(7)};", 7)
    base = matrix("cx") @ np.kron(np.eye(2), matrix("x"))
    assert_same(made, controlled(base, 5))


def test_the_number_of_gates_grows_slowly_with_the_controls():
    counts = [
        len(parse(f"OPENQASM 3.0; qubit[{n + 1}] q; ctrl({n}) @ x {qubits(n + 1)};").operations)
        for n in (10, 20, 40)
    ]
    assert counts[2] < 6 * counts[1] < 66 * counts[0]
    assert counts[0] < 1000


def test_phases_of_a_definition_count_under_a_control():
    made = unitary("gate g(t) a { gphase(t); x a; } ctrl @ g(0.3) q[0], q[1];", 2)
    assert_same(made, controlled(np.exp(0.3j) * matrix("x"), 1))
    made = unitary("gate g(t) a { gphase(t); x a; } ctrl @ inv @ g(0.3) q[0], q[1];", 2)
    assert_same(made, controlled(np.exp(-0.3j) * matrix("x"), 1))
    made = unitary("gate g(t) a { gphase(t); x a; } ctrl @ pow(3) @ g(0.3) q[0], q[1];", 2)
    assert_same(made, controlled(np.exp(0.9j) * matrix("x"), 1))
    made = unitary("negctrl @ gphase(0.3) q[0];", 1)
    assert_same(made, np.diag([np.exp(0.3j), 1]))
    made = unitary("ctrl(2) @ gphase(0.3) q[0], q[1];", 2)
    assert_same(made, matrix("cp", (0.3,)))


def test_modifiers_of_a_definition_with_angles():
    head = (
        "gate g(s, t) a, b { rx(s * t) a; barrier a, b; cu(s, t, s - t, 0.2) a, b; ryy(t) b, a; } "
    )
    plain = unitary(head + "g(0.4, 1.5) q[0], q[1];", 2)
    inverse = unitary(head + "inv @ g(0.4, 1.5) q[0], q[1];", 2)
    assert_same(inverse @ plain, np.eye(4))
    nested = unitary(
        head + "gate f(x) a, b, c { ctrl @ g(x, x / 2) c, a, b; inv @ g(x, 1) a, b; } "
        "f(0.6) q[0], q[1], q[2];",
        3,
    )
    direct = unitary(head + "ctrl @ g(0.6, 0.3) q[2], q[0], q[1]; inv @ g(0.6, 1) q[0], q[1];", 3)
    assert_same(nested, direct)


def test_standard_gates_whose_names_the_source_has_taken():
    made = unitary(
        "gate cu(a, b, c, d) x, y { } gate ccx a, b, c { } gate h a { } "
        "ctrl @ U(0.3, 0.2, 0.1) q[0], q[1]; ctrl(2) @ x q[0], q[1], q[2]; ctrl @ sx q[2], q[0];",
        3,
    )
    plain = unitary("cu(0.3, 0.2, 0.1, 0) q[0], q[1]; ccx q[0], q[1], q[2]; csx q[2], q[0];", 3)
    assert_same(made, plain)


def test_definitions_as_in_the_standard_library_are_read():
    made = unitary(
        "gate p(t) a { ctrl @ gphase(t) a; } gate x a { U(pi, 0, pi) a; "
        "} gate cx a, b { ctrl @ x a, b; } "
        "gate cz a, b { ctrl @ z a, b; } gate sx a { pow(1/2) @ x a; "
        "} gate cy a, b { ctrl @ y a, b; } "
        "gate ccx a, b, c { ctrl @ ctrl @ x a, b, c; } gate cswap a, b, c { ctrl @ swap a, b, c; } "
        "p(0.3) q[0]; cx q[0], q[1]; cz q[0], q[2]; sx q[1]; cy q[1], q[2]; ccx q[0], q[1], q[2]; "
        "cswap q[1], q[0], q[2];",
        3,
    )
    plain = unitary(
        "p(0.3) q[0]; cx q[0], q[1]; cz q[0], q[2]; sx q[1]; cy q[1], q[2]; ccx q[0], q[1], q[2]; "
        "cswap q[1], q[0], q[2];",
        3,
    )
    assert_same(made, plain)


def test_a_parameter_is_not_taken_for_a_number_that_equals_its_index():
    head = "gate g(t) a, b { ctrl @ rx(t) a, b; ctrl @ rx(0.0) a, b; } "
    made = unitary(head + "g(0.7) q[0], q[1];", 2)
    assert_same(made, matrix("crx", (0.7,)))
    made = unitary("gate crx(t) a, b { ctrl @ rx(0.0) a, b; } crx(0.7) q[0], q[1];", 2)
    assert_same(made, np.eye(4))
    made = unitary("gate cz a, b { ctrl @ z b, a; h a; } cz q[0], q[1];", 2)
    assert_same(made, np.kron(np.eye(2), matrix("h")) @ matrix("cz"))
