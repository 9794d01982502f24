"""Properties of all sources, tested on random ones."""

import math
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantcloud.circuits import analyse, expanded
from quantcloud.circuits.binding import bound
from quantcloud.circuits.expressions import ExpressionError
from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.circuits.ir import CONTROL, Circuit, Condition, Operation
from quantcloud.domain.errors import CircuitError
from quantcloud.openqasm import parse
from quantcloud.openqasm.lowering import lowered
from quantcloud.openqasm.parser import Parser
from quantcloud.openqasm.version3.parser import Parser3

pytestmark = pytest.mark.slow

VALID_2 = """OPENQASM 2.0;
include "qelib1.inc";
// comment
qreg q[3];
qreg r[2];
creg c[3];
gate g(x,y) a,b { rz(x*sin(y)) a; barrier a,b; cx a,b; }
opaque o(x) a;
h q;
g(pi/2,-0.25e-3) q[0],r[1]; if(c==3) u3(1,2,(3+4)^2) q[2];
barrier q,r[0];
reset r;
rx(1.5) q[0];rx(1.5) q[0];measure q[0] -> c[1];
measure q -> c;
"""
VALID_3 = """OPENQASM 3.0;
include "stdgates.inc";
bit[2] c;
qubit[2] q;
gate g(a) p, r {
  gphase(a/2);
  cx p, r;
  U(a, -pi, tau/4) r;
}
h q[0];
g(0.5) q[0], q[1];
if (c[0]) {
  x q[0];
  c[1] = measure q[1];
} else { y q[0]; }
ctrl @ x q[0], q[1];
if (c == 2) { inv @ s q[0]; }
barrier q[0], q[1];
c = measure q;
"""
VALID_CONTROL = """OPENQASM 3.1;
include "stdgates.inc";
const int[32] n = 2;
qubit[n + 1] q;
bit[3] c;
uint[4] k = 0;
gate g(\u03b8) a, b { for int i in [1:2] { rz(\u03b8 * i / 3) a; } ctrl @ gphase(\u03b8) b; }
def flip(qubit a, int[8] times) -> bit { for int i in [1:times] x a; return measure a; }
let pair = q[0:1];
for uint i in {0, 2} { h q[i]; negctrl(2) @ pow(1/2) @ inv @ x q[0], q[1], q[2]; }
g(1/5) pair[0], pair[1];
while (k < 3) { c[0] = measure q[0]; if (c[0] && !(c == "101")) { k += 2; continue; } k = k + 1; }
switch (k) { case 3, 4 { x q[1]; } default { reset q[1]; } }
c[1] = flip(q[2], n);
if (k % 3 == 1 || c[1]) { delay[1.5us] q[1]; } else if (c[2] != 0) { y q[0]; }
"""
VALID_INPUTS = """OPENQASM 3.0;
include "stdgates.inc";
input float[64] theta;
input angle phi; input array[float[64], 3] w;
qubit[2] q;
gate h2(a) p, r { rz(a * a / 2) p; ctrl @ rx(a) p, r; }
def turn(qubit a, float[64] x) { rx(x + 1) a; inv @ p(2 * x) a; }
float both = 2 * theta + sin(phi);
rz(both - 0.5) q[0];
for int i in [0:2] { rx(w[i] * pi) q[1]; }
h2(theta ** 2) q[0], q[1];
turn(q[0], w[-1]);
pow(2) @ ry(-phi) q[1];
"""
VALID = [VALID_2, VALID_3, VALID_CONTROL, VALID_INPUTS]
WORDS = """
OPENQASM 2.0 3.0 ; include "qelib1.inc" "stdgates.inc" qreg creg qubit bit q r c [ ] 0 1 2
( ) , -> == = ! h cx rx u3 U CX measure reset barrier if else gate opaque g { } pi sin ln
+ - * / ^ ** 1.5 1e9 0x1F $0 @ ctrl inv gphase // /* */ " ' # &
const int uint[4] bool float angle let for in while break continue switch case default def return
negctrl pow(2) delay[9ns] input array[float,2] theta w[0] : ++ && || << % ~ += "01" 1_0 k n
"""
TOKENS = [*WORDS.split(), "\n", "\u03c0", "\u0661", "\0", "\ud800"]

sources = st.one_of(
    st.text(max_size=60),
    st.text(alphabet=string.printable, max_size=60),
    st.lists(st.sampled_from(TOKENS), max_size=60).map(" ".join),
    st.lists(st.sampled_from(TOKENS), max_size=30).map(lambda soup: VALID_2 + " ".join(soup)),
    st.lists(st.sampled_from(TOKENS), max_size=30).map(lambda soup: VALID_3 + " ".join(soup)),
    st.lists(st.sampled_from(TOKENS), max_size=30).map(lambda soup: VALID_CONTROL + " ".join(soup)),
    st.lists(st.sampled_from(TOKENS), max_size=30).map(lambda soup: VALID_INPUTS + " ".join(soup)),
)


@st.composite
def mutations(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(VALID))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 8)))
        insert = draw(
            st.one_of(st.just(""), st.sampled_from(TOKENS), st.text(max_size=3), st.just(text))
        )
        text = text[:start] + insert + text[end:]
    return text


def outcome(parser: type[Parser], source: str, *, shortcuts: bool = True) -> Circuit | CircuitError:
    try:
        return parser(source, shortcuts=shortcuts).parse()
    except CircuitError as error:
        return error


def settled(circuit: Circuit) -> Circuit | str:
    """Return a circuit whose inputs have some values, or why its angles have none."""
    number = sum(each.size for each in circuit.inputs)
    try:
        return bound(circuit, [0.25 + place / 7 for place in range(number)])
    except ExpressionError as error:
        return str(error)


def assert_points_into(error: CircuitError, source: str) -> None:
    lines = source.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert 1 <= error.line <= len(lines)
    assert 1 <= error.column <= len(lines[error.line - 1]) + 2
    assert error.message.isascii()


@given(sources | mutations())
@settings(max_examples=1200, deadline=None)
def test_any_text_gives_a_circuit_or_a_circuit_error(source: str):
    try:
        circuit = parse(source)
    except CircuitError as error:
        assert_points_into(error, source)
        return
    analysis = analyse(circuit)
    assert analysis.num_qubits == circuit.num_qubits > 0
    plain = settled(lowered(circuit, {"u", "cx"}))
    if isinstance(plain, str):
        assert circuit.inputs
        return
    for operation in plain.operations:
        assert operation.name in {"u", "cx", "measure", "reset", "barrier", "delay"} | CONTROL
        assert all(0 <= qubit < circuit.num_qubits for qubit in operation.qubits)
        assert all(0 <= bit < circuit.num_clbits + circuit.scratch_bits for bit in operation.clbits)
        assert all(math.isfinite(angle) for angle in operation.params)


@given(sources | mutations(), st.sampled_from([Parser, Parser3]))
@settings(max_examples=800, deadline=None)
def test_shortcuts_and_tokens_agree(source: str, parser: type[Parser]):
    quick = outcome(parser, source)
    slow = outcome(parser, source, shortcuts=False)
    if isinstance(quick, CircuitError):
        assert isinstance(slow, CircuitError)
        assert (quick.message, quick.line, quick.column) == (slow.message, slow.line, slow.column)
    else:
        assert isinstance(slow, Circuit)
        assert settled(quick) == settled(slow)


# Simple statements in any order; most are valid.

_names = st.sampled_from(["q", "q", "q", "c", "c", "h", "x", "if", "measure", "sin", "nop", "q_1"])
_sizes = st.sampled_from(["2", "2", "2", "1", "0", "002", "10001", "100001", "1234567", ""])
_bits = st.builds(
    lambda name, index: name + index,
    _names,
    st.sampled_from(["", "", "[0]", "[1]", "[01]", "[2]", "[ 0 ]", " [0]", "[9999999]"]),
)
_plain = st.one_of(
    st.sampled_from(
        ['include "qelib1.inc"', "include'stdgates.inc'", 'include "x"', "OPENQASM 2.0"]
    ),
    st.builds("{} {}[{}]".format, st.sampled_from(["qreg", "creg"]), _names, _sizes),
    st.builds("{}[{}] {}".format, st.sampled_from(["qubit", "bit"]), _sizes, _names),
    st.builds("measure {}->{}".format, _bits, _bits),
    st.builds("measure\n{} -> {}".format, _bits, _bits),
    st.builds("{}{} = measure {}".format, _names, st.sampled_from(["", "[0]"]), _bits),
    st.builds("{} {}".format, st.sampled_from(["h", "x", "sin", "phase", "measure"]), _bits),
    st.builds("cx {},{}".format, _bits, _bits),
    st.builds("gate {} a {{h a; x a;}} {} {}".format, _names, _names, _bits),
    st.builds("rx({}) {}".format, st.sampled_from(["1.5", "pi/2", "i", ""]), _bits),
    st.builds("if({}==1) {} {}".format, _bits, st.sampled_from(["x", "h", "measure"]), _bits),
)
_ends = st.sampled_from([";"] * 8 + [";\n", " ;\r\n ", ";;", "", "; // ;\n", ";/* x */", "; /* "])
_heads = st.sampled_from(
    [
        'OPENQASM 2.0;\ninclude "qelib1.inc";\n',
        'OPENQASM 3;include\n"stdgates.inc" ;',
        " \f\nOPENQASM\v2.0\n;",
        "OPENQASM 2.0 include",
        "OPENQASM2.0;",
        "// OPENQASM 3.0;\n",
        "",
    ]
)
_valid = "qreg q[2];creg c[2];h q[0];"


@given(
    _heads,
    st.sampled_from([_valid, _valid, ""]),
    st.lists(st.builds("".join, st.tuples(_plain, _ends)), max_size=8),
    st.sampled_from([Parser, Parser3]),
)
@settings(max_examples=1500, deadline=None)
def test_shortcuts_and_tokens_agree_on_simple_statements(
    head: str, first: str, rest: list[str], parser: type[Parser]
):
    source = head + first + "".join(rest * 2)
    quick = outcome(parser, source)
    slow = outcome(parser, source, shortcuts=False)
    if isinstance(quick, CircuitError):
        assert isinstance(slow, CircuitError), quick.message
        assert (quick.message, quick.line, quick.column) == (slow.message, slow.line, slow.column)
    else:
        assert isinstance(slow, Circuit)
        assert settled(quick) == settled(slow)


def test_a_register_that_takes_the_name_of_a_gate_hides_it():
    begin = "qreg q[2]; creg c[1]; h q[0]; if(c==1) h q[0]; "
    for declared in ("qreg h[1];", "creg  h [1];", "creg h[1] ; reset q;"):
        for call in ("h q[0];", "h q[1];", "if(c==1) h q[0];", "h q;"):
            for shortcuts in (True, False):
                error = outcome(Parser, begin + declared + call, shortcuts=shortcuts)
                assert isinstance(error, CircuitError)
                assert "'h' is a register" in error.message


# Valid programs with their expected operations.

SIZES = {"a": 2, "b": 1, "c": 4}
OFFSETS = {"a": 0, "b": 2, "c": 3}
QUBITS = [(name, index) for name, size in SIZES.items() for index in range(size)]
CLBITS = [("m", index) for index in range(3)] + [("n", index) for index in range(2)]
CLBIT_OFFSETS = {"m": 0, "n": 3}

angles = st.floats(-1e3, 1e3, allow_nan=False, allow_infinity=False)
spaces = st.sampled_from(["", "", " ", "\n", "\t ", "/* ; */", "// x q[0];\n"])


@st.composite
def angle_texts(draw: st.DrawFn) -> tuple[str, float]:
    """An angle as a user may write it, and its value."""
    value = draw(angles)
    form = draw(st.integers(0, 4))
    if form == 0:
        return repr(value), value
    if form == 1:
        return f"({value!r})", value
    if form == 2:
        return f"pi * {value!r}", math.pi * value
    if form == 3:
        return f"-{abs(value)!r} / 4", -abs(value) / 4
    return f"cos({value!r}) + 1", math.cos(value) + 1


@st.composite
def statements(draw: st.DrawFn) -> tuple[str, list[Operation]]:
    """A statement, and its operations."""
    space = draw(spaces)
    kind = draw(st.sampled_from(["gate", "gate", "gate", "measure", "reset", "barrier", "whole"]))
    condition = None
    prefix = ""
    if kind != "barrier" and draw(st.integers(0, 5)) == 0:
        value = draw(st.integers(0, 3))
        condition = Condition(3, 2, value)
        prefix = f"if({space}n=={space}{value})"
    chosen = draw(st.permutations(QUBITS))
    texts = [f"{name}{space}[{index}]" for name, index in chosen]
    bits = [OFFSETS[name] + index for name, index in chosen]
    if kind == "whole":
        text = f"{prefix}h{space} c;"
        return text, [Operation("h", (3 + i,), (), (), condition) for i in range(4)]
    if kind == "measure":
        name, index = draw(st.sampled_from(CLBITS))
        text = f"{prefix}measure {texts[0]}{space}->{space}{name}[{index}];"
        clbit = CLBIT_OFFSETS[name] + index
        return text, [Operation("measure", (bits[0],), (), (clbit,), condition)]
    if kind == "reset":
        return f"{prefix}reset {texts[0]};", [Operation("reset", (bits[0],), (), (), condition)]
    if kind == "barrier":
        width = draw(st.integers(1, len(bits)))
        return f"barrier {','.join(texts[:width])};", [Operation("barrier", tuple(bits[:width]))]
    name = draw(st.sampled_from(sorted(STANDARD_GATES)))
    gate = STANDARD_GATES[name]
    params = [draw(angle_texts()) for _ in range(gate.num_params)]
    written = f"({f'{space},'.join(text for text, _ in params)})" if params else ""
    separator = f",{space}"
    text = f"{prefix}{name}{written} {separator.join(texts[: gate.num_qubits])}{space};"
    values = tuple(value for _, value in params)
    return text, [Operation(name, tuple(bits[: gate.num_qubits]), values, (), condition)]


@given(st.lists(st.tuples(statements(), spaces), max_size=12), st.integers(1, 3))
@settings(max_examples=250, deadline=None)
def test_generated_programs_are_read_as_generated(
    program: list[tuple[tuple[str, list[Operation]], str]], times: int
):
    program = program * times
    source = "qreg a[2]; qreg b[1]; qreg c[4]; creg m[3]; creg n[2];" + "".join(
        text + space for (text, _), space in program
    )
    expected = [operation for (_, operations), _ in program for operation in operations]
    circuit = parse(source)
    assert list(circuit.operations) == expected
    assert circuit == Parser(source, shortcuts=False).parse()


@pytest.mark.parametrize(
    ("parser", "source"),
    [
        (Parser, "qreg a[1]; h a; barrier; qreg b[1]; barrier; h b;"),
        (Parser3, "qubit[1] a; bit[1] c; if (c == 1) x a[0]; if (c == 1) x a[0]; else z a[0];"),
    ],
    ids=["barrier of all", "if with an else"],
)
def test_statements_whose_meaning_changes_are_not_remembered(parser: type[Parser], source: str):
    source = f'include "qelib1.inc"; {source}'
    assert parser(source).parse() == parser(source, shortcuts=False).parse()


@given(st.lists(statements(), min_size=1, max_size=8))
@settings(max_examples=150, deadline=None)
def test_a_defined_gate_expands_to_its_body(program: list[tuple[str, list[Operation]]]):
    names = ["a0", "a1", "b0", "c0", "c1", "c2", "c3"]
    gates = [
        operation
        for _, operations in program
        for operation in operations
        if operation.name in STANDARD_GATES
    ]
    body = "".join(
        f"{name}{'(' + ','.join(map(repr, params)) + ')' if params else ''} "
        f"{','.join(names[qubit] for qubit in qubits)};"
        for name, qubits, params, _, _ in gates
    )
    reversed_arguments = ",".join(f"q[{index}]" for index in range(6, -1, -1))
    circuit = parse(
        f"gate inner {','.join(names)} {{ {body} }} "
        f"gate outer {','.join(names)} {{ inner {','.join(reversed(names))}; }} "
        f"qreg q[7]; outer {reversed_arguments};"
    )
    renamed = {"U": "u", "CX": "cx"}
    assert expanded(circuit).operations == tuple(
        Operation(renamed.get(name, name), qubits, params) for name, qubits, params, _, _ in gates
    )
    assert analyse(circuit).operation_count == len(gates) + 7
