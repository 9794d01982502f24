"""The content of definitions equals the content of their expansion."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from quantcloud.circuits import Circuit, expanded
from quantcloud.circuits.analysis.content import content
from quantcloud.circuits.analysis.interaction import interaction, link_bits
from quantcloud.circuits.gates import STANDARD_GATES, definition_calls
from quantcloud.openqasm import examine, parse
from quantcloud.openqasm.lowering import standard_definition

WIDTH = 6
NAMES = ["h", "x", "cx", "cz", "swap", "rzz", "ccx", "cswap", "c3x", "rccx"]


@st.composite
def sources(draw):
    """Circuits that call definitions, whose bodies call earlier definitions."""
    sizes = {name: STANDARD_GATES[name].num_qubits for name in NAMES}

    def call(names: list[str], qubits: list[str]) -> str:
        name = draw(st.sampled_from([name for name in names if sizes[name] <= len(qubits)]))
        angle = "(0.3)" if name == "rzz" else ""
        return f"{name}{angle} {','.join(draw(st.permutations(qubits))[: sizes[name]])};"

    text, known = "", list(NAMES)
    for number in range(draw(st.integers(0, 3))):
        qubits = list("abcd")[: draw(st.integers(1, 4))]
        body = "".join(call(known, qubits) for _ in range(draw(st.integers(0, 4))))
        text += f"gate g{number} {','.join(qubits)} {{ {body} barrier {qubits[0]}; }} "
        sizes[f"g{number}"] = len(qubits)
        known.append(f"g{number}")
    lines = [f"q[{qubit}]" for qubit in range(WIDTH)]
    calls = "".join(call(known, lines) for _ in range(draw(st.integers(0, 6))))
    return f'include "qelib1.inc"; {text} qreg q[{WIDTH}]; {calls}'


def calls(circuit: Circuit) -> Counter[str]:
    return Counter([each.name for each in circuit.operations if each.name != "barrier"])


@given(sources())
def test_the_content_equals_that_of_the_expanded_circuit(source: str):
    circuit = parse(source)
    flat = expanded(circuit)
    found = content(circuit, calls(circuit))
    assert dict(found.counts) == dict(calls(flat))
    assert interaction(WIDTH, found.links) == interaction(WIDTH, content(flat, calls(flat)).links)
    pairs = {
        frozenset((first, second))
        for operation in flat.operations
        if operation.name != "barrier"
        for first in operation.qubits
        for second in operation.qubits
        if first != second
    }
    assert interaction(WIDTH, found.links).interaction_pairs <= len(pairs)
    if all(len(operation.qubits) <= 2 for operation in flat.operations):
        assert interaction(WIDTH, found.links).interaction_pairs == len(pairs)
        links: Counter[tuple[int, ...]] = Counter()
        for each in flat.operations:
            if len(each.qubits) > 1 and each.name != "barrier":
                links[each.qubits] += link_bits(each.name)
        assert interaction(WIDTH, found.links) == interaction(WIDTH, links)


def test_a_definition_with_the_name_of_a_standard_gate_is_counted():
    analysis = examine(
        "gate h a { x a; } gate twice a { h a; h a; } qreg q[1]; twice q[0]; h q[0];"
    )
    assert analysis.gates_by_kind == {"permutation": 3}


def test_the_figures_of_an_interaction_graph_are_right():
    analysis = examine('include "qelib1.inc"; qreg q[5]; cx q[0],q[4]; cz q[4],q[0]; cx q[0],q[1];')
    assert (analysis.interaction_pairs, analysis.interaction_degree) == (2, 2)
    assert (analysis.interaction_reach, analysis.entanglement_bits) == (4, 2)


def test_definitions_that_are_too_large_are_not_analysed():
    """A gate links forty qubits with each other, and another gate calls it 400 times."""
    names = [f"a{place}" for place in range(40)]
    joined = "".join(f"cx {a},{b};" for a in names for b in names if a != b)
    every = ",".join(names)
    calls = f"all {every};" * 400
    source = (
        f'include "qelib1.inc"; gate all {every} {{ {joined} }} gate more {every} {{ {calls} }} '
        f"qreg q[40]; more {','.join(f'q[{place}]' for place in range(40))};"
    )
    analysis = examine(source)
    assert analysis.interaction_pairs is None
    assert analysis.gates_by_kind == {}
    assert analysis.two_qubit_gate_count == 400 * 40 * 39
    assert analysis.algorithm is None


def test_definition_calls_agree_with_the_parser():
    for name in STANDARD_GATES:
        definition = standard_definition(name)
        read = [(call.name, call.qubits) for call in definition.body] if definition else []
        assert list(definition_calls(name)) == read
