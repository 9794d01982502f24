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
from quantcloud.openqasm.lexer import Lexer, position, shown

# As in Python and Qiskit: -2^2 is -4, 2^-1 is 0.5, and only ^ is right-associative.
_PRECEDENCE: Final[Mapping[str, int]] = {"+": 1, "-": 1, "*": 2, "/": 2, NEGATE: 3, "^": 4}


class _Output:
    """A postfix expression under construction.

    `symbolic` says of each pending operand whether it depends on a parameter.
    """

    def __init__(self) -> None:
        self.items: list[float | int | str] = []
        self.symbolic: list[bool] = []

    def operand(self, item: float, *, symbolic: bool) -> None:
        self.items.append(item)
        self.symbolic.append(symbolic)

    def apply(self, symbol: str) -> None:
        """Apply an operator or a function to the most recent operands."""
        items, symbolic = self.items, self.symbolic
        if symbol == NEGATE or symbol in FUNCTIONS:
            if symbolic[-1]:
                items.append(symbol)
                return
            value = float(items.pop())
            items.append(-value if symbol == NEGATE else unary(symbol, value))
            return
        if symbolic.pop() | symbolic.pop():
            items.append(symbol)
            symbolic.append(True)
            return
        second, first = float(items.pop()), float(items.pop())
        items.append(binary(symbol, first, second))
        symbolic.append(False)


class ExpressionParser:
    """Parses one expression at a lexer's cursor and leaves the cursor after it."""

    def __init__(self, lexer: Lexer) -> None:
        self._lexer = lexer

    def parse(self, parameters: Mapping[str, int]) -> Expression:
        """Return the expression in postfix; `parameters` maps names to their indices.

        Raises `CircuitError` at the position of the error.
        """
        lexer = self._lexer
        start = lexer.start
        output = _Output()
        waiting: list[str] = []  # operators, functions, and "(" for each open parenthesis
        openings: list[int] = []
        try:
            while True:
                self._operand(parameters, output, waiting, openings)
                self._closings(output, waiting, openings)
                symbol = self._infix()
                if symbol is None:
                    break
                level = _PRECEDENCE[symbol] + (symbol == "^")
                while waiting and _PRECEDENCE.get(waiting[-1], 0) >= level:
                    output.apply(waiting.pop())
                waiting.append(symbol)
            if self._misses_operator(parameters):
                raise lexer.error(
                    f"an operator is missing before {lexer.described()}; for a product write '*'"
                )
            if openings:
                line, column = position(lexer.source, openings[-1])
                raise lexer.error(
                    f"expected ')' for the '(' at line {line}, column {column}, "
                    f"got {lexer.described()}"
                )
            while waiting:
                output.apply(waiting.pop())
        except ExpressionError as error:
            raise lexer.error(f"in this expression: {error}", start) from None
        return tuple(output.items)

    def value(self) -> float:
        """Return the value of an expression without parameters. Raises `CircuitError`."""
        return float(self.parse({})[0])

    def _operand(
        self,
        parameters: Mapping[str, int],
        output: _Output,
        waiting: list[str],
        openings: list[int],
    ) -> None:
        """Parse prefix operators and opening parentheses, and the operand after them."""
        lexer = self._lexer
        while True:
            text, kind = lexer.text, lexer.kind
            if kind in ("real", "int"):
                output.operand(finite(float(text)), symbolic=False)
            elif kind == "id" and text in parameters:
                output.operand(parameters[text], symbolic=True)
            elif kind == "id" and text == "pi":
                output.operand(math.pi, symbolic=False)
            elif kind == "id" and text in FUNCTIONS:
                waiting.append(text)
                lexer.advance()
                if not lexer.at("("):
                    raise lexer.error(f"expected '(' after the function '{text}'")
                continue
            elif text == "(" and kind == "op":
                waiting.append("(")
                openings.append(lexer.start)
                lexer.advance()
                continue
            elif text in ("-", "+") and kind == "op":
                if text == "-":
                    waiting.append(NEGATE)
                lexer.advance()
                continue
            else:
                raise self._unexpected(parameters)
            lexer.advance()
            return

    def _closings(self, output: _Output, waiting: list[str], openings: list[int]) -> None:
        """Parse the closing parentheses after an operand."""
        while openings and self._lexer.at(")"):
            self._lexer.advance()
            openings.pop()
            while (symbol := waiting.pop()) != "(":
                output.apply(symbol)
            if waiting and waiting[-1] in FUNCTIONS:
                output.apply(waiting.pop())

    def _infix(self) -> str | None:
        lexer = self._lexer
        symbol = lexer.text if lexer.kind == "op" else ""
        if symbol == "**":
            symbol = "^"
        if symbol not in OPERATORS:
            return None
        lexer.advance()
        return symbol

    def _unexpected(self, parameters: Mapping[str, int]) -> Exception:
        lexer = self._lexer
        if lexer.kind != "id":
            return lexer.error(f"expected a number or an expression, got {lexer.described()}")
        known = ", ".join([*parameters, "pi"][:8])
        return lexer.error(f"{shown(lexer.text)} is not defined here; known are {known}")

    def _misses_operator(self, parameters: Mapping[str, int]) -> bool:
        """Return whether an operand follows where an operator is needed, as in `2pi`."""
        lexer = self._lexer
        return lexer.kind == "id" and (
            lexer.text in parameters or lexer.text == "pi" or lexer.text in FUNCTIONS
        )
