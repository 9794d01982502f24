"""Parses a whole source of OpenQASM 3."""

from dataclasses import replace
from typing import Final

from quantcloud.circuits.classical import MAX_ROUNDS, UnboundedLoopError, without_measurements
from quantcloud.circuits.expand import with_bits
from quantcloud.circuits.ir import Apply, Assignment, Bits, Circuit, Condition, Formula, Operation
from quantcloud.openqasm.builder import PHYSICAL
from quantcloud.openqasm.lexer import Lexer
from quantcloud.openqasm.parser import Parser
from quantcloud.openqasm.version3.reading.statements import StatementReader
from quantcloud.openqasm.version3.reading.syntax import Barrier, Gate, Reset
from quantcloud.openqasm.version3.reading.words import RESERVED
from quantcloud.openqasm.version3.running.guards import SCRATCH
from quantcloud.openqasm.version3.running.interpreter import Interpreter

_REPEATABLE: Final = (Gate, Reset, Barrier)


class Parser3(Parser):
    """Parses a whole source of version 3.0 or 3.1; see `Parser`."""

    version = 3
    libraries = ("stdgates.inc", "qelib1.inc")
    reserved = RESERVED
    synonyms = {  # noqa: RUF012 - it overrides a Mapping
        "phase": "p", "cphase": "cp", "c3sx": "c3sqrtx", "rcccx": "rc3x",
    }  # fmt: skip

    def __init__(self, source: str, *, shortcuts: bool = True) -> None:
        super().__init__(source, shortcuts=shortcuts)
        self._reader = StatementReader(self.lexer, self.libraries)
        self._interpreter = Interpreter(self.lexer, self.program)

    def parse(self) -> Circuit:
        if PHYSICAL in self.lexer.source:
            self._declare_physical()
        return _finished(super().parse(), self.lexer)

    def statement(self) -> bool:
        if self.lexer.at(";"):
            return super().statement()
        statement = self._reader.statement()
        self._interpreter.execute(statement)
        return isinstance(statement, _REPEATABLE) and not self._interpreter.names.has_variables

    def _declare_physical(self) -> None:
        """Declare the physical qubits `$0`, `$1`, ... up to the highest in the source."""
        lexer = self.lexer
        highest, start = -1, 0
        lexer.seek(0)
        while lexer.kind != "end":
            if lexer.kind == "physical":
                # Twelve digits are enough to exceed any limit.
                index = int(lexer.text[1:].lstrip("0")[:12] or "0")
                if index > highest:
                    highest, start = index, lexer.start
            lexer.advance()
        if highest >= 0:
            self.program.declare_qubits(PHYSICAL, highest + 1, start)


def _finished(circuit: Circuit, lexer: Lexer) -> Circuit:
    """Put the bits of variables behind those of registers.

    A circuit that measures nothing needs no variables: what it computes is known. Raises
    `CircuitError` if such a circuit has an endless loop.
    """
    if not circuit.has_control:
        return circuit
    if _only_measures(circuit):
        return replace(with_bits(circuit), scratch_bits=0)
    shift = circuit.num_clbits - SCRATCH
    moved = replace(
        circuit,
        operations=tuple([_moved(operation, shift) for operation in circuit.operations]),
        assignments=tuple([_moved_assignment(each, shift) for each in circuit.assignments]),
    )
    try:
        return without_measurements(moved)
    except UnboundedLoopError:
        raise lexer.error(
            f"the loops of this circuit have more than {MAX_ROUNDS:,} rounds, and no measurement "
            "ends them",
            0,
        ) from None


def _only_measures(circuit: Circuit) -> bool:
    """Whether a circuit without bits computes nothing from its measurements."""
    return not (
        circuit.clbit_registers
        or circuit.assignments
        or any(each.condition for each in circuit.operations)
    )


def _moved(operation: Operation, shift: int) -> Operation:
    condition, clbits = operation.condition, operation.clbits
    if condition is not None and condition.offset >= SCRATCH:
        condition = Condition(condition.offset + shift, condition.size, condition.value)
        operation = operation._replace(condition=condition)
    if clbits and clbits[0] >= SCRATCH:
        operation = operation._replace(clbits=(clbits[0] + shift,))
    return operation


def _moved_assignment(assignment: Assignment, shift: int) -> Assignment:
    offset, size, formula = assignment
    moved: Formula = tuple([_moved_item(item, shift) for item in formula])
    return Assignment(offset + shift if offset >= SCRATCH else offset, size, moved)


def _moved_item(item: int | Bits | Apply, shift: int) -> int | Bits | Apply:
    if isinstance(item, Bits) and item.offset >= SCRATCH:
        return item._replace(offset=item.offset + shift)
    return item
