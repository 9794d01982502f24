"""Reads statements of OpenQASM 3 into syntax trees."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from quantcloud.openqasm.hints import words
from quantcloud.openqasm.lexer import Lexer, shown
from quantcloud.openqasm.version3.declarations import DeclarationReader
from quantcloud.openqasm.version3.syntax import (
    Assign,
    Barrier,
    Body,
    Call,
    Code,
    Delay,
    Expression,
    For,
    Gate,
    If,
    Jump,
    Measure,
    Measurement,
    Modifier,
    Name,
    Nothing,
    Reset,
    Return,
    Statement,
    Switch,
    Target,
    While,
)
from quantcloud.openqasm.version3.words import (
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
        # These read what follows the first word, and take its offset.
        self._readers: Mapping[str, Callable[[int], Statement]] = {
            "OPENQASM": self._late_header,
            "include": self._include,
            "qreg": lambda _: self.register("qubit"),
            "creg": lambda _: self.register("bit"),
            "const": self.constant,
            "input": self.input,
            "let": self.alias,
            "gate": self.gate_body,
            "opaque": self.opaque,
            "def": self.subroutine,
            "if": self._if,
            "else": self._else,
            "for": self._for,
            "while": self._while,
            "switch": self._switch,
            **{word: partial(self._jump, word) for word in ("break", "continue", "end")},
            "return": self._return,
            "measure": self._measure,
            "reset": self._reset,
            "barrier": self._barrier,
            "delay": self._delay,
        }
        self._whole_readers: Mapping[str, Callable[[], Statement]] = {
            **dict.fromkeys(SCALARS, self.variable),
            **dict.fromkeys(MODIFIERS | {"gphase"}, self._gate),
            "qubit": self.qubits,
        }

    def statement(self) -> Statement:
        """Read one statement."""
        lexer = self._lexer
        text, start = lexer.text, lexer.start
        if lexer.kind == "id":
            reader = self._readers.get(text)
            if reader is not None:
                lexer.advance()
                return reader(start)
            if text in REFUSED:
                raise refused(lexer, text)
            return self._whole_readers.get(text, self._named)()
        if lexer.kind == "op":
            if text == ";":
                lexer.advance()
                return Nothing(lexer.start)
            if text == "@":
                raise refusal(lexer, "annotations", "leave it out")
            if text == "#":
                raise refused(lexer, "pragma")
            if text == "{":
                raise refusal(lexer, "free-standing blocks", "write the statements without braces")
        raise lexer.error(f"expected a statement, got {lexer.described()}")

    def block(self, where: str) -> Body:
        lexer = self._lexer
        self._blocks += 1
        if self._blocks > _DEEPEST:
            raise refusal(lexer, f"blocks more than {_DEEPEST} deep", "use subroutines ('def')")
        if lexer.accept("{"):
            found: list[Statement] = []
            while not lexer.accept("}"):
                if lexer.kind == "end":
                    raise lexer.error(f"expected '}}' at the end of {where}")
                found.append(self.statement())
            body = tuple(found)
        else:
            body = (self.statement(),)
        self._blocks -= 1
        return body

    def _late_header(self, start: int) -> Statement:
        raise self._lexer.error("the version has to be the first statement of the source", start)

    def _include(self, start: int) -> Statement:
        self._lexer.end_include(self._libraries)
        return Nothing(start)

    # Statements that begin with a name

    def _named(self) -> Statement:
        lexer = self._lexer
        name, start = lexer.text, lexer.start
        if name in RESERVED and name not in ("U", "CX"):
            raise lexer.error(f"expected a statement, got {lexer.described()}")
        lexer.advance()
        if lexer.at("[") or lexer.text in _ASSIGNMENTS:
            return self._assignment(name, start)
        params: tuple[Code, ...] = ()
        called = lexer.accept("(")
        if called:
            params = self.codes(")")
            lexer.expect(")", "or ',' after the angle")
            if lexer.at(";"):
                lexer.advance()
                items = [item for param in params for item in param]
                return Expression((*items, Call(name, len(params), start)), start)
        return self._call((), name, params, start)

    def _assignment(self, name: str, start: int) -> Statement:
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
        if symbol != "=" and isinstance(value, Measurement):
            raise lexer.error("a measurement is assigned with '='", value.start)
        lexer.end_statement()
        operator = None if symbol == "=" else symbol[:-1]
        return Assign(Target(name, index, start), operator, value, start)

    def _call(
        self, modifiers: tuple[Modifier, ...], name: str, params: tuple[Code, ...], start: int
    ) -> Gate:
        lexer = self._lexer
        operands = () if lexer.at(";") and name == "gphase" else self._qubits()
        lexer.end_statement()
        return Gate(modifiers, name, params, operands, start)

    def _qubits(self) -> tuple[Code, ...]:
        found: list[Code] = []
        while True:
            found.append(self._qubit())
            if not self._lexer.accept(","):
                return tuple(found)

    def _qubit(self) -> Code:
        """Read a qubit or a register, with an index or not."""
        lexer = self._lexer
        if lexer.kind not in ("id", "physical"):
            raise lexer.error(f"expected a qubit, got {lexer.described()}")
        code: Code = (Name(lexer.text, lexer.start),)
        lexer.advance()
        while lexer.at("["):
            lexer.advance()
            code = (*code, *self.index())
        return code

    # Gates

    def _gate(self) -> Statement:
        lexer = self._lexer
        start = lexer.start
        modifiers: list[Modifier] = []
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
            modifiers.append(Modifier(word, argument, place))
        name, start = lexer.name("a gate")
        params: tuple[Code, ...] = ()
        if name == "gphase":
            lexer.expect("(", "after 'gphase'")
            params = self.codes(")")
            lexer.expect(")", "after the angle")
        elif lexer.accept("("):
            params = self.codes(")")
            lexer.expect(")", "or ',' after the angle")
        return self._call(tuple(modifiers), name, params, start)

    # Instructions

    def _measure(self, start: int) -> Statement:
        lexer = self._lexer
        source = self._qubit()
        target = None
        if lexer.accept("->"):
            name, place = lexer.name("a classical bit")
            index = self.index() if lexer.accept("[") else None
            target = Target(name, index, place)
        lexer.end_statement()
        if target is None:
            return Measure(source, start)
        return Assign(target, None, Measurement(source, start), start)

    def _reset(self, start: int) -> Statement:
        target = self._qubit()
        self._lexer.end_statement()
        return Reset(target, start)

    def _barrier(self, start: int) -> Statement:
        operands = () if self._lexer.at(";") else self._qubits()
        self._lexer.end_statement()
        return Barrier(operands, start)

    def _delay(self, start: int) -> Statement:
        lexer = self._lexer
        lexer.expect("[", "and a duration after 'delay'")
        duration = self.code()
        lexer.expect("]", "after the duration")
        operands = () if lexer.at(";") else self._qubits()
        lexer.end_statement()
        return Delay(duration, operands, start)

    # Control flow

    def _test(self, word: str) -> Code:
        self._lexer.expect("(", f"after '{word}'")
        test = self.code()
        self._lexer.expect(")", "after the condition")
        return test

    def _else(self, start: int) -> Statement:
        raise self._lexer.error("this 'else' has no 'if' before it", start)

    def _if(self, start: int) -> Statement:
        test = self._test("if")
        then = self.block("this block")
        otherwise = self.block("this block") if self._lexer.accept("else") else ()
        return If(test, then, otherwise, start)

    def _while(self, start: int) -> Statement:
        return While(self._test("while"), self.block("this loop"), start)

    def _for(self, start: int) -> Statement:
        lexer = self._lexer
        if lexer.text not in SCALARS:
            raise lexer.error("expected a type and a name after 'for', as in 'for int i in [0:3]'")
        wanted = self.type_name()
        name, _ = lexer.new_name("a loop variable")
        lexer.expect("in", "after the loop variable")
        values = self.values()
        return For(wanted, name, values, self.block("this loop"), start)

    def _switch(self, start: int) -> Statement:
        lexer = self._lexer
        value = self._test("switch")
        lexer.expect("{", "after the value of 'switch'")
        cases: list[tuple[tuple[Code, ...], Body]] = []
        default: Body = ()
        while not lexer.accept("}"):
            if lexer.accept("default"):
                default = self.block("this case")
                lexer.expect("}", "after 'default', which is the last case")
                break
            lexer.expect("case", "or 'default' in 'switch'")
            cases.append((self.codes("{"), self.block("this case")))
        return Switch(value, tuple(cases), default, start)

    def _jump(self, word: str, start: int) -> Statement:
        self._lexer.end_statement()
        return Jump(word, start)

    def _return(self, start: int) -> Statement:
        value = None if self._lexer.at(";") else self.value()
        self._lexer.end_statement()
        return Return(value, start)
