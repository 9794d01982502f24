"""Makes Qiskit circuits of programs with variables and loops.

Qiskit's control flow takes conditions on classical bits, and Aer stores the value of an expression
of bits in a bit. It has no arithmetic, so the formulas of a program become logic on single bits,
as in the adders of a processor.
"""

# pyright: reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
# Qiskit has only some types.

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from qiskit.circuit import (
    CircuitInstruction,
    Clbit,
    Gate,
    IfElseOp,
    Instruction,
    Measure,
    QuantumCircuit,
    Qubit,
    Reset,
    Store,
    WhileLoopOp,
)
from qiskit.circuit.classical import expr, types

from quantcloud.backends.aer.logic import Logic, Number, Wire
from quantcloud.backends.simulation.programs import Program
from quantcloud.circuits.classical import MAX_ROUNDS
from quantcloud.circuits.ir import Apply, Bits, Condition, Formula, Operation

_MEASURE, _RESET = Measure(), Reset()
_ROUND_BITS = MAX_ROUNDS.bit_length()

# Makes a gate of its name and angles.
Gates = Callable[[str, tuple[float, ...]], Gate]


class ControlCircuit(NamedTuple):
    """A circuit. Bit `unbounded` of its outcome says that its loops had too many rounds.

    The classical bits of the program are the lowest ones.
    """

    circuit: QuantumCircuit
    unbounded: int


def control_circuit(program: Program, gates: Gates) -> ControlCircuit:
    """Make the circuit of a program with operations of `ir.CONTROL`."""
    writer = _Writer(program, gates)
    body = writer.body(program.operations)
    return ControlCircuit(writer.block(body), writer.unbounded)


class _Loop(NamedTuple):
    """Instructions that are repeated while a bit is 1."""

    alive: int
    body: list[Any]


# Instructions of Qiskit, whose type it does not export, and loops.
_Body = list[Any]


class _Writer:
    """Writes instructions.

    Behind the bits of the program come those that count rounds of loops, and then those of
    intermediate values, which each operation uses again.
    """

    def __init__(self, program: Program, gates: Gates) -> None:
        self._program = program
        self._gates = gates
        used = program.num_clbits + program.scratch_bits
        self._rounds, self.unbounded = used, used + _ROUND_BITS
        self._qubits = [Qubit() for _ in range(program.num_qubits)]
        self._clbits = [Clbit() for _ in range(self.unbounded + 1)]
        self._next = 0
        self._logic = Logic(self._gate)
        self._body: _Body = []

    def body(self, operations: Sequence[Operation]) -> _Body:
        """Write operations."""
        outer: list[tuple[int, _Body]] = []
        for operation in operations:
            self._next = self.unbounded + 1
            if operation.name == "while":
                assert operation.condition is not None  # noqa: S101 - a loop has one
                outer.append((operation.condition.offset, self._body))
                self._body = []
            elif operation.name == "end":
                alive, before = outer.pop()
                self._count_round(alive)
                before.append(_Loop(alive, self._body))
                self._body = before
            elif operation.name == "assign":
                assignment = self._program.assignments[int(operation.params[0])]
                offset, size, formula = assignment
                self._assign(offset, size, formula, operation.condition)
            else:
                self._act(operation)
        return self._body

    def block(self, body: _Body) -> QuantumCircuit:
        """Return a circuit of all qubits and bits."""
        instructions = [
            CircuitInstruction(
                WhileLoopOp((self._clbits[each.alive], True), self.block(each.body)),
                self._qubits,
                self._clbits,
            )
            if isinstance(each, _Loop)
            else each
            for each in body
        ]
        return QuantumCircuit.from_instructions(
            instructions, qubits=self._qubits, clbits=self._clbits
        )

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
        kind: Instruction
        if name == "measure":
            kind = _MEASURE
        elif name == "reset":
            kind = _RESET
        else:
            kind = self._gates(name, params)
        on = [self._qubits[qubit] for qubit in qubits]
        into = [self._clbits[clbit] for clbit in clbits]
        plain = CircuitInstruction(kind, on, into)
        test = self._test(condition)
        if test is True:
            self._body.append(plain)
        elif test is not False:
            block = QuantumCircuit.from_instructions([plain], qubits=on, clbits=into)
            conditional = IfElseOp((self._clbits[test], True), block)
            self._body.append(CircuitInstruction(conditional, on, into))

    def _test(self, condition: Condition | None) -> Wire:
        """Return the wire of a condition."""
        if condition is None:
            return True
        offset, size, value = condition
        if (size, value) == (1, 1):
            return offset
        (wire,) = self._logic.compute((Bits(offset, size), value, Apply("==", 1))).wires
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
                self._store(bit, expr.lift(wire if isinstance(wire, bool) else self._clbits[wire]))

    def _gate(self, name: str, bits: tuple[int, ...]) -> int:
        """Compute a gate of bits into a bit for intermediate values."""
        index = self._next
        self._next += 1
        if index == len(self._clbits):
            self._clbits.append(Clbit())
        values = [self._clbits[bit] for bit in bits]
        self._store(index, _LOGIC[name](*values))
        return index

    def _store(self, bit: int, value: Any) -> None:
        store = Store(expr.Var(self._clbits[bit], types.Bool()), value)
        self._body.append(CircuitInstruction(store, (), ()))


_LOGIC: dict[str, Callable[..., Any]] = {
    "not": expr.logic_not,
    "and": expr.logic_and,
    "or": expr.logic_or,
    "xor": expr.bit_xor,
}
