"""Divides a circuit into a part that must run in order and measurements to sample at the end.

Most circuits measure last. Then one evolution of the state serves all shots, and the counts are
drawn from its probabilities. Only a measurement, reset or condition that later operations depend
on has to happen in its place.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

from quantcloud.circuits.certain import decided
from quantcloud.circuits.ir import Circuit, Condition, Operation
from quantcloud.domain.value_object import value_object


@value_object
class Program:
    """The form of a circuit that a simulator runs.

    `body` has no barriers, and no operations without effect. `final` maps classical bits to the
    qubits that are measured into them after the body. `fixed` maps classical bits to their known
    values at the end, whatever the body writes there. All other bits that nothing writes are 0.
    `branches` says whether the body has measurements, resets or conditions.
    """

    num_qubits: int
    num_clbits: int
    body: tuple[Operation, ...]
    final: dict[int, int]
    branches: bool
    fixed: Mapping[int, int] = field(default_factory=dict[int, int])

    def at_end(self, bits: int) -> int:
        """Return the classical bits at the end if the body has left `bits` (bit 0 lowest)."""
        for bit, value in self.fixed.items():
            bits = bits & ~(1 << bit) | value << bit
        return bits


def program(circuit: Circuit, *, noisy: bool = False) -> Program:
    """Divide `circuit`, which must be expanded, for a run with or without noise."""
    width, num_clbits = circuit.num_qubits, circuit.num_clbits
    body, final = _defer_measurements(
        [operation for operation in circuit.operations if operation.name != "barrier"]
    )
    if not _branches(body):
        return Program(width, num_clbits, tuple(body), final, branches=False)
    operations, fixed = decided(circuit.operations, noisy=noisy)
    body, final = _defer_measurements(operations)
    final = {bit: qubit for bit, qubit in final.items() if bit not in fixed}
    return Program(width, num_clbits, tuple(body), final, _branches(body), fixed)


def _branches(body: Iterable[Operation]) -> bool:
    return any(
        operation.condition is not None or operation.name in ("measure", "reset")
        for operation in body
    )


def _defer_measurements(
    operations: Sequence[Operation],
) -> tuple[list[Operation], dict[int, int]]:
    """Move a measurement to the end if nothing after it uses its qubit or its bit."""
    body: list[Operation] = []
    final: dict[int, int] = {}
    used_qubits: set[int] = set()
    used_clbits: set[int] = set()
    for operation in reversed(operations):
        name, qubits, _, clbits, condition = operation
        if name == "measure" and condition is None:
            qubit, clbit = qubits[0], clbits[0]
            if qubit not in used_qubits and clbit not in used_clbits:
                # A later write hides this one, and nothing reads the bit in between.
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
    """Return whether classical bits of value `bits` (bit 0 lowest) satisfy `condition`."""
    mask = (1 << condition.size) - 1
    return (bits >> condition.offset) & mask == condition.value
