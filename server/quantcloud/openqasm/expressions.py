"""Parses angles of OpenQASM 2: numbers, pi, functions, and the parameters of a gate definition.

The parser uses operator precedence with explicit stacks. So nesting takes memory in proportion to
the source and never overflows the interpreter's stack. Parts without parameters are evaluated while
they are parsed.
"""

import math
from collections.abc import Mapping
from typing import Final

from quantcloud.circuits.expressions import (
    FUNCTIONS,
    NEGATE,
    OPERATORS,
    ExpressionError,
    binary,
    finite,
    unary,
)
from quantcloud.circuits.ir import Expression
from quantcloud.openqasm.hints import not_defined
from quantcloud.openqasm.lexer import Lexer, position

# As in Python and Qiskit: -2^2 is -4, 2^-1 is 0.5, and only ^ is right-associative.
_PRECEDENCE: Final[Mapping[str, int]] = {"+": 1, "-": 1, "*": 2, "/": 2, NEGATE: 3, "^": 4}


def parsed_angle(lexer: Lexer, parameters: Mapping[str, int]) -> Expression:
    """Parse the expression at the cursor into postfix, and leave the cursor after it.

    `parameters` maps names to their indices. Raises `CircuitError` at the position of the error.
    """
    start = lexer.start
    try:
        return _AngleParser(lexer, parameters).parse()
    except ExpressionError as error:
        raise lexer.error(f"in this expression: {error}", start) from None


def parsed_constant(lexer: Lexer) -> float:
    """Parse an expression without parameters; return its value. Raises `CircuitError`."""
    return float(parsed_angle(lexer, {})[0])


class _AngleParser:
    """Parses one expression."""

    def __init__(self, lexer: Lexer, parameters: Mapping[str, int]) -> None:
        self._lexer = lexer
        self._names: Mapping[str, float] = {**parameters, "pi": math.pi}
        # Postfix: an operand without parameters is one `float`, because it is computed at once.
        self._items: list[float | int | str] = []
        # Operators, functions, and "(" for each open parenthesis, whose offsets follow.
        self._waiting: list[str] = []
        self._openings: list[int] = []

    def parse(self) -> Expression:
        lexer, waiting = self._lexer, self._waiting
        while True:
            self._operand()
            self._closings()
            symbol = "^" if lexer.text == "**" else lexer.text
            if lexer.kind != "op" or symbol not in OPERATORS:
                break
            lexer.advance()
            level = _PRECEDENCE[symbol] + (symbol == "^")
            while waiting and _PRECEDENCE.get(waiting[-1], 0) >= level:
                self._apply(waiting.pop())
            waiting.append(symbol)
        if lexer.kind == "id" and (lexer.text in self._names or lexer.text in FUNCTIONS):
            raise lexer.without_operator()
        if self._openings:
            line, column = position(lexer.source, self._openings[-1])
            raise lexer.error(
                f"expected ')' for the '(' at line {line}, column {column}, got {lexer.described()}"
            )
        while waiting:
            self._apply(waiting.pop())
        return tuple(self._items)

    def _operand(self) -> None:
        """Parse prefix operators and opening parentheses, and the operand after them."""
        lexer = self._lexer
        while True:
            text, kind = lexer.text, lexer.kind
            if kind in ("real", "int"):
                self._items.append(finite(float(text)))
            elif kind == "id" and text in self._names:
                self._items.append(self._names[text])
            elif kind == "id" and text in FUNCTIONS:
                self._waiting.append(text)
                lexer.advance()
                if not lexer.at("("):
                    raise lexer.error(f"expected '(' after the function '{text}'")
                continue
            elif text == "(" and kind == "op":
                self._waiting.append("(")
                self._openings.append(lexer.start)
                lexer.advance()
                continue
            elif text in ("-", "+") and kind == "op":
                if text == "-":
                    self._waiting.append(NEGATE)
                lexer.advance()
                continue
            else:
                raise self._unexpected()
            lexer.advance()
            return

    def _closings(self) -> None:
        """Parse the closing parentheses after an operand."""
        waiting = self._waiting
        while self._openings and self._lexer.at(")"):
            self._lexer.advance()
            self._openings.pop()
            while (symbol := waiting.pop()) != "(":
                self._apply(symbol)
            if waiting and waiting[-1] in FUNCTIONS:
                self._apply(waiting.pop())

    def _apply(self, symbol: str) -> None:
        """Apply an operator or a function to the most recent operands."""
        items = self._items
        last = items[-1]
        if symbol not in OPERATORS and isinstance(last, float):
            items[-1] = unary(symbol, last)
        elif isinstance(last, float) and isinstance(first := items[-2], float):
            items[-2:] = [binary(symbol, first, last)]
        else:
            items.append(symbol)

    def _unexpected(self) -> Exception:
        lexer = self._lexer
        if lexer.kind != "id":
            return lexer.error(f"expected a number or an expression, got {lexer.described()}")
        return lexer.error(not_defined(lexer.text, self._names))
