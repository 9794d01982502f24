"""Parses a whole source of OpenQASM 3."""

from typing import Final

from quantcloud.circuits.ir import Circuit
from quantcloud.openqasm.operands import PHYSICAL
from quantcloud.openqasm.parser import Parser
from quantcloud.openqasm.version3.finish import finished
from quantcloud.openqasm.version3.interpreter import Interpreter
from quantcloud.openqasm.version3.statements import StatementReader
from quantcloud.openqasm.version3.syntax import Barrier, Gate, Reset
from quantcloud.openqasm.version3.words import RESERVED

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
        return finished(super().parse(), self.lexer)

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
