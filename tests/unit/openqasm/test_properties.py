"""Any text is a circuit or an error, with and without the parser's shortcuts."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantcloud.circuits import analyse
from quantcloud.circuits.binding import bound
from quantcloud.circuits.expressions import ExpressionError
from quantcloud.circuits.ir import CONTROL, Circuit
from quantcloud.domain.errors import CircuitError
from quantcloud.openqasm import parse
from quantcloud.openqasm.lowering import lowered
from quantcloud.openqasm.parser import Parser
from quantcloud.openqasm.version3.parser import Parser3
from unit.openqasm.sources import mutations, sources

pytestmark = pytest.mark.slow


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
@settings(max_examples=1200)
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
@settings(max_examples=800)
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
@settings(max_examples=1500)
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
