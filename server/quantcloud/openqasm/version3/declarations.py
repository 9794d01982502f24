"""Reads declarations of OpenQASM 3."""

from abc import ABC, abstractmethod
from typing import Final

from quantcloud.openqasm.lexer import shown
from quantcloud.openqasm.version3.expressions import ExpressionReader
from quantcloud.openqasm.version3.syntax import (
    Alias,
    Body,
    Code,
    Declaration,
    GateBody,
    Input,
    Literal,
    Measurement,
    Opaque,
    Parameter,
    Subroutine,
    TypeName,
    Value,
)
from quantcloud.openqasm.version3.words import SCALARS

_PARAMETERS: Final = SCALARS | {"qubit"}


class DeclarationReader(ExpressionReader, ABC):
    """Reads declarations after their first word, which is at `start`, or from their type on.

    Every method raises `CircuitError` at an error.
    """

    @abstractmethod
    def block(self, where: str) -> Body:
        """Read a block in braces, or one statement."""

    def value(self) -> Value:
        """Read the value of an assignment, which may be a measurement."""
        lexer = self._lexer
        start = lexer.start
        if lexer.accept("measure"):
            return Measurement(self.code(), start)
        return self.code()

    def variable(self) -> Declaration:
        """Read the declaration of a variable from its type on."""
        return self._variable(self.type_name(), is_constant=False)

    def constant(self, _: int) -> Declaration:
        """Read the declaration of a constant."""
        return self._variable(self.type_name("a type after 'const'"), is_constant=True)

    def _variable(self, wanted: TypeName, *, is_constant: bool) -> Declaration:
        lexer = self._lexer
        what = "a classical register" if wanted.kind == "bit" else "a variable"
        name, start = lexer.new_name(what)
        value = None
        if lexer.accept("="):
            value = self.value()
        elif is_constant:
            raise lexer.error(f"expected '=' and the value of the constant {shown(name)}")
        lexer.end_statement()
        return Declaration(wanted, name, value, is_constant, start)

    def qubits(self) -> Declaration:
        """Read `qubit[size] name;`."""
        wanted = self.type_name(kinds=_PARAMETERS)
        name, start = self._lexer.new_name("a quantum register")
        self._lexer.end_statement()
        return Declaration(wanted, name, None, False, start)  # noqa: FBT003 - not a constant

    def register(self, kind: str) -> Declaration:
        """Read a register as in OpenQASM 2, of qubits or bits."""
        lexer = self._lexer
        what = "a quantum register" if kind == "qubit" else "a classical register"
        name, start = lexer.new_name(what)
        size: Code | None = None
        if lexer.accept("["):
            size = self.code()
            lexer.expect("]", "after the size")
        lexer.end_statement()
        # A register without a size has one bit, and is no scalar.
        wanted = TypeName(kind, size or (Literal("int", 1),), start)
        return Declaration(wanted, name, None, False, start)  # noqa: FBT003 - not a constant

    def input(self, start: int) -> Input:
        """Read an input of the program."""
        lexer = self._lexer
        dimensions: tuple[Code, ...] = ()
        if lexer.accept("array"):
            lexer.expect("[", "after 'array'")
            wanted = self.type_name()
            lexer.expect(",", "and the number of elements after the type")
            dimensions = self.codes("]")
            lexer.expect("]", "after the number of elements")
        else:
            wanted = self.type_name()
        name, _ = lexer.new_name("a parameter")
        lexer.end_statement()
        return Input(wanted, dimensions, name, start)

    def alias(self, _: int) -> Alias:
        """Read an alias."""
        lexer = self._lexer
        name, start = lexer.new_name("an alias")
        lexer.expect("=", "after the alias")
        value = self.code()
        lexer.end_statement()
        return Alias(name, value, start)

    def gate_body(self, _: int) -> GateBody:
        """Read the definition of a gate."""
        lexer = self._lexer
        name, start = lexer.new_name("a gate")
        params, qubits = lexer.gate_operands()
        brace = lexer.start
        if not lexer.at("{"):
            lexer.expect("{", f"to begin the definition of gate {shown(name)}")
        body = self.block(f"the definition of {shown(name)}")
        return GateBody(name, params, qubits, body, start, brace)

    def opaque(self, _: int) -> Opaque:
        """Read the declaration of a gate without a definition."""
        name, start = self._lexer.new_name("a gate")
        self._lexer.gate_operands()
        self._lexer.end_statement()
        return Opaque(name, start)

    def subroutine(self, _: int) -> Subroutine:
        """Read a subroutine."""
        lexer = self._lexer
        name, start = lexer.new_name("a subroutine")
        lexer.expect("(", f"after the name of {shown(name)}")
        parameters: list[Parameter] = []
        while not lexer.at(")"):
            wanted = self.type_name("the type of a parameter", _PARAMETERS)
            parameter, place = lexer.new_name("a parameter")
            parameters.append(Parameter(wanted, parameter, place))
            if not lexer.accept(","):
                break
        lexer.expect(")", "after the parameters")
        result = self.type_name("a result type", _PARAMETERS) if lexer.accept("->") else None
        if not lexer.at("{"):
            lexer.expect("{", f"to begin the subroutine {shown(name)}")
        body = self.block(f"the subroutine {shown(name)}")
        return Subroutine(name, tuple(parameters), result, body, start)
