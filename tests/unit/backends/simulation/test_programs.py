"""The division of a circuit does not change its distribution."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantcloud.backends.simulation.noise import narrowed
from quantcloud.backends.simulation.programs import program
from quantcloud.circuits.classical import holds
from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.circuits.ir import Circuit, Condition, Operation, Register
from quantcloud.domain.execution import Noise
from unit.backends.exact import distribution, read

WIDTH = 3
QUBITS = st.integers(0, WIDTH - 1)
CLBITS = st.integers(0, 2)
GATES = ("ry", "ry", "x", "cx", "cx", "ccx", "swap", "cswap", "cry", "rzz", "ecr", "rccx", "dcx")


@st.composite
def conditions(draw):
    offset = draw(CLBITS)
    size = draw(st.integers(1, 3 - offset))
    return Condition(offset, size, draw(st.integers(0, 2**size)))


@st.composite
def operations(draw):
    kind = draw(st.sampled_from([*GATES, "measure", "measure", "reset", "reset", "barrier"]))
    condition = draw(st.one_of(st.none(), st.none(), conditions()))
    if kind in GATES:
        gate = STANDARD_GATES[kind]
        angles = st.sampled_from([0.7, 2.5, math.pi])
        qubits = tuple(draw(st.permutations(range(WIDTH)))[: gate.num_qubits])
        params = tuple(draw(angles) for _ in range(gate.num_params))
        return Operation(kind, qubits, params, (), condition)
    if kind == "measure":
        return Operation("measure", (draw(QUBITS),), (), (draw(CLBITS),), condition)
    if kind == "reset":
        return Operation("reset", (draw(QUBITS),), (), (), condition)
    return Operation("barrier", tuple(range(WIDTH)))


def circuit(sequence):
    return Circuit((Register("q", 0, WIDTH),), (Register("c", 0, 3),), tuple(sequence))


@settings(max_examples=300)
@given(st.lists(operations(), max_size=14))
def test_the_divided_circuit_has_the_same_distribution(sequence):
    divided = program(circuit(sequence))
    final = [Operation("measure", (qubit,), (), (bit,)) for bit, qubit in divided.final.items()]
    before = distribution(circuit(sequence))
    after: dict[str, float] = {}
    for key, likely in distribution(circuit([*divided.body, *final])).items():
        read_as = format(divided.at_end(int(key, 2)), "03b")
        after[read_as] = after.get(read_as, 0) + likely
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
def test_measurements_that_can_move_to_the_end_do_not_branch(source):
    assert not program(read(source)).branches


@settings(max_examples=60)
@given(st.lists(operations(), max_size=10))
def test_with_noise_the_divided_circuit_has_the_same_distribution(sequence):
    noise = Noise(depolarizing_1q=0.1, depolarizing_2q=0.2)
    narrow = narrowed(circuit(sequence))
    divided = program(narrow, noisy=True)
    assert not divided.fixed
    final = [Operation("measure", (qubit,), (), (bit,)) for bit, qubit in divided.final.items()]
    before = distribution(narrow, noise)
    after = distribution(circuit([*divided.body, *final]), noise)
    for key in before.keys() | after.keys():
        assert np.isclose(after.get(key, 0), before.get(key, 0))


def test_a_condition_reads_its_own_bits():
    assert holds(Condition(2, 2, 3), 0b01100)
    assert holds(Condition(2, 2, 1), 0b10111)
    assert not holds(Condition(2, 2, 3), 0b11011)
