"""Parses a whole source of OpenQASM 3."""

from dataclasses import replace
from typing import Final

from quantcloud.circuits.classical import MAX_ROUNDS, UnboundedLoopError, without_measurements
from quantcloud.circuits.expand import with_bits
from quantcloud.circuits.ir import Assignment, Bits, Circuit, Operation
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
    """Give the bits of variables their places.

    A circuit that measures nothing needs no variables: what it computes is known. Raises
    `CircuitError` if such a circuit has an endless loop.
    """
    if not circuit.has_control:
        return circuit
    if _only_measures(circuit):
        return replace(with_bits(circuit), scratch_bits=0)
    try:
        return without_measurements(_with_scratch(circuit))
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


def _with_scratch(circuit: Circuit) -> Circuit:
    """Move the bits of variables from `SCRATCH` to the end of the registers."""
    shift = circuit.num_clbits - SCRATCH

    def place(offset: int) -> int:
        return offset + shift if offset >= SCRATCH else offset

    def moved(operation: Operation) -> Operation:
        condition, clbits = operation.condition, operation.clbits
        if condition is None and not clbits:
            return operation
        if condition is not None:
            condition = condition._replace(offset=place(condition.offset))
        return operation._replace(clbits=tuple(map(place, clbits)), condition=condition)

    assignments = [
        Assignment(
            place(offset),
            size,
            tuple(
                item._replace(offset=place(item.offset)) if isinstance(item, Bits) else item
                for item in formula
            ),
        )
        for offset, size, formula in circuit.assignments
    ]
    return replace(
        circuit,
        operations=tuple(map(moved, circuit.operations)),
        assignments=tuple(assignments),
    )
