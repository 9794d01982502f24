"""Random valid programs have the operations that they were generated from."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantcloud.circuits import analyse, expanded
from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.circuits.ir import Condition, Operation
from quantcloud.openqasm import parse
from quantcloud.openqasm.parser import Parser

pytestmark = pytest.mark.slow

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
@settings(max_examples=250)
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


@given(st.lists(statements(), min_size=1, max_size=8))
@settings(max_examples=150)
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
