"""Recognises well-known algorithms in the textbook form of their circuits.

Each has few gates in a fixed order and is recognised by them alone. Other circuits for the same
algorithm, such as one that a compiler rewrote, are not recognised. Measurements at the end,
barriers and names of registers do not matter.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from quantcloud.circuits.ir import Operation

# Longer circuits are skipped; a Fourier transform of 128 qubits has about 8,000 operations.
MAX_OPERATIONS = 10_000

_TOLERANCE: Final = 1e-9
_PHASES: Final = frozenset({"cp", "cu1"})
_BOTH: Final = 2
_PAIR: Final = 2


def algorithm(
    num_qubits: int, counts: Mapping[str, int], operations: Callable[[], Sequence[Operation]]
) -> str | None:
    """Return the name of the algorithm, or None if none is recognised.

    `counts` are the circuit's standard gates by name. `operations` returns its operations without
    definitions, and is called only if `counts` does not rule out all algorithms.
    """
    names = frozenset(counts) - {"measure"}
    for known, vocabulary, recognises in _KNOWN:
        if names <= vocabulary:
            gates = [
                operation
                for operation in operations()
                if operation.name not in ("measure", "barrier")
            ]
            if recognises(num_qubits, gates):
                return "bell" if known == "ghz" and num_qubits == _PAIR else known
    return None


def _is_cat(num_qubits: int, gates: Sequence[Operation]) -> bool:
    """Return whether one qubit is put in superposition and CX copies it once to each other."""
    if num_qubits == 1 or len(gates) != num_qubits or gates[0].name != "h":
        return False
    reached = {gates[0].qubits[0]}
    for name, qubits, _, _, _ in gates[1:]:
        if name not in ("cx", "CX") or qubits[0] not in reached or qubits[1] in reached:
            return False
        reached.add(qubits[1])
    return True


def _is_graph_state(num_qubits: int, gates: Sequence[Operation]) -> bool:
    """Return whether every qubit is put in superposition and CZ then acts on some pairs."""
    prepared: set[int] = set()
    for name, qubits, _, _, _ in gates:
        if (name == "h") != prepared.isdisjoint(qubits):
            return False
        if name == "h":
            prepared.update(qubits)
        elif not prepared.issuperset(qubits):
            return False
    return len(prepared) == num_qubits < len(gates)


def _is_bernstein_vazirani(num_qubits: int, gates: Sequence[Operation]) -> bool:
    """Return whether Hadamards on some bits enclose an oracle for the parity of those bits."""
    oracle = [gate.qubits for gate in gates if len(gate.qubits) > 1]
    targets = {target for _, target in oracle}
    if len(targets) != 1:
        return False
    (target,) = targets
    hadamards = [0] * num_qubits
    queried: set[int] = set()
    for name, qubits, _, _, _ in gates:
        qubit = qubits[0]
        if len(qubits) == 1:
            hadamards[qubit] += name == "h"
            if name != "h" and qubit != target:
                return False
        elif hadamards[qubit] != 1 or qubit in queried:
            return False
        else:
            queried.add(qubit)
    return all(
        count == _BOTH or (count == 0 and qubit not in queried)
        for qubit, count in enumerate(hadamards)
        if qubit != target
    )


def _is_qft(num_qubits: int, gates: Sequence[Operation]) -> bool:
    """Return whether each qubit has a Hadamard and each pair a phase of pi / 2**distance."""
    hadamards: set[int] = set()
    pairs: set[tuple[int, int]] = set()
    for name, qubits, params, _, _ in gates:
        if name == "h":
            if qubits[0] in hadamards:
                return False
            hadamards.add(qubits[0])
        elif name in _PHASES:
            pair = min(qubits), max(qubits)
            # The phase comes between the Hadamards of its two qubits.
            if pair in pairs or (pair[0] in hadamards) == (pair[1] in hadamards):
                return False
            if not _is_step(params[0], abs(pair[1] - pair[0])):
                return False
            pairs.add(pair)
    return len(hadamards) == num_qubits > 1 and len(pairs) == num_qubits * (num_qubits - 1) // 2


def _is_step(angle: float, distance: int) -> bool:
    return abs(abs(angle) - math.pi / 2.0**distance) <= _TOLERANCE * math.pi / 2.0**distance


def _is_qaoa(num_qubits: int, gates: Sequence[Operation]) -> bool:
    """Return whether superposition is followed by rounds of phases on pairs and a mixer."""
    mixed = [-1] * num_qubits  # rounds; -1 before the superposition
    ends = [False] * num_qubits
    for name, qubits, _, _, _ in gates:
        for qubit in qubits:
            if (name == "h") != (mixed[qubit] < 0):
                return False
            ends[qubit] = name == "rx"
        if name in ("h", "rx"):
            mixed[qubits[0]] += 1
        elif len(qubits) > 1 and mixed[qubits[0]] != mixed[qubits[1]]:
            return False
    return all(ends) and len(set(mixed)) == 1 and any(len(gate.qubits) > 1 for gate in gates)


# Each algorithm with the only gates that it may have, and its predicate.
_KNOWN: Final[
    tuple[tuple[str, frozenset[str], Callable[[int, Sequence[Operation]], bool]], ...]
] = (
    ("ghz", frozenset({"h", "cx", "CX"}), _is_cat),
    ("graph_state", frozenset({"h", "cz"}), _is_graph_state),
    ("bernstein_vazirani", frozenset({"h", "x", "z", "cx", "CX", "cz"}), _is_bernstein_vazirani),
    ("qft", frozenset({"h", "cp", "cu1", "swap"}), _is_qft),
    ("qaoa", frozenset({"h", "rzz", "rz", "cx", "CX", "rx"}), _is_qaoa),
)
