"""Parses the operands of statements."""

from collections.abc import Mapping

from quantcloud.circuits.ir import Register
from quantcloud.openqasm.builder import CircuitBuilder, Operand
from quantcloud.openqasm.hints import out_of_range
from quantcloud.openqasm.lexer import Lexer, shown


class OperandReader:
    """Parses operands at a lexer's cursor. Every method raises `CircuitError` at an error."""

    def __init__(self, lexer: Lexer, program: CircuitBuilder) -> None:
        self._lexer = lexer
        self._program = program

    def qubit(self) -> Operand:
        return self._operand(self._program.qubits, "qubit")

    def qubits(self) -> list[Operand]:
        return self._lexer.listed(self.qubit)

    def clbit(self) -> Operand:
        return self._operand(self._program.clbits, "classical bit")

    def _operand(self, registers: Mapping[str, Register], what: str) -> Operand:
        lexer, program = self._lexer, self._program
        name, start = lexer.name(f"a {what}")
        register = registers.get(name)
        if register is None:
            if name in program.qubits or name in program.clbits:
                kind = "quantum" if name in program.qubits else "classical"
                message = f"{shown(name)} is a {kind} register, but a {what} is needed here"
                raise lexer.error(message, start)
            raise program.undeclared(name, registers, start)
        if not lexer.accept("["):
            return Operand(register.offset, register.size, whole=True, start=start)
        index_start, index_text = lexer.start, lexer.text
        index = lexer.integer("an index")
        if index >= register.size:
            index_text = shown(index_text)[1:-1]
            raise lexer.error(out_of_range(index_text, name, register.size, what), index_start)
        if lexer.at(":"):
            raise lexer.error(f"slices such as {name[:40]}[0:2] are not supported; name each bit")
        lexer.expect("]", "after the index")
        return Operand(register.offset + index, 1, whole=False, start=start)
