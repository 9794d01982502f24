"""Reads expressions of OpenQASM 3 into postfix notation.

Operators use an explicit stack, so only brackets nest calls of Python, and their depth is limited.
"""

from collections.abc import Callable, Container, Mapping
from itertools import chain
from typing import Final

from quantcloud.circuits.expressions import ExpressionError, finite
from quantcloud.openqasm.builder import DT_SECONDS
from quantcloud.openqasm.lexer import Lexer
from quantcloud.openqasm.version3.arithmetic.values import (
    BOOL,
    DURATION,
    FLOAT,
    Known,
    Type,
    whole_number,
)
from quantcloud.openqasm.version3.reading import syntax
from quantcloud.openqasm.version3.reading.words import REFUSED, SCALARS, refusal, refused

_BINARY: Final[Mapping[str, int]] = {
    "++": 0,
    "||": 1,
    "&&": 2,
    "|": 3,
    "^": 4,
    "&": 5,
    "==": 6,
    "!=": 6,
    "<": 7,
    "<=": 7,
    ">": 7,
    ">=": 7,
    "<<": 8,
    ">>": 8,
    "+": 9,
    "-": 9,
    "*": 10,
    "/": 10,
    "%": 10,
    "**": 12,
}
_PREFIX: Final = {"-": "neg", "~": "~", "!": "!", "+": ""}
_PREFIX_LEVEL: Final = 11
_MOST_BRACKETS: Final = 60
_LONGEST: Final = 200_000
_UNITS: Final = {
    "dt": DT_SECONDS,
    "ns": 1e-9,
    **dict.fromkeys(("us", "\u00b5s", "\u03bcs"), 1e-6),
    "ms": 1e-3,
    "s": 1.0,
}


class ExpressionReader:
    """Reads expressions at a lexer's cursor. Every method raises `CircuitError` at an error."""

    def __init__(self, lexer: Lexer) -> None:
        self._lexer = lexer
        self._depth = 0

    def code(self) -> syntax.Code:
        items: list[syntax.Item] = []
        self._expression(items)
        return tuple(items)

    def codes(self, end: str) -> tuple[syntax.Code, ...]:
        """Read expressions that are separated by commas, up to `end`, which is not read."""
        return tuple(self._lexer.listed_before(end, self.code))

    def index(self) -> syntax.Code:
        """Read the index after an opening bracket, and the closing bracket."""
        items: list[syntax.Item] = []
        self._indices(items)
        return tuple(items)

    def values(self) -> syntax.Code:
        """Read what a loop runs over: `[a:s:b]`, `{a, b}` or an expression."""
        items: list[syntax.Item] = []
        start = self._lexer.start
        if self._lexer.accept("["):
            if self._index_part(items) is None:
                raise self._lexer.error("expected a range such as [0:3]", start)
            self._lexer.expect("]", "after the range")
        else:
            self._set_or(self._expression, items)
        return tuple(items)

    def type_name(self, what: str = "a type", kinds: Container[str] = SCALARS) -> syntax.TypeName:
        """Read a type such as `int[8]`, one of `kinds`. An error says `what` is expected."""
        lexer = self._lexer
        word, start = lexer.text, lexer.start
        if word in REFUSED:
            raise refused(lexer, word)
        if word not in kinds:
            raise lexer.error(f"expected {what}, got {lexer.described()}")
        lexer.advance()
        size = None
        if lexer.accept("["):
            size = self.code()
            lexer.expect("]", "after the size")
        return syntax.TypeName(word, size, start)

    def _expression(self, items: list[syntax.Item]) -> None:
        lexer = self._lexer
        if self._depth > _MOST_BRACKETS:
            raise refusal(
                lexer,
                f"expressions with more than {_MOST_BRACKETS} nested brackets",
                "give parts of it a name with 'const'",
            )
        self._depth += 1
        waiting: list[tuple[int, syntax.Operator]] = []
        while True:
            self._prefixes(waiting)
            self._operand(items)
            symbol = lexer.text if lexer.kind == "op" else ""
            level = _BINARY.get(symbol)
            if level is None:
                break
            # A power groups from the right.
            self._release(items, waiting, level + (symbol == "**"))
            waiting.append((level, syntax.Operator(symbol, 2, lexer.start)))
            lexer.advance()
            if len(items) > _LONGEST:
                raise lexer.error("this expression is too long; split it")
        if lexer.kind in ("id", "int", "real", "timing", "based"):
            if lexer.text == "to":
                raise lexer.error("expected an operator, got 'to'")
            raise lexer.without_operator()
        self._release(items, waiting, -1)
        self._depth -= 1

    def _prefixes(self, waiting: list[tuple[int, syntax.Operator]]) -> None:
        lexer = self._lexer
        while lexer.kind == "op" and lexer.text in _PREFIX:
            if symbol := _PREFIX[lexer.text]:
                waiting.append((_PREFIX_LEVEL, syntax.Operator(symbol, 1, lexer.start)))
            lexer.advance()

    @staticmethod
    def _release(
        items: list[syntax.Item], waiting: list[tuple[int, syntax.Operator]], level: int
    ) -> None:
        while waiting and waiting[-1][0] >= level:
            items.append(waiting.pop()[1])

    def _operand(self, items: list[syntax.Item]) -> None:
        lexer = self._lexer
        kind, text, start = lexer.kind, lexer.text, lexer.start
        if kind in ("int", "real", "based", "timing", "string"):
            items.append(self._literal())
        elif kind == "physical":
            lexer.advance()
            items.append(syntax.Name(text, start))
        elif kind == "id":
            self._word(items)
        elif kind == "imaginary":
            raise refused(lexer, "complex")
        elif lexer.accept("("):
            self._expression(items)
            lexer.expect(")", "for the '(' above")
        elif text == "{" and kind == "op":
            raise lexer.error("a set such as {0, 2} can only stand in an index or a 'for'")
        else:
            got = lexer.described()
            raise lexer.error(f"expected a number or an expression, got {got}")
        while lexer.at("[") and lexer.kind == "op":
            lexer.advance()
            self._indices(items)

    def _literal(self) -> Known:
        lexer = self._lexer
        kind, text = lexer.kind, lexer.text
        if kind in ("int", "based"):
            value = lexer.whole_number("a number", 20)
            if value is None:
                try:
                    return Known(FLOAT, finite(float(text)))
                except (ExpressionError, ValueError):
                    raise lexer.error("this number is too large") from None
            return whole_number(value)
        if kind == "string":
            digits = text[1:-1].replace("_", "")
            if not digits or digits.strip("01"):
                raise lexer.error("a string stands for bits here and consists of 0 and 1")
            literal = Known(Type("bit", len(digits)), int(digits, 2))
        else:
            unit = ""
            if kind == "timing":
                unit = "dt" if text.endswith("dt") else text.lstrip("0123456789._eE+-")
            with lexer.located("in this expression", lexer.start):
                number = finite(float(text.removesuffix(unit)))
            literal = Known(DURATION, number * _UNITS[unit]) if unit else Known(FLOAT, number)
        lexer.advance()
        return literal

    def _word(self, items: list[syntax.Item]) -> None:
        lexer = self._lexer
        text, start = lexer.text, lexer.start
        if text in SCALARS:
            wanted = self.type_name()
            lexer.expect("(", "after the type, for a conversion")
            self._expression(items)
            lexer.expect(")", "after the value")
            items.append(wanted)
            return
        if text in REFUSED:
            raise refused(lexer, text)
        if text == "measure":
            raise lexer.error("a measurement has to be the whole value of an assignment")
        lexer.advance()
        if text in ("true", "false"):
            items.append(Known(BOOL, int(text == "true")))
        elif lexer.at("(") and lexer.kind == "op":
            lexer.advance()
            arguments = self.codes(")")
            lexer.expect(")", "or ',' after the argument")
            items += (*chain(*arguments), syntax.Call(text, len(arguments), start))
        else:
            items.append(syntax.Name(text, start))

    def _indices(self, items: list[syntax.Item]) -> None:
        lexer = self._lexer
        start = lexer.start
        parts = lexer.listed(lambda: self._set_or(self._index_part, items))
        lexer.expect("]", "after the index")
        items.append(syntax.Index(len(parts), start))

    def _index_part(self, items: list[syntax.Item]) -> syntax.Span | None:
        """Read an expression or a range; return the range."""
        lexer = self._lexer
        start, has_first = lexer.start, not lexer.at(":")
        if has_first:
            self._expression(items)
        if not lexer.accept(":"):
            return None
        has_last = not (lexer.at("]") or lexer.at(":"))
        if has_last:
            self._expression(items)
        has_step = lexer.accept(":")
        if has_step:
            if not has_last:
                raise lexer.error("a range has its step in the middle, as in [0:2:6]")
            has_last = not lexer.at("]")
            if has_last:
                self._expression(items)
        span = syntax.Span(has_first, has_step, has_last, start)
        items.append(span)
        return span

    def _set_or(
        self, read: Callable[[list[syntax.Item]], object], items: list[syntax.Item]
    ) -> None:
        """Read a set, or what `read` reads."""
        lexer = self._lexer
        if not lexer.accept("{"):
            read(items)
            return
        start = lexer.start
        elements = self.codes("}")
        lexer.expect("}", "after the set")
        items += (*chain(*elements), syntax.IndexSet(len(elements), start))
