"""Makes Qiskit circuits of programs with variables and loops.

Aer jumps if an expression of classical bits holds, and stores the value of such an expression in a
bit. It has no arithmetic, so the formulas of a program become logic on single bits, as in the
adders of a processor.

The circuit has Aer's own jumps, not Qiskit's control flow: Aer would rewrite that so that every
instruction takes all classical bits, in time and memory of the square of a program's length. See
docs/adr/0016-aers-own-jumps.md.
"""

# pyright: reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# Qiskit has only some types.

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from qiskit.circuit import (
    CircuitInstruction,
    Clbit,
    Instruction,
    QuantumCircuit,
    Qubit,
    Store,
)
from qiskit.circuit.classical import expr, types
from qiskit_aer.library.control_flow_instructions import AerJump, AerMark

from quantcloud.backends.aer.logic import Logic, Number, Wire
from quantcloud.backends.simulation.programs import Program
from quantcloud.circuits.classical import MAX_ROUNDS
from quantcloud.circuits.ir import Apply, Bits, Condition, Formula, Operation

_ROUND_BITS = MAX_ROUNDS.bit_length()

# Makes a measurement, a reset or a gate of its name and angles.
Instructions = Callable[[str, tuple[float, ...]], Instruction]


class ControlCircuit(NamedTuple):
    """A circuit. Bit `unbounded` of its outcome says that its loops had too many rounds.

    The classical bits of the program are the lowest ones.
    """

    circuit: QuantumCircuit
    unbounded: int


def control_circuit(program: Program, known: Instructions, *, noisy: bool) -> ControlCircuit:
    """Make the circuit of a program with operations of `ir.CONTROL`.

    `noisy` says that it is for a run with noise.
    """
    writer = _Writer(program, known)
    writer.write(program.operations)
    if noisy:
        writer.keep_bits()
    circuit = QuantumCircuit.from_instructions(
        writer.instructions, qubits=writer.qubits, clbits=writer.clbits
    )
    return ControlCircuit(circuit, writer.unbounded)


class _Writer:
    """Writes instructions.

    Behind the bits of the program come those that count rounds of loops, and then those of
    intermediate values, which each operation uses again.
    """

    def __init__(self, program: Program, known: Instructions) -> None:
        self._program = program
        self._known = known
        used = program.num_clbits + program.scratch_bits
        self._rounds, self.unbounded = used, used + _ROUND_BITS
        self.qubits = [Qubit() for _ in range(program.num_qubits)]
        self.clbits = [Clbit() for _ in range(self.unbounded + 1)]
        # Instructions of Qiskit, whose type it does not export.
        self.instructions: list[Any] = []
        self._next = 0
        self._labels = 0
        self._logic = Logic(self._gate)

    def write(self, operations: Sequence[Operation]) -> None:
        """Write operations. Jumps repeat loops and pass over operations."""
        loops: list[tuple[int, str, str]] = []
        for operation in operations:
            self._next = self.unbounded + 1
            if operation.name == "while":
                assert operation.condition is not None  # noqa: S101 - a loop has one
                alive, start, end = operation.condition.offset, self._label(), self._label()
                loops.append((alive, start, end))
                self._mark(start)
                self._jump(end, unless=alive)
            elif operation.name == "end":
                alive, start, end = loops.pop()
                self._count_round(alive)
                self._jump(start)
                self._mark(end)
            elif operation.name == "assign":
                assignment = self._program.assignments[int(operation.params[0])]
                offset, size, formula = assignment
                self._assign(offset, size, formula, operation.condition)
            else:
                self._act(operation)

    def keep_bits(self) -> None:
        """Write a measurement into the last bit that never runs.

        With wrong readout or with channels, Aer has only the bits up to the last one that is
        measured into.
        """
        end = self._label()
        self._jump(end)
        self._act(Operation("measure", (0,), (), (len(self.clbits) - 1,)))
        self._mark(end)

    def _label(self) -> str:
        self._labels += 1
        return f"{self._labels}"

    def _mark(self, label: str) -> None:
        mark = AerMark(label, len(self.qubits))
        self.instructions.append(CircuitInstruction(mark, self.qubits, ()))

    def _jump(self, label: str, unless: int | None = None) -> None:
        """Go on at a mark, unless a bit is 1."""
        jump = AerJump(label, len(self.qubits))
        if unless is not None:
            jump.set_conditional(expr.logic_not(self.clbits[unless]))
        self.instructions.append(CircuitInstruction(jump, self.qubits, ()))

    def _count_round(self, alive: int) -> None:
        """Count a round; end the loop if there were too many."""
        rounds = Bits(self._rounds, _ROUND_BITS)
        self._assign(*rounds[:2], (rounds, 1, Apply("+", _ROUND_BITS)), None)
        self._assign(self.unbounded, 1, (rounds, MAX_ROUNDS, Apply(">", 1)), None)
        over = Bits(self.unbounded, 1)
        self._assign(alive, 1, (Bits(alive, 1), over, Apply("!", 1), Apply("&&", 1)), None)
        # The number stays above the limit.
        self._assign(self._rounds, _ROUND_BITS, (MAX_ROUNDS + 1,), Condition(over.offset, 1, 1))

    def _act(self, operation: Operation) -> None:
        name, qubits, params, clbits, condition = operation
        on = [self.qubits[qubit] for qubit in qubits]
        into = [self.clbits[clbit] for clbit in clbits]
        test = self._test(condition)
        if test is False:
            return
        passed = None if test is True else self._label()
        if passed is not None:
            self._jump(passed, unless=test)
        self.instructions.append(CircuitInstruction(self._known(name, params), on, into))
        if passed is not None:
            self._mark(passed)

    def _test(self, condition: Condition | None) -> Wire:
        """Return the wire of a condition."""
        if condition is None:
            return True
        offset, size, value = condition
        if (size, value) == (1, 1):
            return offset
        (wire,) = self._logic.compute((Bits(offset, size), value, Apply("==", 1))).wide(1)
        return wire

    def _assign(
        self, offset: int, size: int, formula: Formula, condition: Condition | None
    ) -> None:
        value = self._logic.compute(formula).wide(size)
        test = self._test(condition)
        target = range(offset, offset + size)
        value = self._logic.choices(test, value, Number(tuple(target)).wires)
        # A bit that changes may be the value of another one.
        value = tuple(
            [
                self._gate("and", (wire, wire))
                if not isinstance(wire, bool) and wire in target and wire != bit
                else wire
                for wire, bit in zip(value, target, strict=True)
            ]
        )
        for bit, wire in zip(target, value, strict=True):
            if isinstance(wire, bool) or wire != bit:
                self._store(bit, expr.lift(wire if isinstance(wire, bool) else self.clbits[wire]))

    def _gate(self, name: str, bits: tuple[int, ...]) -> int:
        """Compute a gate of bits into a bit for intermediate values."""
        index = self._next
        self._next += 1
        if index == len(self.clbits):
            self.clbits.append(Clbit())
        values = [self.clbits[bit] for bit in bits]
        self._store(index, _LOGIC[name](*values))
        return index

    def _store(self, bit: int, value: Any) -> None:
        store = Store(expr.Var(self.clbits[bit], types.Bool()), value)
        self.instructions.append(CircuitInstruction(store, (), ()))


_LOGIC: dict[str, Callable[..., Any]] = {
    "not": expr.logic_not,
    "and": expr.logic_and,
    "or": expr.logic_or,
    "xor": expr.bit_xor,
}
