"""Parses the operands of statements."""

from collections.abc import Mapping

from quantcloud.circuits.ir import Register
from quantcloud.domain.errors import CircuitError
from quantcloud.openqasm.builder import CircuitBuilder, Operand
from quantcloud.openqasm.hints import nearest_name, quantity
from quantcloud.openqasm.lexer import Lexer, shown

PHYSICAL = "$"
"""The name of the register of OpenQASM 3's physical qubits, which are not declared."""


class OperandReader:
    """Parses operands at a lexer's cursor. Every method raises `CircuitError` at an error."""

    def __init__(self, lexer: Lexer, program: CircuitBuilder) -> None:
        self._lexer = lexer
        self._program = program

    def qubit(self) -> Operand:
        lexer = self._lexer
        if lexer.kind == "physical" and PHYSICAL in self._program.qubits:
            start, index = lexer.start, int(lexer.text[1:])
            lexer.advance()
            return Operand(index, 1, whole=False, start=start)
        return self._operand(self._program.qubits, "qubit")

    def qubits(self) -> list[Operand]:
        operands = [self.qubit()]
        while self._lexer.accept(","):
            operands.append(self.qubit())
        return operands

    def clbit(self) -> Operand:
        return self._operand(self._program.clbits, "classical bit")

    def _operand(self, registers: Mapping[str, Register], what: str) -> Operand:
        lexer = self._lexer
        name, start = lexer.name(f"a {what}")
        register = registers.get(name)
        if register is None:
            raise self._unknown(name, start, registers, what)
        if not lexer.accept("["):
            return Operand(register.offset, register.size, whole=True, start=start)
        index_start, index_text = lexer.start, lexer.text
        index = lexer.integer("an index")
        if index >= register.size:
            bits = quantity(register.size, what)
            last = f", {name[:40]}[0] to {name[:40]}[{register.size - 1}]" if register.size else ""
            raise lexer.error(
                f"index {shown(index_text)[1:-1]} is out of range: register {shown(name)} has "
                f"{bits}{last}",
                index_start,
            )
        if lexer.at(":"):
            raise lexer.error(f"slices such as {name[:40]}[0:2] are not supported; name each bit")
        lexer.expect("]", "after the index")
        return Operand(register.offset + index, 1, whole=False, start=start)

    def _unknown(
        self, name: str, start: int, registers: Mapping[str, Register], what: str
    ) -> CircuitError:
        program = self._program
        if name in program.qubits or name in program.clbits:
            kind = "quantum" if name in program.qubits else "classical"
            message = f"{shown(name)} is a {kind} register, but a {what} is needed here"
            return self._lexer.error(message, start)
        nearest = nearest_name(name, registers)
        hint = f"; did you mean '{nearest}'?" if nearest else ""
        return self._lexer.error(f"register {shown(name)} is not declared{hint}", start)
