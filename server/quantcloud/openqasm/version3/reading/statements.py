"""Reads statements of OpenQASM 3 into syntax trees."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from quantcloud.openqasm.hints import words
from quantcloud.openqasm.lexer import Lexer, shown
from quantcloud.openqasm.version3.reading import syntax
from quantcloud.openqasm.version3.reading.declarations import DeclarationReader
from quantcloud.openqasm.version3.reading.words import (
    MODIFIERS,
    REFUSED,
    RESERVED,
    SCALARS,
    refusal,
    refused,
)

_ASSIGNMENTS: Final = words("= += -= *= /= %= **= &= |= ^= <<= >>= ~=")
_DEEPEST: Final = 50


class StatementReader(DeclarationReader):
    """Reads statements at a lexer's cursor. Every method raises `CircuitError` at an error."""

    def __init__(self, lexer: Lexer, libraries: tuple[str, ...]) -> None:
        super().__init__(lexer)
        self._libraries = libraries
        self._blocks = 0
        # These read what follows the first word, and take its offset: whole statements, and those
        # that end with a semicolon.
        self._whole: Mapping[str, Callable[[int], syntax.Statement]] = {
            "OPENQASM": self._late_header,
            "else": self._else,
            "gate": self._gate_body,
            "def": self._subroutine,
            "if": self._if,
            "for": self._for,
            "while": self._while,
            "switch": self._switch,
        }
        self._simple: Mapping[str, Callable[[int], syntax.Statement]] = {
            "include": self._include,
            "qreg": lambda _: self._register("qubit"),
            "creg": lambda _: self._register("bit"),
            "const": lambda _: self._variable(is_constant=True),
            "input": self._input,
            "let": self._alias,
            "opaque": self._opaque,
            **{word: partial(syntax.Jump, word) for word in ("break", "continue", "end")},
            "return": lambda start: syntax.Return(None if lexer.at(";") else self.value(), start),
            "measure": self._measure,
            "reset": lambda start: syntax.Reset(self._qubit(), start),
            "barrier": lambda start: syntax.Barrier(self._qubits_if_any(), start),
            "delay": self._delay,
        }
        # These begin at the first word.
        self._others: Mapping[str, Callable[[], syntax.Statement]] = {
            **dict.fromkeys(SCALARS, self._variable),
            **dict.fromkeys(MODIFIERS | {"gphase"}, self._gate),
            "qubit": self._declared_qubits,
        }

    def statement(self) -> syntax.Statement:
        lexer = self._lexer
        text, start = lexer.text, lexer.start
        if lexer.kind == "id":
            if (whole := self._whole.get(text)) is not None:
                lexer.advance()
                return whole(start)
            if text in REFUSED:
                raise refused(lexer, text)
            if (simple := self._simple.get(text)) is not None:
                lexer.advance()
                statement = simple(start)
            else:
                statement = self._others.get(text, self._named)()
            lexer.end_statement()
            return statement
        if lexer.kind == "op":
            if text == ";":
                lexer.advance()
                return syntax.Nothing(lexer.start)
            if text == "@":
                raise refusal(lexer, "annotations", "leave it out")
            if text == "#":
                raise refused(lexer, "pragma")
            if text == "{":
                raise refusal(lexer, "free-standing blocks", "write the statements without braces")
        raise lexer.error(f"expected a statement, got {lexer.described()}")

    def block(self, where: str) -> syntax.Body:
        lexer = self._lexer
        self._blocks += 1
        if self._blocks > _DEEPEST:
            raise refusal(lexer, f"blocks more than {_DEEPEST} deep", "use subroutines ('def')")
        if lexer.accept("{"):
            found: list[syntax.Statement] = []
            while not lexer.accept("}"):
                if lexer.kind == "end":
                    raise lexer.error(f"expected '}}' at the end of {where}")
                found.append(self.statement())
            body = tuple(found)
        else:
            body = (self.statement(),)
        self._blocks -= 1
        return body

    def _late_header(self, start: int) -> syntax.Statement:
        raise self._lexer.error("the version has to be the first statement of the source", start)

    def _include(self, start: int) -> syntax.Statement:
        self._lexer.include(self._libraries)
        return syntax.Nothing(start)

    # Statements that begin with a name

    def _named(self) -> syntax.Statement:
        lexer = self._lexer
        name, start = lexer.text, lexer.start
        if name in RESERVED and name not in ("U", "CX"):
            raise lexer.error(f"expected a statement, got {lexer.described()}")
        lexer.advance()
        if lexer.at("[") or lexer.text in _ASSIGNMENTS:
            return self._assignment(name, start)
        has_params = lexer.at("(")
        params = self._params()
        if has_params and lexer.at(";"):
            return syntax.Expression(params, syntax.Call(name, len(params), start), start)
        return self._call((), name, params, start)

    def _assignment(self, name: str, start: int) -> syntax.Statement:
        lexer = self._lexer
        index = None
        if lexer.accept("["):
            index = self.index()
            if lexer.accept("["):
                index = (*index, *self.index())
        symbol = lexer.text
        if symbol not in _ASSIGNMENTS or lexer.kind != "op":
            raise lexer.error(
                f"expected '=' after {shown(name)} and its index, got {lexer.described()}"
            )
        lexer.advance()
        value = self.value()
        if symbol != "=" and isinstance(value, syntax.Measure):
            raise lexer.error("a measurement is assigned with '='", value.start)
        operator = None if symbol == "=" else symbol[:-1]
        return syntax.Assign(syntax.Target(name, index, start), operator, value, start)

    def _call(
        self,
        modifiers: tuple[syntax.Modifier, ...],
        name: str,
        params: tuple[syntax.Code, ...],
        start: int,
    ) -> syntax.Gate:
        operands = self._qubits_if_any() if name == "gphase" else self._qubits()
        return syntax.Gate(modifiers, name, params, operands, start)

    def _qubits_if_any(self) -> tuple[syntax.Code, ...]:
        return () if self._lexer.at(";") else self._qubits()

    def _qubits(self) -> tuple[syntax.Code, ...]:
        return tuple(self._lexer.listed(self._qubit))

    def _qubit(self) -> syntax.Code:
        """Read a qubit or a register, with an index or not."""
        lexer = self._lexer
        if lexer.kind not in ("id", "physical"):
            raise lexer.error(f"expected a qubit, got {lexer.described()}")
        code: syntax.Code = (syntax.Name(lexer.text, lexer.start),)
        lexer.advance()
        while lexer.at("["):
            lexer.advance()
            code = (*code, *self.index())
        return code

    # Gates

    def _gate(self) -> syntax.Statement:
        lexer = self._lexer
        start = lexer.start
        modifiers: list[syntax.Modifier] = []
        while lexer.kind == "id" and lexer.text in MODIFIERS:
            word, place = lexer.text, lexer.start
            lexer.advance()
            argument = None
            if word != "inv" and lexer.accept("("):
                argument = self.code()
                lexer.expect(")", f"after the argument of '{word}'")
            elif word == "pow":
                raise lexer.error("expected '(' and the exponent after 'pow'")
            lexer.expect("@", f"after '{word}'")
            modifiers.append(syntax.Modifier(word, argument, place))
        name, start = lexer.name("a gate")
        if name == "gphase" and not lexer.at("("):
            lexer.expect("(", "after 'gphase'")
        return self._call(tuple(modifiers), name, self._params(), start)

    def _params(self) -> tuple[syntax.Code, ...]:
        """Read the angles of a gate in parentheses, if it has any."""
        if not self._lexer.accept("("):
            return ()
        params = self.codes(")")
        self._lexer.expect(")", "or ',' after the angle")
        return params

    # Instructions

    def _measure(self, start: int) -> syntax.Statement:
        source = self._qubit()
        if not self._lexer.accept("->"):
            return syntax.Measure(source, start)
        name, place = self._lexer.name("a classical bit")
        index = self.index() if self._lexer.accept("[") else None
        return syntax.Assign(
            syntax.Target(name, index, place), None, syntax.Measure(source, start), start
        )

    def _delay(self, start: int) -> syntax.Statement:
        self._lexer.expect("[", "and a duration after 'delay'")
        duration = self.code()
        self._lexer.expect("]", "after the duration")
        return syntax.Delay(duration, self._qubits_if_any(), start)

    # Control flow

    def _test(self, word: str) -> syntax.Code:
        self._lexer.expect("(", f"after '{word}'")
        test = self.code()
        self._lexer.expect(")", "after the condition")
        return test

    def _else(self, start: int) -> syntax.Statement:
        raise self._lexer.error("this 'else' has no 'if' before it", start)

    def _if(self, start: int) -> syntax.Statement:
        test = self._test("if")
        then = self.block("this block")
        otherwise = self.block("this block") if self._lexer.accept("else") else ()
        return syntax.If(test, then, otherwise, start)

    def _while(self, start: int) -> syntax.Statement:
        return syntax.While(self._test("while"), self.block("this loop"), start)

    def _for(self, start: int) -> syntax.Statement:
        lexer = self._lexer
        if lexer.text not in SCALARS:
            raise lexer.error("expected a type and a name after 'for', as in 'for int i in [0:3]'")
        wanted = self.type_name()
        name, _ = lexer.new_name("a loop variable")
        lexer.expect("in", "after the loop variable")
        values = self.values()
        return syntax.For(wanted, name, values, self.block("this loop"), start)

    def _switch(self, start: int) -> syntax.Statement:
        lexer = self._lexer
        value = self._test("switch")
        lexer.expect("{", "after the value of 'switch'")
        cases: list[tuple[tuple[syntax.Code, ...], syntax.Body]] = []
        default: syntax.Body = ()
        while not lexer.accept("}"):
            if lexer.accept("default"):
                default = self.block("this case")
                lexer.expect("}", "after 'default', which is the last case")
                break
            lexer.expect("case", "or 'default' in 'switch'")
            cases.append((self.codes("{"), self.block("this case")))
        return syntax.Switch(value, tuple(cases), default, start)
