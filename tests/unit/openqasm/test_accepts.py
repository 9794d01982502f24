"""Sources that are accepted beyond those that Qiskit reads, and their operations."""

import math
import pickle
import subprocess
import sys

import pytest

from quantcloud.circuits import expanded, with_measurements
from quantcloud.circuits.ir import Circuit, Condition, Operation, Register
from quantcloud.openqasm import lowered, parse

QREGS = "qreg q[3]; creg c[3];"
HEADER_2 = f'OPENQASM 2.0;\ninclude "qelib1.inc";\n{QREGS}\n'
HEADER_3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[3] q;\nbit[3] c;\n'


def op(name: str, *qubits: int, params: tuple[float, ...] = ()) -> Operation:
    return Operation(name, qubits, params)


def measure(qubit: int, clbit: int, condition: Condition | None = None) -> Operation:
    return Operation("measure", (qubit,), (), (clbit,), condition)


VERSION_2 = [
    # parts that have a default
    ("h q[0];;;\n;", [op("h", 0)]),
    ("barrier;", [op("barrier", 0, 1, 2)]),
    ("barrier q[1],q;", [op("barrier", 1, 0, 2)]),
    ("x() q[0];", [op("x", 0)]),
    ("include 'qelib1.inc'; x q[0];", [op("x", 0)]),
    # mixed bits and registers
    ("measure q[1]->c[2];measure q->c;", [measure(1, 2), *(measure(i, i) for i in range(3))]),
    ("creg d[1]; measure q[2] -> d;", [measure(2, 3)]),
    ("reset q;", [op("reset", 0), op("reset", 1), op("reset", 2)]),
    # conditions
    ("if (c == 5) x q[0];", [Operation("x", (0,), (), (), Condition(0, 3, 5))]),
    ("if(c==0)measure q[0]->c[1];", [measure(0, 1, Condition(0, 3, 0))]),
    ("if(c==1) reset q[2];", [Operation("reset", (2,), (), (), Condition(0, 3, 1))]),
    ("if(c[2]==1) x q[0];", [Operation("x", (0,), (), (), Condition(2, 1, 1))]),
    ("creg d[2]; if(d==2) x q[0];", [Operation("x", (0,), (), (), Condition(3, 2, 2))]),
    # a value that the register cannot hold is not an error; the operation never runs
    ("if(c==8) x q[0];", [Operation("x", (0,), (), (), Condition(0, 3, 8))]),
    (f"if(c=={'9' * 10_000}) x q[0];", [Operation("x", (0,), (), (), Condition(0, 3, 8))]),
    # the SDK's gates
    ("r(0.1,0.2) q[0];", [op("r", 0, params=(0.1, 0.2))]),
    ("rzx(pi) q[2],q[0];", [op("rzx", 2, 0, params=(math.pi,))]),
    ("ecr q[0],q[1];", [op("ecr", 0, 1)]),
    # PennyLane's global phases
    ("gphase(-0.785) q[0]; h q[0];", [op("h", 0)]),
    ("gate gphase(x) a { rz(x) a; } gphase(1) q[0];", [op("gphase", 0, params=(1.0,))]),
    # numbers
    ("rx(1e-07) q[0];", [op("rx", 0, params=(1e-07,))]),
    ("rx(-3.14) q[0];", [op("rx", 0, params=(-3.14,))]),
    ("rx(.5) q[0];", [op("rx", 0, params=(0.5,))]),
    ("rx(1.) q[0];", [op("rx", 0, params=(1.0,))]),
    ("rx(1.E+2) q[0];", [op("rx", 0, params=(100.0,))]),
    ("rx(2**3) q[0];", [op("rx", 0, params=(8.0,))]),
    ("rx(-2^2) q[0];", [op("rx", 0, params=(-4.0,))]),
    ("rx(2^3^2) q[0];", [op("rx", 0, params=(512.0,))]),
    ("rx(1/2) q[0];", [op("rx", 0, params=(0.5,))]),
    ("rx(8-4-2) q[0];", [op("rx", 0, params=(2.0,))]),
    ("rx(-+-3) q[0];", [op("rx", 0, params=(3.0,))]),
    ("rx(2*-3) q[0];", [op("rx", 0, params=(-6.0,))]),
    ("rx(acos(-1)) q[0];", [op("rx", 0, params=(math.pi,))]),
    ("rx(pi/2) q[0];rx( pi / 2 ) q [ 0 ] ;", [op("rx", 0, params=(math.pi / 2,))] * 2),
    # layout, and comments that look like statements
    ("h q[0]; // ; x q[0];\nh q[1];", [op("h", 0), op("h", 1)]),
    ("h q[0] // ; x q[0];\n;h q[1];", [op("h", 0), op("h", 1)]),
    ("rx(2 // 3) q[0];\n) q[1];", [op("rx", 1, params=(2.0,))]),
    ("rx(2 /* 3) q[0]; */ +1) q[1];", [op("rx", 1, params=(3.0,))]),
    # the same after an earlier call of the gate, when shortcuts apply
    ("id q; id q;", [op("id", 0), op("id", 1), op("id", 2)] * 2),
    (
        "p(1) q[0]; p(2 // 3) q[0];\n) q[1];",
        [op("p", 0, params=(1.0,)), op("p", 1, params=(2.0,))],
    ),
    (
        "p(1) q[0]; p(2 /* 3) q[0]; */ +1) q[1];",
        [op("p", 0, params=(1.0,)), op("p", 1, params=(3.0,))],
    ),
    ("h /* x; */ q[0]; h /* x; */ q[0];", [op("h", 0), op("h", 0)]),
    ("h/**/q[0];", [op("h", 0)]),
    ("/* a */ /* b */ h q[0]; /* c */", [op("h", 0)]),
    ("h\r\n\tq\f[\v0]\r;", [op("h", 0)]),
]

VERSION_3 = [
    ("c = measure q;", [measure(i, i) for i in range(3)]),
    ("c[1] = measure q[2];", [measure(2, 1)]),
    ("measure q[2] -> c[1];", [measure(2, 1)]),
    ("bit d = measure q[0];", [measure(0, 3)]),
    ("bit[3] d = measure q;", [measure(i, 3 + i) for i in range(3)]),
    ("qreg r[1]; creg d[1]; x r;", [op("x", 3)]),
    ("qubit r; x r;", [op("x", 3)]),
    ("barrier; reset q[0];", [op("barrier", 0, 1, 2), op("reset", 0)]),
    ("if (c[1]) x q[0];", [Operation("x", (0,), (), (), Condition(1, 1, 1))]),
    ("if (!c[1]) { x q[0]; }", [Operation("x", (0,), (), (), Condition(1, 1, 0))]),
    ("if (c[1] == false) x q[0];", [Operation("x", (0,), (), (), Condition(1, 1, 0))]),
    ("if (c[1] != 1) x q[0];", [Operation("x", (0,), (), (), Condition(1, 1, 0))]),
    ("if (c == 0b101) x q[0];", [Operation("x", (0,), (), (), Condition(0, 3, 5))]),
    (
        "if (c[0]) x q[0]; else { y q[0]; }",
        [
            Operation("x", (0,), (), (), Condition(0, 1, 1)),
            Operation("y", (0,), (), (), Condition(0, 1, 0)),
        ],
    ),
    ("rx(\u03c0/2) q[0];", [op("rx", 0, params=(math.pi / 2,))]),
    ("rx(tau) q[0];", [op("rx", 0, params=(math.tau,))]),
    ("rx(euler) q[0];", [op("rx", 0, params=(math.e,))]),
    ("rx(4/2) q[0];", [op("rx", 0, params=(2.0,))]),
    ("rx(2**3) q[0];", [op("rx", 0, params=(8.0,))]),
    ("rx(arcsin(1)) q[0];", [op("rx", 0, params=(math.pi / 2,))]),
    ("gphase(1);", []),
    ("ctrl @ x q[0], q[1];", [op("CX", 0, 1)]),
    ("ctrl @ U(pi, 0, pi) q[0], q[1];", [op("CX", 0, 1)]),
    ("ctrl @ ctrl @ x q[0], q[1], q[2];", [op("ccx", 0, 1, 2)]),
    ("ctrl(2) @ z q[0], q[1], q[2];", [op("ccz", 0, 1, 2)]),
    ("inv @ s q[0];", [op("sdg", 0)]),
    ("inv @ inv @ t q[0];", [op("t", 0)]),
    ("inv @ rx(0.5) q[0];", [op("rx", 0, params=(-0.5,))]),
    ("inv @ U(1,2,3) q[0];", [op("U", 0, params=(-1.0, -3.0, -2.0))]),
    ("inv @ ctrl @ rz(1) q[0], q[1];", [op("crz", 0, 1, params=(-1.0,))]),
    # As in stdgates.inc: definitions that equal the standard gate of that name.
    ("gate crx(t) a,b { ctrl @ rx(t) a,b; } crx(1) q[1],q[0];", [op("crx", 1, 0, params=(1.0,))]),
    ("gate ccx a,b,c { ctrl @ ctrl @ x a,b,c; } ccx q[0],q[1],q[2];", [op("ccx", 0, 1, 2)]),
]


@pytest.mark.parametrize(("statements", "operations"), VERSION_2)
def test_statements_of_version_2_are_read(statements: str, operations: list[Operation]):
    assert list(parse(HEADER_2 + statements).operations) == operations


@pytest.mark.parametrize(("statements", "operations"), VERSION_3)
def test_statements_of_version_3_are_read(statements: str, operations: list[Operation]):
    assert list(parse(HEADER_3 + statements).operations) == operations


def test_broadcast_mixes_bits_and_registers():
    circuit = parse(HEADER_2 + "qreg r[3]; ccx q,r[1],r[0]; cx r[2],q;")
    assert circuit.operations == (
        *(op("ccx", i, 4, 3) for i in range(3)),
        *(op("cx", 5, i) for i in range(3)),
    )


def test_version_3_blocks_put_their_condition_on_each_operation():
    condition = Condition(0, 3, 3)
    circuit = parse(HEADER_3 + "if (c == 3) { x q[0]; barrier q[0], q[1]; h q[1]; }")
    assert circuit.operations == (
        Operation("x", (0,), (), (), condition),
        op("barrier", 0, 1),
        Operation("h", (1,), (), (), condition),
    )


def test_definitions_take_precedence_over_version_3_synonyms():
    circuit = parse(HEADER_3 + "phase(1) q[0]; cphase(1) q[0],q[1];")
    assert [operation.name for operation in circuit.operations] == ["p", "cp"]
    circuit = parse("OPENQASM 3; qubit[4] q; c3sx q[0],q[1],q[2],q[3]; rcccx q[0],q[1],q[2],q[3];")
    assert [operation.name for operation in circuit.operations] == ["c3sqrtx", "rc3x"]
    circuit = parse(HEADER_3 + "gate phase(x) a { h a; } phase(1) q[0];")
    assert expanded(circuit).operations == (op("h", 0),)


def test_registers_are_numbered_in_order_of_declaration():
    circuit = parse("creg c[2]; qreg a[2]; creg d[1]; qreg b[3]; x b[1]; measure b[0]->d[0];")
    assert circuit.qubit_registers == (Register("a", 0, 2), Register("b", 2, 3))
    assert circuit.clbit_registers == (Register("c", 0, 2), Register("d", 2, 1))
    assert circuit.operations == (op("x", 3), measure(2, 2))
    assert (circuit.num_qubits, circuit.num_clbits) == (5, 3)


@pytest.mark.parametrize(
    "start",
    [
        "",
        "OPENQASM 2.0;",
        "OPENQASM 2;",
        "\ufeffOPENQASM 2.0;",
        "// a comment\nOPENQASM 2.0 ;",
        'OPENQASM 2.0; include "qelib1.inc"; include "qelib1.inc";',
        "OPENQASM 3;",
        "OPENQASM 3.0;",
        'OPENQASM 3.1; include "stdgates.inc";',
    ],
)
def test_a_header_is_accepted(start: str):
    circuit = parse(f"{start} qreg q[1]; h q[0];")
    assert circuit.operations == (op("h", 0),)


def test_definitions_of_standard_names_take_precedence():
    paper = (
        "OPENQASM 2.0; gate u3(theta,phi,lambda) q { U(theta,phi,lambda) q; } "
        "gate u2(phi,lambda) q { U(pi/2,phi,lambda) q; } gate u(a,b,c) q { U(a,b,c) q; } "
        "gate cx c,t { CX c,t; } gate h a { u2(0,pi) a; } gate s a { u3(0,0,pi/2) a; } "
        "qreg q[2]; h q[0]; cx q[0],q[1]; s q[1]; u(1,2,3) q[0];"
    )
    circuit = parse(paper)
    assert set(circuit.definitions) == {"u3", "u2", "u", "cx", "h", "s"}
    assert [operation.name for operation in circuit.operations] == ["h", "cx", "s", "u"]
    assert expanded(circuit).operations == (
        op("u", 0, params=(math.pi / 2, 0.0, math.pi)),
        op("cx", 0, 1),
        op("u", 1, params=(0.0, 0.0, math.pi / 2)),
        op("u", 0, params=(1.0, 2.0, 3.0)),
    )


def test_an_exporters_definition_in_addition_to_the_include_is_used():
    circuit = parse(
        'OPENQASM 2.0; include "qelib1.inc"; gate rzx(p0) a,b { h b; cx a,b; rz(p0) b; cx a,b; '
        "h b; } gate ecr a,b { rzx(pi/4) a,b; x a; rzx(-pi/4) a,b; } qreg q[2]; ecr q[1],q[0];"
    )
    names = [operation.name for operation in expanded(circuit).operations]
    assert names == ["h", "cx", "rz", "cx", "h", "x", "h", "cx", "rz", "cx", "h"]


def test_expansion_carries_angles_qubits_conditions_and_barriers():
    circuit = parse(
        HEADER_2 + "gate a(x,y) p,q { rz(x*y) q; barrier q,p; cx q,p; } "
        "gate b(z) p,q,r { a(z,2) r,p; h q; } if(c==1) b(0.25) q[2],q[0],q[1]; b(1) q[0],q[1],q[2];"
    )
    condition = Condition(0, 3, 1)
    result = expanded(circuit)
    assert not result.definitions
    assert result.operations == (
        Operation("rz", (2,), (0.5,), (), condition),
        op("barrier", 2, 1),
        Operation("cx", (2, 1), (), (), condition),
        Operation("h", (0,), (), (), condition),
        op("rz", 0, params=(2.0,)),
        op("barrier", 0, 2),
        op("cx", 0, 2),
        op("h", 1),
    )


def test_expansion_renames_the_builtin_gates():
    circuit = parse("qreg q[2]; U(1,2,3) q[0]; CX q[0],q[1]; h q[0];")
    assert expanded(circuit).operations == (
        op("u", 0, params=(1.0, 2.0, 3.0)),
        op("cx", 0, 1),
        op("h", 0),
    )
    plain = parse("qreg q[2]; h q[0];")
    assert expanded(plain) is plain


def test_lowering_uses_only_native_gates():
    circuit = parse(HEADER_2 + "gate cz a,b { CX a,b; } cz q[0],q[1]; ccz q[0],q[1],q[2];")
    result = lowered(circuit, {"u", "cx", "h", "t", "tdg"})
    assert {operation.name for operation in result.operations} == {"cx", "h", "t", "tdg"}
    # The definitions of standard gates do not use the source's own cz.
    assert result.operations[0] == op("cx", 0, 1)


def test_all_qubits_of_a_circuit_without_measurements_are_measured():
    circuit = parse("qreg a[1]; qreg b[2]; creg c[7]; h a; if(c==1) x b; if(c==0) y b[1];")
    measured = with_measurements(circuit)
    assert measured.clbit_registers == (Register("meas", 0, 3),)
    assert measured.operations == (op("h", 0), op("y", 2), *(measure(i, i) for i in range(3)))
    some = parse("qreg a[2]; creg c[1]; measure a[1] -> c[0];")
    assert with_measurements(some) is some


def test_equal_statements_share_their_operations():
    circuit = parse("qreg q[2]; " + "cx q[0],q[1]; " * 1_000)
    assert len({id(operation) for operation in circuit.operations}) == 1


def test_importing_the_parser_imports_nothing_large():
    code = (
        "import sys, quantcloud.circuits; "
        "print([name for name in sys.modules if name.split('.')[0] in "
        "('numpy', 'qiskit', 'grpc', 'sqlalchemy', 'difflib', 'asyncio')])"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert output.strip() == "[]"


def test_circuits_survive_a_process_boundary():
    circuit = parse(HEADER_2 + "gate g(x) a { rx(x/2) a; } g(1) q; if(c==1) x q[0];")
    copy = pickle.loads(pickle.dumps(circuit))  # noqa: S301 - it was made a line above
    assert isinstance(copy, Circuit)
    assert copy == circuit
    assert expanded(copy) == expanded(circuit)
