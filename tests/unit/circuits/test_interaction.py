from collections import Counter
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantcloud.circuits.analysis.interaction import interaction, link_bits
from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.circuits.ir import Operation
from unit.backends.exact import embedded, gate_matrix

WIDTH = 5
TWO_QUBIT = sorted(name for name, gate in STANDARD_GATES.items() if gate.num_qubits == 2)


@st.composite
def gates(draw):
    name = draw(st.sampled_from([*TWO_QUBIT, "cx", "u3"]))
    gate = STANDARD_GATES[name]
    qubits = draw(st.permutations(range(WIDTH)))[: gate.num_qubits]
    params = tuple(draw(st.floats(0.5, 2.5)) for _ in range(gate.num_params))
    return Operation(name, tuple(qubits), params)


def entanglement_bits(operations: Iterable[Operation], width: int = WIDTH) -> int:
    links: Counter[tuple[int, ...]] = Counter()
    for operation in operations:
        if len(operation.qubits) > 1:
            links[operation.qubits] += link_bits(operation.name)
    return interaction(width, links).entanglement_bits


@settings(max_examples=150)
@given(st.lists(gates(), max_size=5))
def test_no_cut_exceeds_the_bound(circuit):
    rng = np.random.default_rng(0)
    state = np.ones(1)
    for _ in range(WIDTH):
        state = np.kron(state, rng.normal(size=2) + 1j * rng.normal(size=2))
    for name, qubits, params, _, _ in circuit:
        state = embedded(gate_matrix(name, params), qubits, WIDTH) @ state
    ranks = [
        np.linalg.matrix_rank(state.reshape(-1, 1 << cut), tol=1e-9 * np.linalg.norm(state))
        for cut in range(1, WIDTH)
    ]
    assert max(ranks) <= 2 ** entanglement_bits(circuit)


@pytest.mark.parametrize(
    ("pairs", "bits"),
    [
        ([], 0),
        ([(i, i + 1) for i in range(99)], 1),
        ([(i, i + 1) for i in range(99)] * 5, 5),
        ([(i, 99 - i) for i in range(50)], 50),
        ([(0, 1)] * 9, 1),
    ],
)
def test_the_bound_is_small_for_chains_and_large_for_distant_gates(pairs, bits):
    assert entanglement_bits([Operation("cx", pair) for pair in pairs], 100) == bits


def test_one_qubit_has_no_cut():
    assert entanglement_bits([Operation("x", (0,))], 1) == 0
