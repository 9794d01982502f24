"""The figures that the analysis derives from a circuit's text."""

import pytest

from quantcloud.circuits import analyse, expanded
from quantcloud.openqasm import examine, parse

HEADER = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[3]; creg c[3]; '


def test_every_figure_of_a_small_circuit_is_right():
    analysis = examine(
        HEADER + "gate pair a,b { h a; cx a,b; barrier a,b; t b; } "
        "pair q[0],q[1]; U(1,2,3) q[2]; barrier q; ccx q[0],q[1],q[2]; measure q -> c;"
    )
    assert analysis.num_qubits == 3
    assert analysis.num_clbits == 3
    assert analysis.circuit_depth == 3
    assert analysis.gate_count == 6
    assert analysis.operation_count == 8
    assert analysis.two_qubit_gate_count == 2
    assert analysis.gate_counts == {"pair": 1, "u": 1, "ccx": 1, "measure": 3}
    assert not analysis.is_clifford
    assert not analysis.has_mid_circuit
    assert not analysis.measures_all


def test_the_added_measurements_of_a_circuit_without_any_are_counted():
    analysis = examine("qreg q[3]; creg c[1]; h q[0]; cx q[0],q[1];")
    assert analysis.measures_all
    assert analysis.num_clbits == 3
    assert analysis.circuit_depth == 3
    assert analysis.gate_count == 5
    assert analysis.gate_counts == {"h": 1, "cx": 1, "measure": 3}


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ("h q; measure q -> c;", False),
        ("h q; measure q -> c; barrier q;", False),
        ("h q;", False),
        ("reset q; h q; measure q -> c;", False),
        ("barrier q; reset q; measure q -> c;", False),
        ("h q[0]; reset q[1]; measure q -> c;", False),
        ("measure q[0] -> c[0]; h q[1]; measure q[1] -> c[1];", False),
        ("h q[0]; reset q[0];", True),
        ("h q; measure q[0] -> c[0]; h q[0];", True),
        ("measure q[0] -> c[0]; h q[0];", False),
        ("h q; measure q[0] -> c[0]; cx q[1],q[0];", True),
        ("measure q[0] -> c[0]; cx q[1],q[0];", False),
        ("h q; measure q[0] -> c[0]; measure q[0] -> c[1];", True),
        ("measure q[0] -> c[0]; measure q[0] -> c[1];", False),
        ("h q; measure q[0] -> c[0]; measure q[1] -> c[0];", True),
        ("measure q[0] -> c[0]; measure q[1] -> c[0];", False),
        ("h q; measure q[0] -> c[0]; reset q[0];", True),
        ("measure q[0] -> c[0]; reset q[0];", False),
        ("h q; measure q[0] -> c[0]; if(c==1) x q[1];", True),
        ("measure q[0] -> c[0]; if(c==1) x q[1];", False),
        ("if(c==0) x q[1]; measure q -> c;", False),
        # Without a measurement every bit is zero, so the condition is known.
        ("if(c==0) x q[1];", False),
    ],
)
def test_has_mid_circuit_is_right(statements: str, expected: bool):  # noqa: FBT001 - a column of the table
    assert examine(HEADER + statements).has_mid_circuit is expected


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ("h q; cx q[0],q[1]; s q; sdg q; sx q; swap q[0],q[1]; ecr q[1],q[2];", True),
        ("h q; barrier q; measure q -> c; if(c==1) x q[0]; reset q;", True),
        ("rz(pi/2) q; rx(-pi) q; u3(pi/2,0,3*pi) q; p(5*pi/2) q; u0(0.3) q[0];", True),
        ("cp(pi) q[0],q[1]; crz(-pi) q[0],q[1]; rzz(pi/2) q[0],q[1]; cu1(2*pi) q[0],q[1];", True),
        ("rz(1.5707963267948966) q; rz(0.1+pi/2-0.1) q;", True),
        ("t q[0];", False),
        ("cp(pi/2) q[0],q[1];", False),
        ("ccx q[0],q[1],q[2];", False),
        ("rz(1.5708) q[0];", False),
        # At this size, floats are too coarse to represent multiples of pi/2.
        ("rz(1e15*pi/2) q[0];", False),
        ("rz(1000*pi) q[0];", True),
        ("gate g(x) a { rz(x/2) a; } gate f(x) a { g(2*x) a; h a; } f(pi/2) q[0];", True),
        ("gate g(x) a { rz(x/2) a; } gate f(x) a { g(2*x) a; h a; } f(pi/2) q; f(pi/4) q;", False),
        ("gate g a { t a; } h q;", True),
        ("gate g a { t a; } g q;", False),
        # Each gate is checked by itself, even if two together make a Clifford gate.
        ("t q[0]; t q[0];", False),
    ],
)
def test_is_clifford_is_right(statements: str, expected: bool):  # noqa: FBT001 - a column of the table
    assert examine(HEADER + statements).is_clifford is expected


def test_nested_definitions_are_counted_without_expansion():
    definitions = "gate g0 a,b { h a; cx a,b; } " + "".join(
        f"gate g{level + 1} a,b {{ g{level} a,b; barrier a,b; g{level} b,a; }} "
        for level in range(10)
    )
    circuit = parse(f"{HEADER}{definitions} g10 q[0],q[1]; g3 q[1],q[2]; measure q->c;")
    analysis = analyse(circuit)
    operations = [
        operation for operation in expanded(circuit).operations if operation.name != "barrier"
    ]
    assert analysis.gate_count == 5
    assert analysis.operation_count == len(operations) == 2 * (1024 + 8) + 3
    assert analysis.two_qubit_gate_count == 1024 + 8
    assert analysis.is_clifford


def test_gates_are_counted_by_qiskits_names_unless_the_source_defines_them():
    five = "qreg q[5];"
    calls = "c3x q[0],q[1],q[2],q[3]; c4x q[0],q[1],q[2],q[3],q[4];"
    assert examine(f"{five} {calls}").gate_counts == {"mcx": 2, "measure": 5}
    own = f"gate c3x a,b,c,d {{ x a; }} {five} {calls}"
    assert examine(own).gate_counts == {"c3x": 1, "mcx": 1, "measure": 5}
