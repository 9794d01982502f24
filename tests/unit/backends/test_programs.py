"""Dividing a circuit changes nothing that can be measured."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantcloud.backends.programs import holds, program
from quantcloud.circuits.ir import Circuit, Condition, Operation, Register
from unit.backends.exact import distribution, read

WIDTH = 3
QUBITS = st.integers(0, WIDTH - 1)
CLBITS = st.integers(0, 2)


@st.composite
def conditions(draw):
    offset = draw(CLBITS)
    size = draw(st.integers(1, 3 - offset))
    return Condition(offset, size, draw(st.integers(0, 2**size)))


@st.composite
def operations(draw):
    kind = draw(st.sampled_from(["ry", "cx", "measure", "measure", "reset", "barrier"]))
    condition = draw(st.one_of(st.none(), st.none(), conditions()))
    if kind == "ry":
        angle = draw(st.sampled_from([0.7, 1.9, 2.5]))
        return Operation("ry", (draw(QUBITS),), (angle,), (), condition)
    if kind == "cx":
        control, target = draw(st.permutations(range(WIDTH)))[:2]
        return Operation("cx", (control, target), (), (), condition)
    if kind == "measure":
        return Operation("measure", (draw(QUBITS),), (), (draw(CLBITS),), condition)
    if kind == "reset":
        return Operation("reset", (draw(QUBITS),), (), (), condition)
    return Operation("barrier", tuple(range(WIDTH)))


def circuit(sequence):
    return Circuit((Register("q", 0, WIDTH),), (Register("c", 0, 3),), tuple(sequence))


@settings(max_examples=200, deadline=None)
@given(st.lists(operations(), max_size=14))
def test_the_divided_circuit_has_the_same_distribution(sequence):
    divided = program(circuit(sequence))
    final = [Operation("measure", (qubit,), (), (bit,)) for bit, qubit in divided.final.items()]
    before = distribution(circuit(sequence))
    after = distribution(circuit([*divided.body, *final]))
    assert before.keys() | after.keys() == before.keys()
    assert all(np.isclose(after.get(key, 0), value) for key, value in before.items())


@pytest.mark.parametrize(
    "source",
    [
        "qreg q[2]; creg c[2]; h q[0]; measure q[0] -> c[0]; h q[1]; measure q[1] -> c[1];",
        "qreg q[2]; creg c[2]; reset q; h q[0]; barrier q; measure q -> c; barrier q;",
        "qreg q[2]; creg c[2]; if (c==0) h q[0]; if (c==1) reset q[0]; measure q -> c;",
        "qreg q[2]; creg c[2]; h q[0]; measure q[0] -> c[0]; measure q[0] -> c[1];",
        "qreg q[2]; creg c[2]; measure q[0] -> c[0]; if (c==4) h q[0]; measure q[1] -> c[0];",
    ],
)
def test_what_can_be_sampled_at_the_end_does_not_branch(source):
    assert not program(read(source)).branches


def test_a_condition_reads_its_own_bits():
    assert holds(Condition(2, 2, 3), 0b01100)
    assert holds(Condition(2, 2, 1), 0b10111)
    assert not holds(Condition(2, 2, 3), 0b11011)
