"""What a circuit is like: the figures that users are shown and that the router goes by."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Analysis:
    """Figures of one circuit; all follow from its text.

    `circuit_depth` and `gate_count` are Qiskit's `depth()` and `size()` of the circuit as it is
    run: measurements count, barriers do not, a call of a user-defined gate counts as one. A
    circuit that measures nothing is counted with the measurement of every qubit that it gets.
    `operation_count` counts standard operations after user-defined gates are expanded, and
    `two_qubit_gate_count` those gates among them that act on two or more qubits.
    `num_clbits` is the length of the bitstrings of its counts.
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
