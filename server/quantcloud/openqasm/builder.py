"""A circuit under construction: its registers, its operations, and their weight."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import Final, NamedTuple

from quantcloud.circuits.angles import Angle
from quantcloud.circuits.expressions import evaluate
from quantcloud.circuits.ir import (
    Assignment,
    Circuit,
    Condition,
    Expression,
    GateCall,
    GateDefinition,
    Operation,
    Register,
)
from quantcloud.circuits.limits import MAX_CLBITS, MAX_INPUT_VALUES, MAX_OPERATIONS, MAX_QUBITS
from quantcloud.domain.errors import CircuitError
from quantcloud.domain.sweep import Input
from quantcloud.openqasm.gatetable import GateTable
from quantcloud.openqasm.hints import did_you_mean, quantity
from quantcloud.openqasm.lexer import Lexer, shown

DT_SECONDS: Final = 1e-9
"""The unit `dt` of durations, which on hardware is the period of its clock."""

STEP_WEIGHT: Final = 20
"""The weight of a statement in a loop or a subroutine: to run it takes as long as to read this many
operations."""


PHYSICAL: Final = "$"
"""The name of the register of OpenQASM 3's physical qubits, which are not declared."""


class Operand(NamedTuple):
    """An operand of a statement: a whole register, or one bit of it (`size` 1).

    `start` is its offset in the source. `places` are the bits if they are not adjacent.
    """

    offset: int
    size: int
    whole: bool
    start: int
    places: tuple[int, ...] | None = None

    def bits(self, times: int) -> Iterable[int]:
        """Return the flat index of the bit in each of `times` operations."""
        if self.places is not None:
            return self.places if self.whole else self.places * times
        if self.whole:
            return range(self.offset, self.offset + self.size)
        return (self.offset,) if times == 1 else (self.offset,) * times


class CircuitBuilder:
    """Collects the declarations and operations of the statements so far.

    Methods with a parameter `start` raise `CircuitError` there, or at the wrong operand.
    """

    def __init__(self, lexer: Lexer, synonyms: Mapping[str, str]) -> None:
        """`synonyms` maps further names to standard gates."""
        self._lexer = lexer
        self.gates = GateTable(lexer, synonyms)
        self.qubits: dict[str, Register] = {}
        self.clbits: dict[str, Register] = {}
        self.num_qubits = 0
        self.num_clbits = 0
        self.operations: list[Operation] = []
        self.weight = 0
        # Names of variables, constants, aliases and subroutines.
        self.names: set[str] = set()
        # Registers of one bit that were declared without a size.
        self.scalars: set[str] = set()
        self.assignments: list[Assignment] = []
        self.scratch_bits = 0
        self._inputs: dict[str, Input] = {}
        self._input_places: dict[str, int] = {}
        self._input_values: list[Angle] = []
        # Whether a register has taken the name of a gate that was called before. If so, later calls
        # of that gate are errors.
        self.shadows = False

    def circuit(self) -> Circuit:
        return Circuit(
            tuple(self.qubits.values()),
            tuple(self.clbits.values()),
            tuple(self.operations),
            self.gates.definitions,
            tuple(self.assignments),
            self.scratch_bits,
            tuple(self._inputs.values()),
        )

    def undeclared(self, name: str, registers: Iterable[str], start: int) -> CircuitError:
        """Make the error for a register that is none of the declared ones."""
        hint = did_you_mean(name, registers)
        return self._lexer.error(f"register {shown(name)} is not declared{hint}", start)

    def check_is_gate(
        self,
        name: str,
        start: int,
        hint: str = "a statement begins with a gate, 'measure', 'reset', 'barrier' or 'if'",
    ) -> None:
        """Check that a name at the begin of a statement is not that of a register."""
        if name in self.qubits or name in self.clbits:
            raise self._lexer.error(f"{shown(name)} is a register; {hint}", start)

    # Declarations

    def check_new(self, name: str, start: int) -> None:
        """Check that neither a register nor a gate of that name has been declared."""
        if name in self.qubits or name in self.clbits:
            raise self._lexer.error(f"{shown(name)} is already declared as a register", start)
        if self.gates.is_declared(name):
            raise self._lexer.error(f"{shown(name)} is already declared as a gate", start)
        if name in self.names:
            raise self._lexer.error(f"{shown(name)} is already declared", start)

    def check_new_gate(self, name: str, start: int) -> None:
        """Check that a gate of that name may be defined."""
        self.check_new(name, start)
        self.gates.check_new(name, start)

    def declare_qubits(self, name: str, size: int, start: int) -> None:
        self.check_new(name, start)
        self._check_size("qubit", self.num_qubits + size, MAX_QUBITS, start)
        self.qubits[name] = Register(name, self.num_qubits, size)
        self.num_qubits += size
        self.shadows |= self.gates.is_used(name)

    def declare_clbits(self, name: str, size: int, start: int) -> None:
        self.check_new(name, start)
        self._check_size("classical bit", self.num_clbits + size, MAX_CLBITS, start)
        self.clbits[name] = Register(name, self.num_clbits, size)
        self.num_clbits += size
        self.shadows |= self.gates.is_used(name)

    def declare_input(self, name: str, size: int | None, start: int) -> int:
        """Declare an input, an array if it has a `size`; return the index of its first value."""
        first, count = len(self._input_values), 1 if size is None else size
        self._check_size("input value", first + count, MAX_INPUT_VALUES, start)
        self.charge(count, start)
        self._inputs[name] = Input(name, count, is_array=size is not None)
        self._input_places[name] = first
        self._input_values += [Angle("", place=first + place) for place in range(count)]
        return first

    def input_value(self, name: str, index: int | None) -> Angle | None:
        """Return a value of an input, an element if it is an array; None if there is none."""
        found = self._inputs.get(name)
        if found is None or found.is_array is (index is None) or (index or 0) >= found.size:
            return None
        return self._input_values[self._input_places[name] + (index or 0)]

    def angles(self, expressions: Iterable[Expression], start: int) -> tuple[float, ...]:
        """Return angles outside of definitions. Raises `ExpressionError`."""
        found: list[float] = []
        for expression in expressions:
            if len(expression) > 1:
                self.charge(len(expression), start)
            found.append(evaluate(expression, self._input_values))
        return tuple(found)

    def _check_size(self, noun: str, size: int, limit: int, start: int) -> None:
        if size > limit:
            raise self._lexer.error(
                f"the circuit would have more than {quantity(limit, noun)}, which is the limit",
                start,
            )

    # Operations

    def charge(self, weight: int, start: int) -> None:
        """Count `weight` toward the limit. Call it before operations of that weight are made."""
        self.weight += weight
        if self.weight > MAX_OPERATIONS:
            raise self._lexer.error(
                f"this makes the circuit larger than {MAX_OPERATIONS:,} operations, counted with "
                "registers, gate definitions and loops expanded; that is the limit",
                start,
            )

    def _charge_each(self, size: int, weight: int, condition: Condition | None, start: int) -> None:
        self.charge(size * (weight + (condition.size if condition else 0)), start)

    def gate(
        self,
        name: str,
        params: tuple[float, ...],
        operands: Sequence[Operand],
        start: int,
        condition: Condition | None,
    ) -> None:
        """Apply a gate that was looked up before; registers as operands are broadcast."""
        gate = self.gates.check_call(name, len(params), len(operands), start)
        size = self._broadcast_size(operands)
        self._charge_each(size, gate.weight, condition, start)
        if isinstance(gate, GateDefinition) and size:
            self.gates.instantiate(name, params, start)
        rows = self._rows(name, operands, size)
        self._add(name, rows, params, repeat(()), condition)

    def gate_steps(
        self,
        name: str,
        steps: Sequence[GateCall],
        operands: Sequence[Operand],
        start: int,
        condition: Condition | None,
    ) -> None:
        """Apply the standard gates of gate `name` with modifiers. Raises `ExpressionError`."""
        size = self._broadcast_size(operands)
        self._charge_each(size, len(steps), condition, start)
        made = [(step, places, self.angles(angles, start)) for step, places, angles in steps]
        self.operations += [
            Operation(step, tuple([qubits[place] for place in places]), angles, (), condition)
            for qubits in self._rows(name, operands, size)
            for step, places, angles in made
        ]

    def _add(
        self,
        name: str,
        qubits: Iterable[tuple[int, ...]],
        params: tuple[float, ...],
        clbits: Iterable[tuple[int, ...]],
        condition: Condition | None,
    ) -> None:
        parts = zip(repeat(name), qubits, repeat(params), clbits, repeat(condition), strict=False)
        self.operations.extend(map(Operation._make, parts))

    def _broadcast_size(self, operands: Sequence[Operand]) -> int:
        """Return to how many operations a statement on these operands is broadcast."""
        size: int | None = None
        for operand in operands:
            if operand.whole:
                if size is not None and operand.size != size:
                    raise self._lexer.error(
                        f"registers of {size} and {operand.size} qubits cannot be combined; "
                        "whole registers in one statement must have the same size",
                        operand.start,
                    )
                size = operand.size
        return 1 if size is None else size

    def _rows(self, name: str, operands: Sequence[Operand], size: int) -> Sequence[tuple[int, ...]]:
        """Return the qubits of each of `size` operations. Raises `CircuitError` if some repeat."""
        rows = list(zip(*[operand.bits(size) for operand in operands], strict=True))
        if len(operands) > 1:
            for qubits in rows:
                if len(set(qubits)) < len(qubits):
                    place = next(i for i, qubit in enumerate(qubits) if qubit in qubits[:i])
                    raise self._lexer.error(
                        f"gate {shown(name)} would act on {self._qubit_name(qubits[place])} twice; "
                        "its qubits must differ",
                        operands[place].start,
                    )
        return rows

    def _qubit_name(self, qubit: int) -> str:
        register = next(
            register
            for register in self.qubits.values()
            if register.offset <= qubit < register.offset + register.size
        )
        return f"{shown(register.name)[1:-1]}[{qubit - register.offset}]"

    def measure(
        self, source: Operand, target: Operand, start: int, condition: Condition | None
    ) -> None:
        """Measure a qubit into a bit, or each qubit of a register into the bit of its index."""
        if source.size != target.size:
            raise self._lexer.error(
                f"cannot measure {quantity(source.size, 'qubit')} into "
                f"{quantity(target.size, 'classical bit')}; the numbers must be equal",
                start,
            )
        if (
            condition is not None
            and source.size > 1
            and target.offset < condition.offset + condition.size
            and condition.offset < target.offset + target.size
        ):
            raise self._lexer.error(
                "this measurement of a register changes bits of its own condition; "
                "measure bit by bit",
                start,
            )
        self._charge_each(source.size, 1, condition, start)
        qubits, clbits = zip(source.bits(source.size)), zip(target.bits(target.size))
        self._add("measure", qubits, (), clbits, condition)

    def reset(self, target: Operand, start: int, condition: Condition | None) -> None:
        self._charge_each(target.size, 1, condition, start)
        self._add("reset", zip(target.bits(target.size)), (), repeat(()), condition)

    def _all_qubits(self, start: int) -> Operand:
        return Operand(0, self.num_qubits, whole=True, start=start)

    def delay(
        self,
        operands: Sequence[Operand],
        seconds: float,
        start: int,
        condition: Condition | None,
    ) -> None:
        """Keep the operands idle, or all qubits if there are none."""
        if seconds < 0:
            raise self._lexer.error("a delay cannot be negative", start)
        for operand in operands or [self._all_qubits(start)]:
            self._charge_each(operand.size, 1, condition, start)
            qubits = zip(operand.bits(operand.size))
            self._add("delay", qubits, (seconds,), repeat(()), condition)

    # Classical computation during a run

    def assign(
        self, assignment: Assignment, start: int, condition: Condition | None = None
    ) -> None:
        """Compute a value and keep it in classical bits."""
        weight = 1 + len(assignment.formula) + (condition.size if condition else 0)
        self.charge(weight, start)
        index = len(self.assignments)
        self.assignments.append(assignment)
        self.operations.append(Operation("assign", (), (index,), (), condition))

    def begin_loop(self, condition: Condition, start: int) -> None:
        """Repeat the operations up to `end_loop` as long as the condition holds."""
        self.charge(1 + condition.size, start)
        self.operations.append(Operation("while", (), (), (), condition))

    def end_loop(self) -> None:
        self.operations.append(Operation("end", ()))

    def barrier(self, operands: Sequence[Operand], start: int) -> None:
        """Put a barrier on the operands, or on all qubits if there are none."""
        operands = operands or [self._all_qubits(start)]
        self.charge(sum([operand.size for operand in operands]), start)
        qubits = tuple(
            dict.fromkeys([bit for operand in operands for bit in operand.bits(operand.size)])
        )
        if qubits:
            self.operations.append(Operation("barrier", qubits))
