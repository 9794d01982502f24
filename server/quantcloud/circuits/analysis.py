"""What a circuit is like: the figures that users are shown and that the router goes by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from quantcloud.circuits.algorithms import MAX_OPERATIONS, algorithm
from quantcloud.circuits.certain import decided
from quantcloud.circuits.content import TooMuchError, content, counted
from quantcloud.circuits.expand import expanded, standard_calls, with_measurements
from quantcloud.circuits.gates import STANDARD_GATES, is_clifford
from quantcloud.circuits.interaction import interaction
from quantcloud.circuits.ir import Circuit, GateDefinition, Operation
from quantcloud.circuits.kinds import by_kind
from quantcloud.circuits.limits import MAX_REMEMBERED


@dataclass(frozen=True, slots=True)
class Analysis:
    """Figures of one circuit; all follow from its text.

    `circuit_depth` and `gate_count` are Qiskit's `depth()` and `size()` of the circuit as it is
    run: measurements count, barriers do not, a call of a user-defined gate counts as one. A
    circuit that measures nothing is counted with the measurement of every qubit that it gets.
    `operation_count` counts standard operations after user-defined gates are expanded, and
    `two_qubit_gate_count` those gates among them that act on two or more qubits.
    `num_clbits` is the length of the bitstrings of its counts. `gate_counts` has Qiskit's names
    for them, as `count_ops()` has, without barriers; a conditional operation is counted under its
    own name. `is_clifford` says that after expansion every gate is a Clifford gate, whether it
    has a condition or not. `has_mid_circuit` says that the circuit cannot be run as gates followed
    by one measurement: something acts on a qubit or a bit after its measurement, a qubit is reset
    after something acted on it, or there is a condition; and what comes of that is not certain
    before the run (`certain`).

    `branching_count` is how many measurements and resets something after them depends on, whose
    outcomes are not certain. Where there is noise less is: `of_run` has these two figures for it.
    `parameter_count` is how many angles its instructions are given. `gates_by_kind` has the
    standard gates after expansion by their kinds (`kinds`). The interaction graph has the
    qubits as nodes, and an edge between two on which a gate acts after expansion:
    `interaction_pairs` counts the edges, `interaction_degree` is the most that one qubit has,
    `interaction_reach` the greatest distance of two joined qubits along the line of all.
    `entanglement_bits` bounds log2 of the Schmidt rank at every cut of that line, at any time.
    `chain_rank_bits`, `chain_gates` and `chain_cubes` are those of the circuit as gates on
    neighbours of the line alone (`interaction.Chain`).
    Where definitions say so much that it is not looked at, these seven are None and
    `gates_by_kind` is empty. `algorithm` is what
    the circuit plainly is (`algorithms`), if anything.
    """

    num_qubits: int
    num_clbits: int
    circuit_depth: int
    gate_count: int
    operation_count: int
    two_qubit_gate_count: int
    gate_counts: dict[str, int]
    is_clifford: bool
    has_mid_circuit: bool
    measures_all: bool
    branching_count: int = 0
    parameter_count: int = 0
    gates_by_kind: dict[str, int] = field(default_factory=dict[str, int])
    interaction_pairs: int | None = None
    interaction_degree: int | None = None
    interaction_reach: int | None = None
    entanglement_bits: int | None = None
    algorithm: str | None = None
    chain_rank_bits: int | None = None
    chain_gates: int | None = None
    chain_cubes: float | None = None
    noisy_mid_circuit: bool | None = None
    noisy_branching_count: int | None = None

    def of_run(self, *, noisy: bool) -> "Analysis":
        """The figures of the circuit for a run with or without noise."""
        if not noisy or self.noisy_mid_circuit is None or self.noisy_branching_count is None:
            return self
        return replace(
            self,
            has_mid_circuit=self.noisy_mid_circuit,
            branching_count=self.noisy_branching_count,
        )


_NOT_GATES = frozenset({"measure", "reset", "barrier"})

# Qiskit's names for gates that qelib1.inc calls otherwise.
_COUNTED_AS = {
    "U": "u",
    "CX": "cx",
    "c3x": "mcx",
    "c4x": "mcx",
    "c3sqrtx": "c3sx",
    "rc3x": "rcccx",
}


def analyse(circuit: Circuit) -> Analysis:
    """Compute the figures of a circuit, in time linear in its size."""
    counts = counted([operation[0] for operation in circuit.operations])
    measures_all = "measure" not in counts
    if measures_all:
        circuit = with_measurements(circuit)
        counts = counted([operation[0] for operation in circuit.operations])
    barriers = counts.pop("barrier", 0)
    gate_counts: dict[str, int] = {}
    for name, count in counts.items():
        shown = name if name in circuit.definitions else _COUNTED_AS.get(name, name)
        gate_counts[shown] = gate_counts.get(shown, 0) + count
    operation_count, two_qubit_gate_count = _expanded_counts(counts, circuit.definitions)
    has_mid_circuit, branching = _branching(circuit)
    noisy_mid_circuit, noisy_branching = False, 0
    if has_mid_circuit:
        plain = expanded(circuit)
        noisy_mid_circuit, noisy_branching = _branching(_decided(plain, noisy=True))
        has_mid_circuit, branching = _branching(_decided(plain, noisy=False))
    try:
        inside = content(circuit, counts)
    except TooMuchError:
        graph, known, kinds = None, None, dict[str, int]()
    else:
        graph = interaction(circuit.num_qubits, inside.links)
        kinds = by_kind(inside.counts)
        known = None
        if not has_mid_circuit and _steps(counts, circuit.definitions) <= MAX_OPERATIONS:
            known = algorithm(circuit.num_qubits, inside.counts, lambda: _standard(circuit))
    return Analysis(
        num_qubits=circuit.num_qubits,
        num_clbits=circuit.num_clbits,
        circuit_depth=_depth(circuit),
        gate_count=len(circuit.operations) - barriers,
        operation_count=operation_count,
        two_qubit_gate_count=two_qubit_gate_count,
        gate_counts=gate_counts,
        is_clifford=_is_clifford(circuit),
        has_mid_circuit=has_mid_circuit,
        measures_all=measures_all,
        branching_count=branching,
        parameter_count=sum([len(params) for _, _, params, _, _ in circuit.operations]),
        gates_by_kind=kinds,
        interaction_pairs=graph.pairs if graph else None,
        interaction_degree=graph.degree if graph else None,
        interaction_reach=graph.reach if graph else None,
        entanglement_bits=graph.entanglement_bits if graph else None,
        algorithm=known,
        chain_rank_bits=graph.chain.rank_bits if graph else None,
        chain_gates=graph.chain.gates if graph else None,
        chain_cubes=graph.chain.cubes if graph else None,
        noisy_mid_circuit=noisy_mid_circuit,
        noisy_branching_count=noisy_branching,
    )


def _decided(circuit: Circuit, *, noisy: bool) -> Circuit:
    """Return the circuit, which has no definitions, without what is certain."""
    return replace(circuit, operations=tuple(decided(circuit.operations, noisy=noisy).operations))


def _branching(circuit: Circuit) -> tuple[bool, int]:
    """Return `has_mid_circuit` and `branching_count`, whatever is certain."""
    has_mid_circuit = _has_mid_circuit(circuit)
    return has_mid_circuit, _branching_count(circuit) if has_mid_circuit else 0


def _standard(circuit: Circuit) -> Sequence[Operation]:
    """Return the operations without definitions."""
    return expanded(circuit).operations if circuit.definitions else circuit.operations


def _steps(counts: Mapping[str, int], definitions: Mapping[str, GateDefinition]) -> int:
    """Bound the steps that expansion takes; definitions of nothing take some too."""
    return sum(
        [
            count * definitions[name].weight if name in definitions else count
            for name, count in counts.items()
        ]
    )


def _expanded_counts(
    counts: Mapping[str, int], definitions: Mapping[str, GateDefinition]
) -> tuple[int, int]:
    """Return how many operations, and gates on two or more qubits, calls expand to."""
    operations = two_qubit = 0
    for name, count in counts.items():
        definition = definitions.get(name)
        if definition is not None:
            operations += count * definition.operation_count
            two_qubit += count * definition.two_qubit_gate_count
        else:
            operations += count
            gate = STANDARD_GATES.get(name)
            two_qubit += count if gate is not None and gate.num_qubits > 1 else 0
    return operations, two_qubit


def _depth(circuit: Circuit) -> int:
    """Return the length of the longest chain of operations that share a qubit or a bit.

    A barrier has no length of its own, but what comes after it on its qubits comes after all that
    is before it. A condition reads its bits.
    """
    qubits = [0] * circuit.num_qubits
    clbits = [0] * circuit.num_clbits
    for name, operands, _, targets, condition in circuit.operations:
        if condition is None and not targets and name != "barrier":
            if len(operands) == 1:
                qubits[operands[0]] += 1
                continue
            if len(operands) == 2:  # noqa: PLR2004 - the two cases that nearly all gates are
                first, second = operands
                level = max(qubits[first], qubits[second]) + 1
                qubits[first] = qubits[second] = level
                continue
        level = max([qubits[bit] for bit in operands], default=0)
        for bit in targets:
            level = max(level, clbits[bit])
        if condition is not None:
            begin, end = condition.offset, condition.offset + condition.size
            level = max(level, max(clbits[begin:end], default=0)) + 1
            clbits[begin:end] = [level] * condition.size
        elif name != "barrier":
            level += 1
        for bit in operands:
            qubits[bit] = level
        for bit in targets:
            clbits[bit] = level
    return max(max(qubits, default=0), max(clbits, default=0))


def _has_mid_circuit(circuit: Circuit) -> bool:
    """Say whether the circuit is more than gates with measurements after them.

    A reset of a qubit that nothing has acted on does nothing, so it is not counted.
    """
    used = bytearray(circuit.num_qubits)
    measured = bytearray(circuit.num_qubits)
    written = bytearray(circuit.num_clbits)
    for name, qubits, _, clbits, condition in circuit.operations:
        if name == "barrier":
            continue
        if condition is not None or (clbits and written[clbits[0]]):
            return True
        for qubit in qubits:
            if measured[qubit] or (name == "reset" and used[qubit]):
                return True
            used[qubit] = name != "reset"
        if clbits:
            measured[qubits[0]] = written[clbits[0]] = 1
    return False


def _branching_count(circuit: Circuit) -> int:
    """Count the measurements and resets that cannot wait until the end, or be left out."""
    later = bytearray(circuit.num_qubits)
    read = bytearray(circuit.num_clbits)
    events = 0
    for name, qubits, _, clbits, condition in reversed(circuit.operations):
        if name == "barrier":
            continue
        if (name == "reset" and later[qubits[0]]) or (
            name == "measure" and (later[qubits[0]] or read[clbits[0]] or condition is not None)
        ):
            events += 1
        for bit in clbits:
            read[bit] = 1
        for qubit in qubits:
            later[qubit] = 1
        if condition is not None:
            begin, end = condition.offset, condition.offset + condition.size
            read[begin:end] = b"\1" * condition.size
    return events


def _is_clifford(circuit: Circuit) -> bool:
    known: set[tuple[str, tuple[float, ...]]] = set()
    inside: set[tuple[str, tuple[float, ...]]] = set()
    definitions = circuit.definitions
    previous: Operation | None = None
    for operation in circuit.operations:
        if operation is previous:
            continue
        previous = operation
        name, _, params, _, _ = operation
        key = (name, params)
        if key in known or name in _NOT_GATES:
            continue
        if name in definitions:
            calls = standard_calls(definitions, name, params, inside)
            if not all(is_clifford(gate, angles) for gate, angles in calls):
                return False
        elif not is_clifford(name, params):
            return False
        if len(known) < MAX_REMEMBERED:
            known.add(key)
    return True
