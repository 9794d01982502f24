"""Inputs of OpenQASM 3: parameters of a circuit."""

import math

import pytest

from quantcloud.circuits import analyse, expanded
from quantcloud.circuits.binding import bound
from quantcloud.circuits.expressions import ExpressionError
from quantcloud.domain.errors import CircuitError
from quantcloud.domain.sweep import Input
from quantcloud.openqasm import parse

HEAD = """OPENQASM 3.0;
include "stdgates.inc";
input float[64] theta; input angle phi; input array[float[64], 4] w;
qubit[2] q;
"""
VALUES = [0.7, -1.1, 0.1, 0.2, 0.3, 0.4]
THETA, PHI, *W = VALUES


def angles(statements: str) -> list[float]:
    """Return the angles of the statements with the values above."""
    circuit = bound(expanded(parse(HEAD + statements)), VALUES)
    return [angle for operation in circuit.operations for angle in operation.params]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("rz(theta) q[0];", [THETA]),
        ("rz(2*theta+phi/3) q[0];", [2 * THETA + PHI / 3]),
        ("rz(-theta**2) q[0];", [-(THETA**2)]),
        ("rz(sin(phi)*exp(w[1])) q[0];", [math.sin(PHI) * math.exp(W[1])]),
        ("rz(1/(theta-2)) q[0];", [1 / (THETA - 2)]),
        ("for int i in [0:3] rx(w[i]*pi) q[1];", [each * math.pi for each in W]),
        ("for int i in {3, 1} rx(w[i-1]) q[1];", [W[2], W[0]]),
        ("rx(w[-1]) q[0];", [W[3]]),
        ("rx(w[1+1]) q;", [W[2], W[2]]),
        ("float x = theta; x += phi; rx(x) q[0];", [THETA + PHI]),
        ("gate g(a) b { rz(a*a) b; ry(a/2) b; } g(theta+1) q[0];",
         [(THETA + 1) ** 2, (THETA + 1) / 2]),
        ("def f(qubit b, float x) { rx(x+1) b; } f(q[0], w[2]);", [W[2] + 1]),
        ("inv @ rx(theta) q[0];", [-THETA]),
        ("pow(3) @ rx(theta) q[0];", [3 * THETA]),
        ("ctrl @ rx(theta) q[0], q[1];", [THETA]),
        ("ctrl @ gphase(theta) q[0];", [THETA]),
        ("if (w[0] < 1 || true) x q[0];", None),
    ],
)  # fmt: skip
def test_an_input_stands_in_an_angle(statement: str, expected: list[float] | None):
    if expected is None:
        with pytest.raises(CircuitError):
            parse(HEAD + statement)
        return
    assert angles(statement) == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(
    ("statement", "column", "part"),
    [
        ("qubit[theta] r;", 7, "must be a constant whole number; it cannot depend on 'theta'"),
        ("if (theta) x q[0];", 1, "a condition cannot depend on 'theta', which is an input"),
        ("while (theta < 1) x q[0];", 14, "'<' cannot be applied to 'theta'"),
        ("for int i in [0:theta] x q[0];", 15, "a whole number is needed here; it cannot depend"),
        ("switch (phi) { case 1 { x q[0]; } }", 1, "a 'switch' cannot depend on 'phi'"),
        ("const float c = theta;", 13, "the constant 'c' cannot depend on 'theta'"),
        ("int k = theta;", 5, "a value of type int cannot depend on 'theta'"),
        ("x q[theta];", 5, "an index cannot depend on 'theta'"),
        ("rx(w[theta]) q[0];", 6, "an index cannot depend on 'theta'"),
        ("pow(theta) @ x q[0];", 5, "the exponent of 'pow' must be a constant number"),
        ("ctrl(theta) @ x q[0], q[1];", 6, "it cannot depend on 'theta'"),
        ("delay[theta] q[0];", 1, "a duration cannot depend on 'theta'"),
        ("rx(floor(w[1])) q[0];", 4, "'floor' cannot be applied to 'w[1]', which is an input"),
        ("theta = 1;", 1, "'theta' is an input"),
        ("rx(w) q[0];", 4, "'w' is an array"),
        ("rx(w[4]) q[0];", 6, "index 4 is out of range: array 'w' has 4 elements"),
        ("gate g(a) b { rx(theta) b; }", 18, "'theta' is not visible here"),
        ("gate g(a) b { if (a < 1) x b; }", 21, "'<' cannot be applied to 'a', which is a param"),
        ("gate g(a) b { switch (a) { case 1 { x b; } } }", 15, "a 'switch' cannot depend on 'a'"),
        ("input float theta;", 1, "'theta' is already declared"),
        ("bit b; b = measure q[0]; float x; if (b) x = theta;", 42, "'x', a float, would depend"),
        ("input array[float, 2, 2] v;", 1, "inputs with several dimensions ('v')"),
        ("input array[float, 0] v;", 1, "the array 'v' has no elements"),
        ("input array[float, 100000] v;", 1, "more than 100,000 input values"),
        ("if (true) { input float x; }", 13, "declared at the top level"),
        ("input float[65] x;", 7, "'float' may have 1 to 64 bits"),
    ],
)
def test_where_a_constant_is_needed_an_input_is_refused(statement: str, column: int, part: str):
    with pytest.raises(CircuitError) as caught:
        parse(HEAD + statement)
    assert part in caught.value.message
    assert (caught.value.line, caught.value.column) == (5, column)


def test_the_analysis_lists_the_inputs_and_takes_no_angle_for_a_clifford_gate():
    analysis = analyse(parse(HEAD + "h q[0]; rz(0*theta) q[0]; cx q[0], q[1];"))
    assert analysis.inputs == (Input("theta"), Input("phi"), Input("w", 4, is_array=True))
    assert not analysis.is_clifford
    assert analysis.parameter_count == 1
    assert analyse(parse(HEAD + "h q[0];")).is_clifford


def test_conditional_rotations_by_inputs_are_analysed():
    source = HEAD + (
        "bit c; rx(theta) q[0]; c = measure q[0]; if (c) rx(phi) q[1]; reset q[1]; h q[1];"
    )
    assert analyse(parse(source)).branching_count == 2


def test_an_angle_without_a_value_is_an_error_when_it_is_bound():
    for angle in ("1/(theta-0.7)", "ln(phi)", "sqrt(phi)", "exp(1000*theta)", "phi**0.5"):
        circuit = parse(HEAD + f"rx({angle}) q[0];")
        with pytest.raises(ExpressionError):
            bound(circuit, VALUES)


def test_definitions_that_double_an_angle_forty_times_stay_small():
    lines = ["gate g0(a) b { rz(a) b; }"]
    lines += [f"gate g{i}(a) b {{ g{i - 1}(a+a) b; }}" for i in range(1, 40)]
    circuit = expanded(parse(HEAD + "\n".join(lines) + "g39(theta) q[0];"))
    (operation,) = bound(circuit, VALUES).operations
    assert operation.params == pytest.approx([2**39 * THETA])


def test_an_input_that_grows_in_a_loop_is_bounded():
    with pytest.raises(CircuitError, match="too long"):
        parse(HEAD + "float x = theta; for int i in [0:60] { x = x * x; }")
    with pytest.raises(CircuitError, match="larger than 2,000,000 operations"):
        parse(
            HEAD + "float x = theta; for int i in [0:9] { x = x * x; }"
            "for int i in [0:99999] { rx(x) q[0]; }"
        )
