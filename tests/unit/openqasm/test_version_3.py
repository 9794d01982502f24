"""Programs of OpenQASM 3 that are expanded, and their operations."""

import math

import pytest

from quantcloud.circuits import analyse, expanded
from quantcloud.circuits.ir import Circuit, Condition, Operation
from quantcloud.openqasm import parse

HEADER = 'OPENQASM 3.1;\ninclude "stdgates.inc";\nqubit[4] q;\nbit[4] c;\n'


def op(name: str, *qubits: int, params: tuple[float, ...] = ()) -> Operation:
    return Operation(name, qubits, params)


def gates(source: str) -> list[Operation]:
    return list(parse(HEADER + source).operations)


EXPANDED = {
    "a scalar with a register": (
        "qubit a; qubit[3] r; cx a, r; ccx r, a, q[1];",
        [*(op("cx", 4, 5 + i) for i in range(3)), *(op("ccx", 5 + i, 4, 1) for i in range(3))],
    ),
    "letters of other scripts": (
        (
            "gate \u03b3(\u03bb, \u03b8) \u03b1 { rx(\u03bb * \u03b8) \u03b1; } "
            "qubit \u00e9t\u00e9; \u03b3(2, 0.5) \u00e9t\u00e9;"
        ),
        [op("\u03b3", 4, params=(2.0, 0.5))],
    ),
    "digit separators": (
        "rx(0.1_5) q[0_1]; ry(1_0e-1_0) q[0];",
        [
            op("rx", 1, params=(0.15,)),
            op("ry", 0, params=(10e-10,)),
        ],
    ),
    "constants": (
        (
            "const int[8] n = 3; const float[64] t = pi / n; const bool b = n > 2; rx(t) q[n - 2]; "
            "if (b) { x q[n]; }"
        ),
        [op("rx", 1, params=(math.pi / 3,)), op("x", 3)],
    ),
    "angles divide as real numbers": (
        "const int n = 7; const int half = n / 2; rx(1/5) q[half]; rx(n / 2) q[n / 4];",
        [op("rx", 3, params=(0.2,)), op("rx", 1, params=(3.5,))],
    ),
    "ranges and sets": (
        (
            "for int i in [0:3] { x q[i]; } for uint i in [3:-2:0] { y q[i]; "
            "} for int i in {2, 0} z q[i];"
        ),
        [*(op("x", i) for i in range(4)), op("y", 3), op("y", 1), op("z", 2), op("z", 0)],
    ),
    "bits": (
        'for bit b in "011" { if (b) { x q[0]; } else { y q[0]; } }',
        [
            op("x", 0),
            op("x", 0),
            op("y", 0),
        ],
    ),
    "an empty loop": ("for int i in [1:0] { x q; } x q[0];", [op("x", 0)]),
    "while, break and continue": (
        "int i = 0; while (true) { i += 1; if (i == 2) continue; if (i == 4) break; x q[i]; }",
        [op("x", 1), op("x", 3)],
    ),
    "switch": (
        (
            "for int i in [0:3] { switch (i) { case 0 { x q[0]; } case 1, 2 { y q[i]; "
            "} default { z q[3]; } } }"
        ),
        [op("x", 0), op("y", 1), op("y", 2), op("z", 3)],
    ),
    "scopes": (
        (
            "int i = 1; for int i in [2:3] { int j = i; x q[j]; } x q[i]; "
            "if (true) { int i = 0; y q[i]; }"
        ),
        [op("x", 2), op("x", 3), op("x", 1), op("y", 0)],
    ),
    "whole numbers wrap": (
        "uint[2] u = 3; u += 2; x q[u]; int[3] i = 3; i += 3; y q[i + 2]; z q[-7 / 2 + 3];",
        [op("x", 1), op("y", 0), op("z", 0)],
    ),
    "conversions": (
        'x q[int[8](2.9)]; y q[uint("10")]; if (bool(3)) z q[0]; rx(float(1) / 4) q[1];',
        [op("x", 2), op("y", 2), op("z", 0), op("rx", 1, params=(0.25,))],
    ),
    "functions": (
        "x q[floor(1.9) + ceiling(0.1)]; y q[mod(7, 4)]; z q[popcount(7)]; s q[int(pow(2, 1))];",
        [op("x", 2), op("y", 3), op("z", 3), op("s", 2)],
    ),
    "rotations of bits": (
        (
            'bit[4] k = "0001"; for int i in [0:1] { const bit[4] r = rotl("0110", i + 1); '
            "if (r[3]) x q[i]; }"
        ),
        [op("x", 0), op("x", 1)],
    ),
    "aliases": (
        (
            "let a = q[1:2] ++ q[{0}]; x a; y a[0]; let b = a[-1:-1:0]; cx b[0], b[2]; "
            "let d = q[3]; z d;"
        ),
        [op("x", 1), op("x", 2), op("x", 0), op("y", 1), op("cx", 0, 1), op("z", 3)],
    ),
    "an alias of bits": (
        "let low = c[0:1]; low[1] = measure q[3];",
        [Operation("measure", (3,), (), (1,))],
    ),
    "subroutines": (
        (
            "const float[64] t = 0.5; def turn(qubit a, int n) { for int i in [1:n] { rx(t) a; } } "
            "def both(qubit[2] r, angle s) { turn(r[0], 2); rz(s) r[1]; } both(q[1:2], pi);"
        ),
        [*[op("rx", 1, params=(0.5,))] * 2, op("rz", 2, params=(math.pi,))],
    ),
    "results": (
        (
            "def next(int k) -> int { if (k > 2) { return 0; } return k + 1; } x q[next(1)]; "
            "x q[next(3)]; "
            "int m = next(next(0)) + 1; y q[m];"
        ),
        [op("x", 2), op("x", 0), op("y", 3)],
    ),
    "loops in gates": (
        (
            "gate g(t) a, b { for int i in [1:2] { rx(t * i / 4) a; if (i == 2) { cx a, b; } } } "
            "g(1) q[2], q[0];"
        ),
        [op("g", 2, 0, params=(1.0,))],
    ),
    "durations": (
        "const duration d = 2us; delay[d * 2] q[0]; delay[100dt] q[1:2]; delay[1.5ms + 1ns] q[3];",
        [
            op("delay", 0, params=(4e-6,)),
            *(op("delay", i, params=(100 * 1e-9,)) for i in (1, 2)),
            op("delay", 3, params=(1.5e-3 + 1e-9,)),
        ],
    ),
    "empty registers": ("qubit[0] e; h e; barrier e; x q[0];", [op("x", 0)]),
    "an initial value of zeros": ('bit[2] d = "00"; x q[0];', [op("x", 0)]),
}


@pytest.mark.parametrize("name", EXPANDED)
def test_a_program_is_expanded(name: str):
    source, operations = EXPANDED[name]
    assert gates(source) == operations


def test_the_body_of_a_gate_is_expanded_once():
    source, _ = EXPANDED["loops in gates"]
    assert expanded(parse(HEADER + source)).operations == (
        op("rx", 2, params=(0.25,)),
        op("rx", 2, params=(0.5,)),
        op("cx", 2, 0),
    )


def condition_of(circuit: Circuit, name: str) -> Condition | None:
    return next(each.condition for each in circuit.operations if each.name == name)


@pytest.mark.parametrize(
    ("test", "condition"),
    [
        ("c[1]", Condition(1, 1, 1)),
        ("!c[1]", Condition(1, 1, 0)),
        ("c[1] == false", Condition(1, 1, 0)),
        ("!(c[1] == 1)", Condition(1, 1, 0)),
        ("c == 0b101", Condition(0, 4, 5)),
        ("5 == c", Condition(0, 4, 5)),
        ("c[1:2] == 2", Condition(1, 2, 2)),
        ('c == "0110"', Condition(0, 4, 6)),
        ("c == 99", Condition(0, 4, 16)),
    ],
)
def test_a_plain_condition_needs_no_variable(test: str, condition: Condition):
    circuit = parse(HEADER + f"c[3] = measure q[3]; if ({test}) {{ x q[0]; }}")
    assert condition_of(circuit, "x") == condition
    assert not circuit.has_control


@pytest.mark.parametrize(
    "test", ["c != 3", "c[0] && c[1]", "c > 2", "c[0] == c[1]", "c", "c + 1 == 3"]
)
def test_another_condition_is_computed(test: str):
    circuit = parse(HEADER + f"c[3] = measure q[3]; if ({test}) {{ x q[0]; }}")
    assert circuit.has_control
    condition = condition_of(circuit, "x")
    assert condition is not None
    assert condition.offset >= circuit.num_clbits


def test_a_repeated_statement_has_the_value_of_its_time():
    operations = gates("int i = 0; x q[i]; i += 1; x q[i]; i += 1; x q[i];")
    assert operations == [op("x", 0), op("x", 1), op("x", 2)]


def test_delays_of_qiskits_exporter_are_idle_time():
    source = (
        'OPENQASM 2.0; include "qelib1.inc"; opaque delay(param0) q0; opaque delay_12(param0) q0; '
        "qreg q[2]; h q[0]; delay(100.0) q[1]; delay_12(5) q[0]; cx q[0],q[1];"
    )
    circuit = parse(source)
    assert [each.name for each in circuit.operations] == ["h", "delay", "delay", "cx"]
    assert circuit.operations[1].params == (100.0 * 1e-9,)
    analysis = analyse(circuit)
    assert (analysis.is_clifford, analysis.has_mid_circuit) == (True, False)


def test_parameters_of_gates_stay_symbolic():
    circuit = parse(HEADER + "gate g(s, t) a { rx(-s + 2 * t ** 2 / pi) a; } g(1, 2) q[0];")
    (operation,) = expanded(circuit).operations
    assert operation.params == pytest.approx((-1 + 2 * 4 / math.pi,))


@pytest.mark.parametrize(
    ("statements", "measured"),
    [
        ("measure q;", [0, 1]),
        ("measure q[1]; x q[1];", [1, 0]),
        ("for int i in [0:2] { measure q[0]; h q[0]; }", [0, 0, 0, 1]),
        ("def f(qubit a) -> bit { return measure a; } measure q;", [0, 1]),
    ],
)
def test_a_program_without_bits_has_the_last_measurement_of_each_qubit(
    statements: str, measured: list[int]
):
    circuit = parse(f"OPENQASM 3.0; qubit[2] q; h q; {statements}")
    found = [each for each in circuit.operations if each.name == "measure"]
    assert [(each.qubits, each.clbits) for each in found] == [((bit,), (bit,)) for bit in measured]
    assert [(each.name, each.size) for each in circuit.clbit_registers] == [("meas", 2)]
    assert not circuit.has_control


@pytest.mark.parametrize(
    "statements",
    [
        "bit[1] c; measure q;",
        "def f(qubit a) -> bit { return measure a; } if (f(q[0])) x q[1];",
        "bool b; b = measure q[0]; if (b) x q[1];",
    ],
)
def test_a_program_that_computes_or_has_bits_keeps_its_own(statements: str):
    circuit = parse(f"OPENQASM 3.0; qubit[2] q; h q; {statements}")
    assert [each.name for each in circuit.clbit_registers] == ["c"] * ("bit[1] c" in statements)
