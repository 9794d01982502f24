"""Reads statements of OpenQASM 3 into syntax trees."""

from collections.abc import Callable, Mapping
from typing import Final

from quantcloud.openqasm.hints import words
from quantcloud.openqasm.lexer import Lexer, shown
from quantcloud.openqasm.version3.declarations import DeclarationReader
from quantcloud.openqasm.version3.expressions import ExpressionReader
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
    Index,
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
    Value,
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


class StatementReader:
    """Reads statements at a lexer's cursor. Every method raises `CircuitError` at an error."""

    def __init__(self, lexer: Lexer, libraries: tuple[str, ...]) -> None:
        self._lexer = lexer
        self.expressions = ExpressionReader(lexer)
        self._declarations = DeclarationReader(lexer, self.expressions, self._value, self._block)
        self._libraries = libraries
        self._depth = 0
        self._readers: Mapping[str, Callable[[], Statement]] = {
            **self._declarations.readers,
            **dict.fromkeys(SCALARS, self._scalar),
            **dict.fromkeys(("break", "continue", "end"), self._jump),
            **dict.fromkeys(MODIFIERS | {"gphase"}, self._gate),
            "OPENQASM": self._late_header,
            "include": self._include,
            "if": self._if,
            "else": self._else,
            "for": self._for,
            "while": self._while,
            "switch": self._switch,
            "return": self._return,
            "measure": self._measure,
            "reset": self._reset,
            "barrier": self._barrier,
            "delay": self._delay,
        }

    def statement(self) -> Statement:
        """Read one statement."""
        lexer = self._lexer
        text = lexer.text
        if lexer.kind == "id":
            reader = self._readers.get(text)
            if reader is not None:
                return reader()
            if text in REFUSED:
                raise refused(lexer, text)
            return self._named()
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

    def _block(self, where: str) -> Body:
        """Read a block in braces, or one statement."""
        lexer = self._lexer
        self._depth += 1
        if self._depth > _DEEPEST:
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
        self._depth -= 1
        return body

    def _value(self) -> Value:
        """Read the value of an assignment, which may be a measurement."""
        lexer = self._lexer
        start = lexer.start
        if lexer.accept("measure"):
            return Measurement(self.expressions.code(), start)
        return self.expressions.code()

    def _late_header(self) -> Statement:
        raise self._lexer.error("the version has to be the first statement of the source")

    def _include(self) -> Statement:
        lexer = self._lexer
        start = lexer.start
        lexer.advance()
        lexer.end_include(self._libraries)
        return Nothing(start)

    # Statements that begin with a name

    def _scalar(self) -> Statement:
        return self._declarations.variable(is_constant=False)

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
            params = self.expressions.codes(")")
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
            index = self.expressions.index()
            if lexer.accept("["):
                index = (*index, *self.expressions.index())
        symbol = lexer.text
        if symbol not in _ASSIGNMENTS or lexer.kind != "op":
            raise lexer.error(
                f"expected '=' after {shown(name)} and its index, got {lexer.described()}"
            )
        lexer.advance()
        value = self._value()
        if symbol != "=" and isinstance(value, Measurement):
            raise lexer.error("a measurement is assigned with '='", value.start)
        lexer.end_statement()
        operator = None if symbol == "=" else symbol[:-1]
        return Assign(Target(name, index, start), operator, value, start)

    def _call(
        self, modifiers: tuple[Modifier, ...], name: str, params: tuple[Code, ...], start: int
    ) -> Gate:
        lexer = self._lexer
        operands: tuple[Code, ...] = ()
        if not (lexer.at(";") and name == "gphase"):
            operands = self._operands()
        lexer.end_statement()
        return Gate(modifiers, name, params, operands, start)

    def _operands(self) -> tuple[Code, ...]:
        found: list[Code] = []
        while True:
            found.append(self._operand())
            if not self._lexer.accept(","):
                return tuple(found)

    def _operand(self) -> Code:
        """Read a qubit or a register, with an index or not."""
        lexer = self._lexer
        if lexer.kind not in ("id", "physical"):
            raise lexer.error(f"expected a qubit, got {lexer.described()}")
        items: list[Name | Index] = [Name(lexer.text, lexer.start)]
        lexer.advance()
        code: Code = tuple(items)
        while lexer.at("["):
            lexer.advance()
            code = (*code, *self.expressions.index())
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
                argument = self.expressions.code()
                lexer.expect(")", f"after the argument of '{word}'")
            elif word == "pow":
                raise lexer.error("expected '(' and the exponent after 'pow'")
            lexer.expect("@", f"after '{word}'")
            modifiers.append(Modifier(word, argument, place))
        name, start = lexer.name("a gate")
        params: tuple[Code, ...] = ()
        if name == "gphase":
            lexer.expect("(", "after 'gphase'")
            params = self.expressions.codes(")")
            lexer.expect(")", "after the angle")
        elif lexer.accept("("):
            params = self.expressions.codes(")")
            lexer.expect(")", "or ',' after the angle")
        return self._call(tuple(modifiers), name, params, start)

    # Instructions

    def _measure(self) -> Statement:
        lexer = self._lexer
        start = lexer.start
        lexer.advance()
        source = self._operand()
        target = None
        if lexer.accept("->"):
            name, place = lexer.name("a classical bit")
            index = self.expressions.index() if lexer.accept("[") else None
            target = Target(name, index, place)
        lexer.end_statement()
        return Measure(source, target, start)

    def _reset(self) -> Statement:
        start = self._lexer.start
        self._lexer.advance()
        target = self._operand()
        self._lexer.end_statement()
        return Reset(target, start)

    def _barrier(self) -> Statement:
        start = self._lexer.start
        self._lexer.advance()
        operands = () if self._lexer.at(";") else self._operands()
        self._lexer.end_statement()
        return Barrier(operands, start)

    def _delay(self) -> Statement:
        lexer = self._lexer
        start = lexer.start
        lexer.advance()
        lexer.expect("[", "and a duration after 'delay'")
        duration = self.expressions.code()
        lexer.expect("]", "after the duration")
        operands = () if lexer.at(";") else self._operands()
        lexer.end_statement()
        return Delay(duration, operands, start)

    # Control flow

    def _test(self, word: str) -> Code:
        self._lexer.expect("(", f"after '{word}'")
        test = self.expressions.code()
        self._lexer.expect(")", "after the condition")
        return test

    def _else(self) -> Statement:
        raise self._lexer.error("this 'else' has no 'if' before it")

    def _if(self) -> Statement:
        start = self._lexer.start
        self._lexer.advance()
        test = self._test("if")
        then = self._block("this block")
        otherwise = self._block("this block") if self._lexer.accept("else") else ()
        return If(test, then, otherwise, start)

    def _while(self) -> Statement:
        start = self._lexer.start
        self._lexer.advance()
        return While(self._test("while"), self._block("this loop"), start)

    def _for(self) -> Statement:
        lexer = self._lexer
        start = lexer.start
        lexer.advance()
        if lexer.text not in SCALARS:
            raise lexer.error("expected a type and a name after 'for', as in 'for int i in [0:3]'")
        wanted = self.expressions.type_name()
        name, _ = self._declarations.new_name("a loop variable")
        lexer.expect("in", "after the loop variable")
        values = self.expressions.values()
        return For(wanted, name, values, self._block("this loop"), start)

    def _switch(self) -> Statement:
        lexer = self._lexer
        start = lexer.start
        lexer.advance()
        value = self._test("switch")
        lexer.expect("{", "after the value of 'switch'")
        cases: list[tuple[tuple[Code, ...], Body]] = []
        default: Body = ()
        while not lexer.accept("}"):
            if lexer.accept("default"):
                default = self._block("this case")
                lexer.expect("}", "after 'default', which is the last case")
                break
            lexer.expect("case", "or 'default' in 'switch'")
            cases.append((self.expressions.codes("{"), self._block("this case")))
        return Switch(value, tuple(cases), default, start)

    def _jump(self) -> Statement:
        word, start = self._lexer.text, self._lexer.start
        self._lexer.advance()
        self._lexer.end_statement()
        return Jump(word, start)

    def _return(self) -> Statement:
        start = self._lexer.start
        self._lexer.advance()
        value = None if self._lexer.at(";") else self._value()
        self._lexer.end_statement()
        return Return(value, start)
