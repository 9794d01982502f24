"""Divides a circuit into a part that must run in order and measurements to sample at the end.

Most circuits measure last. Then one evolution of the state serves all shots, and the counts are
drawn from its probabilities. Only a measurement, reset or condition that later operations depend
on has to happen in its place.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace

from quantcloud.circuits.certain import decided
from quantcloud.circuits.ir import CONTROL, Assignment, Circuit, Condition, Operation
from quantcloud.domain.value_object import value_object


@value_object
class Program:
    """The form of a circuit that a simulator runs.

    `body` has no barriers, and no operations without effect. `final` maps classical bits to the
    qubits that are measured into them after the body. `fixed` maps classical bits to their known
    values at the end, whatever the body writes there. All other bits that nothing writes are 0.
    `branches` says whether the body has measurements, resets or conditions. `assignments` and
    `scratch_bits` are those of the circuit. `submitted` says that these are the circuit's own
    operations, of which at most final measurements were moved to the end; otherwise parts with a
    certain outcome were removed, or the order of random outcomes is another one. `basis` are gates
    without noise before the final measurements.
    """

    num_qubits: int
    num_clbits: int
    body: tuple[Operation, ...]
    final: dict[int, int]
    branches: bool
    fixed: Mapping[int, int] = field(default_factory=dict[int, int])
    assignments: tuple[Assignment, ...] = ()
    scratch_bits: int = 0
    submitted: bool = True
    basis: tuple[Operation, ...] = ()

    @property
    def has_control(self) -> bool:
        """Whether the body has operations of `ir.CONTROL`."""
        return bool(self.assignments or self.scratch_bits)

    @property
    def operations(self) -> tuple[Operation, ...]:
        """The body and the basis, and then the measurements of `final`."""
        return (*self.body, *self.basis, *self.measurements)

    @property
    def measurements(self) -> tuple[Operation, ...]:
        """The measurements of `final`."""
        return tuple(
            [Operation("measure", (qubit,), (), (bit,)) for bit, qubit in self.final.items()]
        )

    @property
    def measures_once(self) -> bool:
        """Whether the measurements of `final` are of different qubits."""
        return len(set(self.final.values())) == len(self.final)

    def at_end(self, bits: int) -> int:
        """Return the classical bits at the end if the body has left `bits` (bit 0 lowest)."""
        for bit, value in self.fixed.items():
            bits = bits & ~(1 << bit) | value << bit
        return bits & ((1 << self.num_clbits) - 1)


def program(circuit: Circuit, *, noisy: bool = False) -> Program:
    """Divide `circuit`, which must be expanded, for a run with or without noise.

    Without noise, idle time has no effect, and operations `delay` are left out.
    """
    width, num_clbits = circuit.num_qubits, circuit.num_clbits
    left_out = ("barrier",) if noisy else ("barrier", "delay")
    written = tuple([each for each in circuit.operations if each.name not in left_out])
    if circuit.has_control:
        return _controlled(circuit, written)
    body, final = _defer_measurements(written)
    if not _branches(body):
        return Program(width, num_clbits, tuple(body), final, branches=False)
    operations, fixed = decided(written, noisy=noisy)
    body, final = _defer_measurements(operations)
    final = {bit: qubit for bit, qubit in final.items() if bit not in fixed}
    reduced = Program(width, num_clbits, tuple(body), final, _branches(body), fixed)
    return replace(reduced, submitted=reduced.operations == written)


def _controlled(circuit: Circuit, operations: Sequence[Operation]) -> Program:
    """Divide a circuit with control flow: only measurements after it can move to the end."""
    places = [place for place, each in enumerate(operations) if each.name in CONTROL]
    start = places[-1] + 1 if places else 0
    rest, final = _defer_measurements(operations[start:])
    return Program(
        circuit.num_qubits,
        circuit.num_clbits,
        (*operations[:start], *rest),
        {bit: qubit for bit, qubit in final.items() if bit < circuit.num_clbits},
        branches=True,
        assignments=circuit.assignments,
        scratch_bits=circuit.scratch_bits,
    )


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
