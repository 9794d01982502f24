"""The figures of a circuit that users see and that the router uses."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from quantcloud.circuits.analysis.algorithms import MAX_OPERATIONS, algorithm
from quantcloud.circuits.analysis.content import TooMuchError, content, counted
from quantcloud.circuits.analysis.depth import depth
from quantcloud.circuits.analysis.interaction import interaction
from quantcloud.circuits.certain import decided
from quantcloud.circuits.classical import logic_gates
from quantcloud.circuits.expand import expanded, standard_calls, with_measurements
from quantcloud.circuits.gates import STANDARD_GATES, is_clifford
from quantcloud.circuits.ir import (
    CONTROL,
    Circuit,
    GateDefinition,
)
from quantcloud.circuits.kinds import by_kind
from quantcloud.circuits.limits import MAX_REMEMBERED
from quantcloud.domain.sweep import Input


@dataclass(frozen=True, slots=True)
class Analysis:
    """The figures of one circuit, all derived from its text.

    `circuit_depth` and `gate_count` are Qiskit's `depth()` and `size()` of the circuit as it runs:
    measurements count, barriers do not, and a call of a user-defined gate counts as one. If a
    circuit measures nothing, the added measurements of all qubits count. `operation_count` counts
    standard operations after expansion of user-defined gates, and `two_qubit_gate_count` those
    gates among them that act on two or more qubits. `num_clbits` is the length of the bitstrings
    of the counts. `gate_counts` is Qiskit's `count_ops()` without barriers, but a conditional
    operation counts under its own name. `is_clifford` says that each gate after expansion is a
    Clifford gate, with or without a condition. `has_mid_circuit` says that the circuit cannot run
    as gates followed by one measurement: an operation acts on a qubit or a bit after its
    measurement, a qubit is reset after an operation acted on it, or there is a condition; and the
    outcome is not certain before the run (`certain`). `has_control` says that the circuit has
    variables or loops during a run; its figures then count each loop once, and `logic_gates` is
    about how many operations on single bits its assignments and the ends of its loops take.

    `branching_count` is the number of measurements and resets that later operations depend on and
    whose outcomes are not certain. Noise makes more outcomes uncertain: `of_run` returns these two
    figures for a noisy run. `has_conditions` says that an operation has a condition, and
    `collapses_conditionally` that a measurement or a reset has one. `parameter_count` is the number
    of angles of all instructions. `gates_by_kind` counts the standard gates after expansion by
    their kinds (`kinds`).

    From `interaction_pairs` to `chain_cubes` they are those of `interaction.Interaction`, after
    expansion. If the definitions are too large to analyse, these seven are None and `gates_by_kind`
    is empty. `algorithm` is the recognised algorithm (`algorithms`), if any.

    `inputs` are the parameters that a run has to give, in the order of their declaration. A gate
    with an angle that depends on them counts as no Clifford gate.
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
    chain_rank_bits: int | None = None
    chain_gates: int | None = None
    chain_cubes: float | None = None
    algorithm: str | None = None
    noisy_mid_circuit: bool | None = None
    noisy_branching_count: int | None = None
    has_control: bool = False
    has_conditions: bool = False
    collapses_conditionally: bool = False
    inputs: tuple[Input, ...] = ()
    logic_gates: int = 0

    def of_run(self, *, noisy: bool) -> "Analysis":
        """Return the figures of the circuit for a run with or without noise."""
        if not noisy or self.noisy_mid_circuit is None or self.noisy_branching_count is None:
            return self
        return replace(
            self,
            has_mid_circuit=self.noisy_mid_circuit,
            branching_count=self.noisy_branching_count,
        )


# The logic gates that count the rounds of a loop.
_ROUND_GATES = 150
_NOT_GATES = frozenset({"measure", "reset", "barrier", "delay"}) | CONTROL
# Operations that change no outcome without noise.
_IDLE = frozenset({"barrier", "delay"}) | CONTROL

# Qiskit's names for gates that have other names in qelib1.inc.
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
    has_control = circuit.has_control
    left_out = sum([counts.pop(name, 0) for name in ("barrier", *CONTROL)])
    gate_counts: dict[str, int] = {}
    for name, count in counts.items():
        shown = name if name in circuit.definitions else _COUNTED_AS.get(name, name)
        gate_counts[shown] = gate_counts.get(shown, 0) + count
    operation_count, two_qubit_gate_count = _expanded_counts(counts, circuit.definitions)
    has_mid_circuit, branching = _branching(circuit)
    noisy_mid_circuit, noisy_branching = False, 0
    conditional = frozenset[str]()
    if has_mid_circuit:
        conditional = frozenset(
            [each.name for each in circuit.operations if each.condition is not None]
        )
    if has_control:
        noisy_mid_circuit, noisy_branching = has_mid_circuit, branching
    elif has_mid_circuit:
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
            known = algorithm(
                circuit.num_qubits, inside.counts, lambda: expanded(circuit).operations
            )
    return Analysis(
        num_qubits=circuit.num_qubits,
        num_clbits=circuit.num_clbits,
        circuit_depth=depth(circuit),
        gate_count=len(circuit.operations) - left_out,
        operation_count=operation_count,
        two_qubit_gate_count=two_qubit_gate_count,
        gate_counts=gate_counts,
        is_clifford=_is_clifford(circuit),
        has_mid_circuit=has_mid_circuit,
        measures_all=measures_all,
        branching_count=branching,
        parameter_count=sum(
            [len(params) for name, _, params, _, _ in circuit.operations if name not in _NOT_GATES]
        ),
        gates_by_kind=kinds,
        algorithm=known,
        interaction_pairs=graph.interaction_pairs if graph else None,
        interaction_degree=graph.interaction_degree if graph else None,
        interaction_reach=graph.interaction_reach if graph else None,
        entanglement_bits=graph.entanglement_bits if graph else None,
        chain_rank_bits=graph.chain_rank_bits if graph else None,
        chain_gates=graph.chain_gates if graph else None,
        chain_cubes=graph.chain_cubes if graph else None,
        noisy_mid_circuit=noisy_mid_circuit,
        noisy_branching_count=noisy_branching,
        has_control=has_control,
        has_conditions=bool(conditional),
        collapses_conditionally=not conditional.isdisjoint(("measure", "reset")),
        inputs=circuit.inputs,
        logic_gates=_logic_gates(circuit) if has_control else 0,
    )


def _decided(circuit: Circuit, *, noisy: bool) -> Circuit:
    """Return the circuit, which must have no definitions, after constant propagation."""
    return replace(circuit, operations=tuple(decided(circuit.operations, noisy=noisy).operations))


def _branching(circuit: Circuit) -> tuple[bool, int]:
    """Return `has_mid_circuit` and `branching_count` without constant propagation."""
    has_mid_circuit = _has_mid_circuit(circuit)
    return has_mid_circuit, _branching_count(circuit) if has_mid_circuit else 0


def _steps(counts: Mapping[str, int], definitions: Mapping[str, GateDefinition]) -> int:
    """Bound the steps of the expansion; empty definitions take some too."""
    return sum(
        [
            count * definitions[name].weight if name in definitions else count
            for name, count in counts.items()
        ]
    )


def _expanded_counts(
    counts: Mapping[str, int], definitions: Mapping[str, GateDefinition]
) -> tuple[int, int]:
    """Return how many operations, and how many gates on two or more qubits, calls expand to."""
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


def _logic_gates(circuit: Circuit) -> int:
    gates = [logic_gates(each) for each in circuit.assignments]
    assigned = [int(each.params[0]) for each in circuit.operations if each.name == "assign"]
    loops = sum([each.name == "while" for each in circuit.operations])
    return sum(map(gates.__getitem__, assigned)) + _ROUND_GATES * loops


def _has_mid_circuit(circuit: Circuit) -> bool:
    """Return whether the circuit is more than gates followed by measurements.

    The reset of a qubit that no operation has acted on does nothing, so it does not count.
    """
    if circuit.has_control:
        return True
    used = bytearray(circuit.num_qubits)
    measured = bytearray(circuit.num_qubits)
    written = bytearray(circuit.num_clbits)
    for name, qubits, _, clbits, condition in circuit.operations:
        if name in _IDLE:
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
    """Count the measurements and resets that cannot move to the end or be removed."""
    later = bytearray(circuit.num_qubits)
    # A later round of a loop may read any bit.
    read = bytearray([circuit.has_control]) * (circuit.num_clbits + circuit.scratch_bits)
    events = 0
    for name, qubits, _, clbits, condition in reversed(circuit.operations):
        if name in _IDLE:
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
    for name, _, params, _, _ in circuit.operations:
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
