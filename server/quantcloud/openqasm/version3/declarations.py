"""Reads declarations of OpenQASM 3."""

from collections.abc import Callable, Mapping

from quantcloud.openqasm.lexer import Lexer, shown
from quantcloud.openqasm.version3.expressions import ExpressionReader
from quantcloud.openqasm.version3.syntax import (
    Alias,
    Body,
    Code,
    Declaration,
    GateBody,
    Input,
    Literal,
    Opaque,
    Parameter,
    Statement,
    Subroutine,
    TypeName,
    Value,
)
from quantcloud.openqasm.version3.words import REFUSED, RESERVED, SCALARS, refused


class DeclarationReader:
    """Reads declarations at a lexer's cursor. Every method raises `CircuitError` at an error."""

    def __init__(
        self,
        lexer: Lexer,
        expressions: ExpressionReader,
        value: Callable[[], Value],
        block: Callable[[str], Body],
    ) -> None:
        """`value` reads the value of an assignment, and `block` a block."""
        self._lexer = lexer
        self._expressions = expressions
        self._value = value
        self._block = block
        self.readers: Mapping[str, Callable[[], Statement]] = {
            "qubit": self._qubits,
            "qreg": lambda: self._register("qubit"),
            "creg": lambda: self._register("bit"),
            "const": self._constant,
            "input": self._input,
            "let": self._alias,
            "gate": self._gate,
            "opaque": self._opaque,
            "def": self._subroutine,
        }

    def new_name(self, what: str) -> tuple[str, int]:
        """Read a name in its declaration; return it and its offset."""
        name, start = self._lexer.name(what)
        if name in RESERVED:
            raise self._lexer.error(
                f"{shown(name)} is a reserved word, it cannot name {what}", start
            )
        return name, start

    def variable(self, *, is_constant: bool) -> Declaration:
        """Read the declaration of a variable from its type on."""
        lexer = self._lexer
        kind = lexer.text
        wanted = self._expressions.type_name()
        name, start = self.new_name("a classical register" if kind == "bit" else "a variable")
        value = None
        if lexer.accept("="):
            value = self._value()
        elif is_constant:
            raise lexer.error(f"expected '=' and the value of the constant {shown(name)}")
        lexer.end_statement()
        return Declaration(wanted, name, value, is_constant, start)

    def _constant(self) -> Declaration:
        lexer = self._lexer
        lexer.advance()
        if lexer.text not in SCALARS:
            if lexer.text in REFUSED:
                raise refused(lexer, lexer.text)
            raise lexer.error(f"expected a type after 'const', got {lexer.described()}")
        return self.variable(is_constant=True)

    def _qubits(self) -> Declaration:
        wanted = self._expressions.type_name()
        name, start = self.new_name("a quantum register")
        self._lexer.end_statement()
        return Declaration(wanted, name, None, False, start)  # noqa: FBT003 - not a constant

    def _register(self, kind: str) -> Declaration:
        lexer = self._lexer
        lexer.advance()
        name, start = self.new_name(f"a {'quantum' if kind == 'qubit' else 'classical'} register")
        size: Code | None = None
        if lexer.accept("["):
            size = self._expressions.code()
            lexer.expect("]", "after the size")
        lexer.end_statement()
        # A register without a size has one bit, and is no scalar.
        wanted = TypeName(kind, size or (Literal("int", 1),), start)
        return Declaration(wanted, name, None, False, start)  # noqa: FBT003 - not a constant

    def _input(self) -> Input:
        lexer = self._lexer
        start = lexer.start
        lexer.advance()
        dimensions: tuple[Code, ...] = ()
        if lexer.accept("array"):
            lexer.expect("[", "after 'array'")
            wanted = self._input_type()
            lexer.expect(",", "and the number of elements after the type")
            dimensions = self._expressions.codes("]")
            lexer.expect("]", "after the number of elements")
        else:
            wanted = self._input_type()
        name, _ = self.new_name("a parameter")
        lexer.end_statement()
        return Input(wanted, dimensions, name, start)

    def _input_type(self) -> TypeName:
        if self._lexer.text not in SCALARS and self._lexer.text not in REFUSED:
            raise self._lexer.error(f"expected a type, got {self._lexer.described()}")
        return self._expressions.type_name()

    def _alias(self) -> Alias:
        lexer = self._lexer
        lexer.advance()
        name, start = self.new_name("an alias")
        lexer.expect("=", "after the alias")
        value = self._expressions.code()
        lexer.end_statement()
        return Alias(name, value, start)

    def _names(self, what: str, others: tuple[str, ...] = ()) -> tuple[str, ...]:
        names: dict[str, None] = {}
        while True:
            name, start = self.new_name(what)
            if name in names or name in others:
                raise self._lexer.error(f"{shown(name)} stands twice in this declaration", start)
            names[name] = None
            if not self._lexer.accept(","):
                return tuple(names)

    def _gate_head(self) -> tuple[str, int, tuple[str, ...], tuple[str, ...]]:
        lexer = self._lexer
        lexer.advance()
        name, start = self.new_name("a gate")
        params: tuple[str, ...] = ()
        if lexer.accept("(") and not lexer.accept(")"):
            params = self._names("a parameter")
            lexer.expect(")", "after the parameters")
        return name, start, params, self._names("a qubit", params)

    def _gate(self) -> GateBody:
        lexer = self._lexer
        name, start, params, qubits = self._gate_head()
        brace = lexer.start
        if not lexer.at("{"):
            lexer.expect("{", f"to begin the definition of gate {shown(name)}")
        body = self._block(f"the definition of {shown(name)}")
        return GateBody(name, params, qubits, body, start, brace)

    def _opaque(self) -> Opaque:
        name, start, _, _ = self._gate_head()
        self._lexer.end_statement()
        return Opaque(name, start)

    def _subroutine(self) -> Subroutine:
        lexer = self._lexer
        lexer.advance()
        name, start = self.new_name("a subroutine")
        lexer.expect("(", f"after the name of {shown(name)}")
        parameters: list[Parameter] = []
        while not lexer.at(")"):
            parameters.append(self._parameter())
            if not lexer.accept(","):
                break
        lexer.expect(")", "after the parameters")
        result = self._expressions_type("a result type") if lexer.accept("->") else None
        if not lexer.at("{"):
            lexer.expect("{", f"to begin the subroutine {shown(name)}")
        body = self._block(f"the subroutine {shown(name)}")
        return Subroutine(name, tuple(parameters), result, body, start)

    def _parameter(self) -> Parameter:
        wanted = self._expressions_type("the type of a parameter")
        name, start = self.new_name("a parameter")
        return Parameter(wanted, name, start)

    def _expressions_type(self, what: str) -> TypeName:
        lexer = self._lexer
        if lexer.text in REFUSED:
            raise refused(lexer, lexer.text)
        if lexer.text not in SCALARS | {"qubit"}:
            raise lexer.error(f"expected {what}, got {lexer.described()}")
        return self._expressions.type_name()
