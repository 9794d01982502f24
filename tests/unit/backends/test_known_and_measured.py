"""What is computed while a program is read equals what is computed during a run.

The same random statements run twice: on variables whose values are known, and on variables that
get the same values from measurements of prepared qubits.
"""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantcloud.backends.aer.backend import CPU
from quantcloud.backends.base import Backend, Executor
from quantcloud.backends.local.backend import BACKEND as LOCAL
from quantcloud.circuits import expanded
from quantcloud.domain.execution import Execution
from quantcloud.openqasm import parse

pytestmark = pytest.mark.slow

NAMES = ("a", "b", "d", "e", "f")
TYPES = {"a": "int[5]", "b": "uint[4]", "d": "bit[3]", "e": "uint", "f": "int"}
# The bits that a variable has at the beginning.
SIZES = {"a": 5, "b": 4, "d": 3, "e": 3, "f": 2}
OPERATORS = ("+", "-", "*", "&", "|", "^", "==", "!=", "<", "<=", ">", ">=", "&&", "||")
names = st.sampled_from(NAMES)
numbers = (st.integers(0, 6) | st.sampled_from([70_000, (1 << 31) - 1])).map(str)
indices = st.integers(0, 2).map(str)


def binary(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = st.sampled_from(OPERATORS)
    return st.tuples(inner, operators, inner).map(lambda parts: f"({' '.join(parts)})")


# Without divisions, and shifts by variables, some of which are errors if they are known.
def expressions() -> st.SearchStrategy[str]:
    # A negative index counts from the end.
    places = indices | st.sampled_from(["e & 1", "f[0] - 1"])
    leaves = names | numbers | st.tuples(names, places).map(lambda part: f"{part[0]}[{part[1]}]")
    return st.recursive(
        leaves,
        lambda inner: (
            binary(inner)
            | inner.map(lambda text: f"!{text}")
            | inner.map(lambda text: f"~{text}")
            | inner.map(lambda text: f"({text} << 31)")
            | inner.map(lambda text: f"-({text} + 0)")
            | inner.map(lambda text: f"int[6]({text})")
        ),
        max_leaves=4,
    )


# Statements with a value, without others in them.
SIMPLE = {
    # Bits of another number cannot be converted to bits.
    "assign": lambda name, value: f"{name} = {TYPES[name]}(int[6]({value}));",
    "update": lambda name, value: f"a {'+-*&|^'[len(value) % 6]}= {name}; b += {value};",
    "bit": lambda name, value: f"{name}[{len(value) % 3}] = bool({value});",
}
JUMPS = ("break", "continue")
NESTED = ("if", "for", "while", "switch")


@st.composite
def statements(draw: st.DrawFn, depth: int = 2, *, loop: bool = False) -> str:
    kind = draw(st.sampled_from([*SIMPLE, *NESTED * (depth > 0), *JUMPS * loop]))
    value = draw(expressions())
    if kind in SIMPLE:
        return SIMPLE[kind](draw(names), value)
    if kind in JUMPS:
        return f"if ({value}) {{ {kind}; }}"

    def body(*, loop: bool = loop) -> str:
        inner = statements(depth=depth - 1, loop=loop)
        return " ".join(draw(st.lists(inner, min_size=1, max_size=3)))

    if kind == "if":
        return f"if ({value}) {{ {body()} }} else {{ {body()} }}"
    if kind == "for":
        over = draw(st.sampled_from(["int i in [0:0]", "int i in [0:2]", "bit i in d"]))
        return f"for {over} {{ {body(loop=True)} }}"
    if kind == "while":
        # A counter of its own bounds the loop.
        test = f"k{depth} < 3 && {value}"
        return f"k{depth} = 0; while ({test}) {{ k{depth} += 1; {body(loop=True)} }}"
    cases = f"case 0, 3 {{ {body()} }} case 5 {{ {body()} }}"
    return f"switch (b) {{ {cases} default {{ {body()} }} }}"


@cache
def executor(backend: Backend) -> Executor:
    return backend.executor()


def result(backend: Backend, source: str) -> str:
    execution = Execution(
        job_id="job", backend=backend.info.name, method="statevector", qasm=source, shots=1, seed=1
    )
    counts = executor(backend).run(expanded(parse(source)), execution).counts
    (key,) = counts
    return key[-18:]


def assert_equal(backend: Backend, program: list[str], values: dict[str, int]) -> None:
    known, measured, prepared = "", "", ""
    for name in NAMES:
        known += f"{TYPES[name]} {name} = {TYPES[name]}({values[name]}); "
        bits = range(SIZES[name])
        ones = [f"x q[{bit}];" for bit in bits if values[name] >> bit & 1]
        prepared += f"reset q; {' '.join(ones)}"
        prepared += f" bit[{SIZES[name]}] m_{name}; m_{name} = measure q[0:{SIZES[name] - 1}]; "
        measured += f"{TYPES[name]} {name} = m_{name}; "
    body = " ".join(program)
    end = " c[0:4] = a; c[5:8] = b; c[9:11] = d; "
    end += "c[12:14] = e; c[15] = e > 5; c[16] = f; c[17] = f < 0;"
    head = "OPENQASM 3.0; bit[18] c; qubit[5] q; int[4] k1 = 0; int[4] k2 = 0; "
    first = result(LOCAL, f"{head}{prepared}{known}{body}{end}")
    second = result(backend, f"{head}{prepared}{measured}{body}{end}")
    assert first == second, body


values = st.fixed_dictionaries({name: st.integers(0, (1 << SIZES[name]) - 1) for name in NAMES})


@given(st.lists(statements(), min_size=1, max_size=5), values)
@settings(max_examples=40)
def test_local_simulator_computes_as_the_parser(program: list[str], values: dict[str, int]):
    assert_equal(LOCAL, program, values)


@given(st.lists(statements(), min_size=1, max_size=4), values)
@settings(max_examples=8)
def test_aer_computes_as_the_parser(program: list[str], values: dict[str, int]):
    assert_equal(CPU, program, values)
