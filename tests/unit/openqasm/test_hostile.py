"""Hostile sources: cheap to write, but expensive or fatal to parse without limits.

No test measures time: without the limits, the tests would not end.
"""

import pytest

from quantcloud.circuits import analyse, expanded, with_measurements
from quantcloud.circuits.limits import MAX_OPERATIONS
from quantcloud.domain.errors import CircuitError
from quantcloud.openqasm import examine, parse, work_bound
from quantcloud.openqasm.source import UNBOUNDED

pytestmark = pytest.mark.slow

HEADER = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[3]; creg c[3]; '
DOUBLING = "gate g0 a { x a; } " + "".join(
    f"gate g{level + 1} a {{ g{level} a; g{level} a; }} " for level in range(40)
)
DOUBLING_ANGLES = "gate g0(t) a { rx(t) a; } " + "".join(
    f"gate g{level + 1}(t) a {{ g{level}(t+1) a; g{level}(t*1.1) a; }} " for level in range(40)
)
DOUBLING_NOTHING = "gate g0 a { } " + "".join(
    f"gate g{level + 1} a {{ g{level} a; g{level} a; }} " for level in range(40)
)
MEGABYTES_8 = 8 * 1024 * 1024


def repeated(text: str, size: int = 1024 * 1024) -> str:
    return text * (size // len(text))


REFUSED = {
    "a register of a thousand million qubits": ("qreg r[1000000000];", "more than 10,000 qubits"),
    "a register of five thousand digits": (f"qreg r[{'9' * 5000}];", "more than 10,000 qubits"),
    "a creg of a million bits": ("creg d[1000000];", "more than 100,000 classical bits"),
    "many registers": (
        "".join(f"qreg r{index}[1000];" for index in range(20)),
        "more than 10,000 qubits",
    ),
    "definitions that double forty times": (DOUBLING + "g40 q[0];", "2,000,000 operations"),
    "doubling with other angles each time": (
        DOUBLING_ANGLES + "g40(1) q[0];",
        "2,000,000 operations",
    ),
    "doubling of nothing": (DOUBLING_NOTHING + "g40 q[0];", "2,000,000 operations"),
    "doubling under a condition": (DOUBLING + "if(c==1) g40 q[0];", "2,000,000 operations"),
    "many calls of a large definition": (DOUBLING + "g20 q;" * 10, "2,000,000 operations"),
    "broadcast over large registers": (
        "qreg r[9000];" + "".join(f"rx({index}.5) r;" for index in range(225)),
        "2,000,000 operations",
    ),
    "the same broadcast again and again": ("qreg r[9000];" + "h r;" * 1000, "2,000,000"),
    "wide barriers": ("qreg r[9000];" + "barrier r;" * 1000, "2,000,000"),
    "wide barriers in a definition": (
        f"gate g {','.join(f'a{i}' for i in range(9000))} "
        f"{{ {('barrier ' + ','.join(f'a{i}' for i in range(9000)) + ';') * 3} }}"
        f"gate f {','.join(f'a{i}' for i in range(9000))} "
        f"{{ {('g ' + ','.join(f'a{i}' for i in range(9000)) + ';') * 3} }} qreg r[9000];"
        + ("f " + ",".join(f"r[{i}]" for i in range(9000)) + ";")
        * 60,
        "2,000,000",
    ),
    "wide conditions": ("creg d[90000];" + "if(d==1) x q[0];" * 1000, "2,000,000"),
    "costly angles at each call": (
        "gate g(x) a { rx("
        + "x+" * 50_000
        + "x) a; }"
        + "".join(f"g({index}.5) q[0];" for index in range(1000)),
        "2,000,000",
    ),
    "a tower of powers": ("rx(" + "pi^" * 100_000 + "pi) q[0];", "too large"),
    "an open tower": ("rx(" + "(" * 100_000, "expected a number or an expression"),
    "parentheses that never close": ("rx(" + "(" * 10_000 + "1) q[0];", "expected ')'"),
    "open functions": ("rx(" + "sin(" * 100_000 + "1) q[0];", "expected ')'"),
    "a number of a million digits": ("rx(" + "9" * 1_000_000 + ") q[0];", "too large"),
    "an exponent of a million digits": ("rx(1e" + "9" * 1_000_000 + ") q[0];", "too large"),
    "an index of a million digits": ("h q[" + "9" * 1_000_000 + "];", "out of range"),
    "a long name": ("a" * 1_000_000 + " q[0];", "is not defined"),
    "a long file name": (f'include "{"a" * 1_000_000}";', "cannot include"),
    "an include of a device": ('include "/dev/zero";', "no file is ever read"),
    "a comment that never ends": ("/*" + " *" * 500_000, "no end"),
    "nothing but opening braces": ("{" * 1_000_000, "expected a statement"),
    "no statement ever ends": (repeated("h q[0] "), "missing ';'"),
    "recursion": ("gate g a { g a; } g q[0];", "calls itself"),
    "recursion of a standard gate": ("gate x a { x a; } x q[0];", "calls itself"),
    "recursion with a parameter": ("gate rx(t) a { rx(t+1) a; } rx(1) q[0];", "calls itself"),
    "division by zero deep inside": (
        "gate g0(x) a { rx(1/(x-3)) a; } gate g1(x) a { g0(x) a; g0(x+1) a; } g1(2) q[0];",
        "division by zero",
    ),
    "infinity by multiplication inside": (
        "gate g0(x) a { rx(x) a; } "
        + "".join(f"gate g{i + 1}(x) a {{ g{i}(x*1e300) a; }} " for i in range(3))
        + "g3(1) q[0];",
        "too large",
    ),
    "a NUL byte": ("h q[0];\0", "U+0000"),
    "a lone surrogate": ("h q[0]; \udcff", "U+DCFF"),
    "UTF-16 read as Latin-1": ("h\0 \0q\0;\0", "U+0000"),
}

ACCEPTED = {
    "ten thousand nested parentheses": "rx(" + "(" * 10_000 + "1" + ")" * 10_000 + ") q[0];",
    "ten thousand nested functions": "rx(" + "sin(" * 10_000 + "1" + ")" * 10_000 + ") q[0];",
    "ten thousand signs": "rx(" + "-" * 10_000 + "1) q[0];",
    "a sum of a hundred thousand": "rx(" + "1+" * 100_000 + "1) q[0];",
    "a power that groups from the right": "rx(" + "1^" * 100_000 + "1) q[0];",
    "definitions ten thousand deep": "gate g0 a { x a; } "
    + "".join(f"gate g{i + 1} a {{ g{i} a; }} " for i in range(10_000))
    + "g10000 q[0];",
    "definitions ten thousand deep with angles": "gate g0(t) a { rx(t) a; } "
    + "".join(f"gate g{i + 1}(t) a {{ g{i}(t/2+1) a; }} " for i in range(10_000))
    + "g10000(1) q[0];",
    "doubling that is never called": DOUBLING,
    "a value of a million digits": "if(c==" + "9" * 1_000_000 + ") x q[0]; measure q -> c;",
    "a value as wide as its register": "creg d[90000]; if(d==" + "9" * 27_000 + ") x q[0];",
    "leading zeros": "x q[" + "0" * 1_000_000 + "1];",
    "a fraction of a million digits": "rx(0." + "3" * 1_000_000 + ") q[0];",
    "a megabyte of line ends": "\n" * 1_000_000,
    "a megabyte of semicolons": ";" * 1_000_000,
    "a megabyte of comments": repeated("/**/") + repeated("//\n"),
    "barriers only": repeated("barrier q;"),
    "conditions only": repeated("if(c==1) x q[0];"),
    "the widest circuit": "qreg r[9997]; creg d[99997]; h r; barrier r; if(d==1) x r[0];",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_source_is_refused(name: str):
    statements, part = REFUSED[name]
    with pytest.raises(CircuitError) as caught:
        parse(HEADER + statements)
    assert part in caught.value.message
    assert len(caught.value.message) < 400
    caught.value.message.encode()


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_extreme_source_is_parsed_analysed_and_expanded(name: str):
    circuit = parse(HEADER + ACCEPTED[name])
    analysis = analyse(circuit)
    measured = with_measurements(circuit)
    operations = expanded(measured).operations
    assert analysis.operation_count == sum(operation.name != "barrier" for operation in operations)


def test_the_error_points_at_the_statement_that_exceeds_the_limit():
    calls = MAX_OPERATIONS // 2**20
    with pytest.raises(CircuitError) as caught:
        parse(HEADER + DOUBLING + "\n" + "g20 q[0];\n" * (calls + 1))
    # A call counts more than the gates that it expands to.
    assert 2 <= caught.value.line <= calls + 2


def test_the_counts_of_a_definition_stop_above_the_limit():
    definition = parse(HEADER + DOUBLING).definitions["g40"]
    assert definition.weight == definition.operation_count == MAX_OPERATIONS + 1


def test_eight_megabytes_of_gates_are_analysed():
    source = HEADER + repeated("h q[0];", MEGABYTES_8)
    analysis = examine(source)
    assert analysis.gate_counts["h"] == MEGABYTES_8 // len("h q[0];")
    assert analysis.circuit_depth == analysis.gate_counts["h"] + 1
    assert analysis.is_clifford


def test_no_file_is_opened(monkeypatch: pytest.MonkeyPatch):
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError(f"opened {args} {kwargs}")

    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr("os.open", refuse)
    monkeypatch.setattr("io.open", refuse)
    for name in ("qelib1.inc", "stdgates.inc", "/etc/passwd", "file:///etc/passwd", "qelib1.inc\\"):
        for header in ("", "OPENQASM 2.0;", "OPENQASM 3.0;"):
            try:
                parse(f'{header} include "{name}"; qreg q[1]; h q;')
            except CircuitError as error:
                assert "no file is ever read" in error.message


@pytest.mark.parametrize(
    "source",
    [
        *(HEADER + statements for statements in ACCEPTED.values()),
        "qreg q[500]; h q; h q;",
        "qreg a[90];" + "".join(f"qreg r{index}[90];" for index in range(20)) + "barrier;" * 20,
        "OPENQASM 3.0; qubit[0x400] q; h q;",
        "OPENQASM 3.0; h $20; cx $0,$3;",
        DOUBLING_ANGLES + "qreg q[1]; g10(1) q[0];",
    ],
)
def test_work_bound_is_an_upper_bound(source: str):
    circuit = parse(source)
    work = sum(
        len(operation.qubits) if operation.name == "barrier" else 1
        for operation in circuit.operations
    )
    assert max(work, analyse(circuit).operation_count - circuit.num_qubits) <= work_bound(source)


def test_work_bound_tells_small_from_large():
    assert work_bound("qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q -> c;") < 100
    assert work_bound("qreg q[2]; rx(0.1234567890123) q[0]; ry(-1e-07) q; rz(3.14159265) q;") < 50
    assert work_bound("qreg q[10000];" + "h q;" * 100) >= 1_000_000
    assert work_bound("qreg q[" + "9" * 10_000 + "];") == UNBOUNDED
    assert work_bound(DOUBLING_ANGLES + "qreg q[1]; g10(1) q[0];") == UNBOUNDED


def test_the_analysis_does_not_expand_empty_definitions(monkeypatch):
    monkeypatch.setattr("quantcloud.circuits.analysis.figures.expanded", None)
    analysis = examine(f"{HEADER}{DOUBLING_NOTHING} h q[0]; g17 q[0];")
    assert (analysis.operation_count, analysis.algorithm) == (4, None)


def test_a_long_block_under_a_condition_takes_linear_time():
    """Each statement checks only the operations since the last, not the whole block."""
    head = "OPENQASM 3; qubit[2] q; bit[2] c; if (c[0]) {"
    circuit = parse(f"{head}{'x q[0];' * 30_000}}} else {{{'h q[1];' * 30_000}}}")
    assert len(circuit.operations) == 60_000
