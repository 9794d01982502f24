"""Reads declarations of OpenQASM 3."""

from abc import ABC, abstractmethod
from typing import Final

from quantcloud.openqasm.lexer import shown
from quantcloud.openqasm.version3.arithmetic.values import INT, Known
from quantcloud.openqasm.version3.reading import syntax
from quantcloud.openqasm.version3.reading.expressions import ExpressionReader
from quantcloud.openqasm.version3.reading.words import SCALARS

_PARAMETERS: Final = SCALARS | {"qubit"}


class DeclarationReader(ExpressionReader, ABC):
    """Reads declarations after their first word, which is at `start`, or from their type on.

    Every method raises `CircuitError` at an error.
    """

    @abstractmethod
    def block(self, where: str) -> syntax.Body:
        """Read a block in braces, or one statement."""

    def value(self) -> syntax.Value:
        """Read the value of an assignment, which may be a measurement."""
        lexer = self._lexer
        start = lexer.start
        if lexer.accept("measure"):
            return syntax.Measure(self.code(), start)
        return self.code()

    def _variable(self, *, is_constant: bool = False) -> syntax.Declaration:
        lexer = self._lexer
        wanted = self.type_name("a type after 'const'" if is_constant else "a type")
        what = "a classical register" if wanted.kind == "bit" else "a variable"
        name, start = lexer.new_name(what)
        value = None
        if lexer.accept("="):
            value = self.value()
        elif is_constant:
            raise lexer.error(f"expected '=' and the value of the constant {shown(name)}")
        return syntax.Declaration(wanted, name, start, value, is_constant)

    def _declared_qubits(self) -> syntax.Declaration:
        wanted = self.type_name(kinds=_PARAMETERS)
        name, start = self._lexer.new_name("a quantum register")
        return syntax.Declaration(wanted, name, start)

    def _register(self, kind: str) -> syntax.Declaration:
        lexer = self._lexer
        what = "a quantum register" if kind == "qubit" else "a classical register"
        name, start = lexer.new_name(what)
        size: syntax.Code | None = None
        if lexer.accept("["):
            size = self.code()
            lexer.expect("]", "after the size")
        # A register without a size has one bit, and is no scalar.
        wanted = syntax.TypeName(kind, size or (Known(INT, 1),), start)
        return syntax.Declaration(wanted, name, start)

    def _input(self, start: int) -> syntax.Input:
        lexer = self._lexer
        dimensions: tuple[syntax.Code, ...] = ()
        if lexer.accept("array"):
            lexer.expect("[", "after 'array'")
            wanted = self.type_name()
            lexer.expect(",", "and the number of elements after the type")
            dimensions = self.codes("]")
            lexer.expect("]", "after the number of elements")
        else:
            wanted = self.type_name()
        name, _ = lexer.new_name("a parameter")
        return syntax.Input(wanted, dimensions, name, start)

    def _alias(self, _: int) -> syntax.Alias:
        lexer = self._lexer
        name, start = lexer.new_name("an alias")
        lexer.expect("=", "after the alias")
        value = self.code()
        return syntax.Alias(name, value, start)

    def _gate_body(self, _: int) -> syntax.GateBody:
        lexer = self._lexer
        name, start = lexer.new_name("a gate")
        params, qubits = lexer.gate_operands()
        if not lexer.at("{"):
            lexer.expect("{", f"to begin the definition of gate {shown(name)}")
        body = self.block(f"the definition of {shown(name)}")
        return syntax.GateBody(name, params, qubits, body, start)

    def _opaque(self, _: int) -> syntax.Opaque:
        name, start = self._lexer.new_name("a gate")
        self._lexer.gate_operands()
        return syntax.Opaque(name, start)

    def _subroutine(self, _: int) -> syntax.Subroutine:
        lexer = self._lexer
        name, start = lexer.new_name("a subroutine")
        lexer.expect("(", f"after the name of {shown(name)}")
        parameters = lexer.listed_before(")", self._parameter)
        lexer.expect(")", "after the parameters")
        result = self.type_name("a result type", _PARAMETERS) if lexer.accept("->") else None
        if not lexer.at("{"):
            lexer.expect("{", f"to begin the subroutine {shown(name)}")
        body = self.block(f"the subroutine {shown(name)}")
        return syntax.Subroutine(name, tuple(parameters), result, body, start)

    def _parameter(self) -> syntax.Declaration:
        wanted = self.type_name("the type of a parameter", _PARAMETERS)
        name, start = self._lexer.new_name("a parameter")
        return syntax.Declaration(wanted, name, start)
