"""A circuit divided into what must run in order and what can be sampled at the end.

Most circuits measure last. Then one evolution of the state serves all shots, and the counts are
drawn from its probabilities. Only a measurement, reset or condition that later operations depend
on has to happen where it stands.
"""

from collections.abc import Iterable

from quantcloud.circuits.ir import Circuit, Condition, Operation
from quantcloud.domain.immutable import immutable


@immutable
class Program:
    """What a simulator has to do for a circuit.

    `body` holds no barriers, and no operation that cannot have an effect. After it, `final` maps
    classical bits to the qubits that they are read from. Classical bits that nothing writes are 0.
    `branches` says whether the body measures, resets or asks a condition.
    """

    num_qubits: int
    num_clbits: int
    body: tuple[Operation, ...]
    final: dict[int, int]
    branches: bool


def program(circuit: Circuit) -> Program:
    """Divide `circuit`, whose user-defined gates are expanded."""
    body, final = _defer_measurements(_without_idle(circuit.operations))
    branches = any(
        operation.condition is not None or operation.name in ("measure", "reset")
        for operation in body
    )
    return Program(circuit.num_qubits, circuit.num_clbits, tuple(body), final, branches)


def _without_idle(operations: Iterable[Operation]) -> list[Operation]:
    """Leave out barriers, resets of fresh qubits, and conditions that are sure to hold or not."""
    touched: set[int] = set()
    written: set[int] = set()
    kept: list[Operation] = []
    for operation in operations:
        name, qubits, _, clbits, condition = operation
        if name == "barrier":
            continue
        if condition is not None:
            if condition.value >> condition.size:
                continue
            if written.isdisjoint(_bits(condition)):
                if condition.value:
                    continue
                operation = operation._replace(condition=None)  # noqa: PLW2901 - the same, simpler
        if name == "reset" and touched.isdisjoint(qubits):
            continue
        touched.update(qubits)
        written.update(clbits)
        kept.append(operation)
    return kept


def _defer_measurements(
    operations: list[Operation],
) -> tuple[list[Operation], dict[int, int]]:
    """Move measurements to the end whose qubit and bit nothing after them uses."""
    body: list[Operation] = []
    final: dict[int, int] = {}
    used_qubits: set[int] = set()
    used_clbits: set[int] = set()
    for operation in reversed(operations):
        name, qubits, _, clbits, condition = operation
        if name == "measure" and condition is None:
            qubit, clbit = qubits[0], clbits[0]
            if qubit not in used_qubits and clbit not in used_clbits:
                # A later write of the same bit hides this one, and nothing reads it in between.
                final.setdefault(clbit, qubit)
                continue
        used_qubits.update(qubits)
        used_clbits.update(clbits)
        if condition is not None:
            used_clbits.update(_bits(condition))
        body.append(operation)
    body.reverse()
    return body, dict(sorted(final.items()))


def _bits(condition: Condition) -> range:
    return range(condition.offset, condition.offset + condition.size)


def holds(condition: Condition, bits: int) -> bool:
    """Whether classical bits with the value `bits` (bit 0 lowest) meet `condition`."""
    mask = (1 << condition.size) - 1
    return (bits >> condition.offset) & mask == condition.value
