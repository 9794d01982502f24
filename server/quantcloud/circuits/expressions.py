"""Evaluates angles: arithmetic with numbers, functions and parameters of gate definitions."""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from quantcloud.circuits.angles import Angle
from quantcloud.circuits.ir import Expression


class ExpressionError(ValueError):
    """An expression has no finite real value: a division by zero, the root of -1, 1e999."""


def _quotient(dividend: float, divisor: float) -> float:
    return dividend / divisor


def _power(base: float, exponent: float) -> float:
    value: float | complex = base**exponent
    if isinstance(value, complex):
        raise ExpressionError(f"({base:g})^({exponent:g}) is not a real number")
    return value


FUNCTIONS: Final[Mapping[str, Callable[[float], float]]] = {
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "exp": math.exp,
    "ln": math.log,
    "sqrt": math.sqrt,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
}
OPERATORS: Final[Mapping[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _quotient,
    "^": _power,
}
# Simulators add angles; the sum of a few of this size is still finite.
LARGEST: Final = 1e300
NEGATE: Final = "neg"


def binary(symbol: str, left: float, right: float) -> float:
    """Apply one of `OPERATORS`. Raises `ExpressionError`."""
    if isinstance(left, Angle) or isinstance(right, Angle):
        return Angle(symbol, (left, right))
    try:
        value = OPERATORS[symbol](left, right)
    except ZeroDivisionError:
        raise ExpressionError("division by zero") from None
    except OverflowError:
        value = math.inf
    return finite(value)


def unary(name: str, argument: float) -> float:
    """Apply one of `FUNCTIONS` or `NEGATE`. Raises `ExpressionError`."""
    if name == NEGATE:
        return -argument
    if isinstance(argument, Angle):
        return Angle(name, (argument,))
    try:
        value = FUNCTIONS[name](argument)
    except OverflowError:
        value = math.inf
    except ValueError:
        raise ExpressionError(f"{name}({argument:g}) does not exist as a real number") from None
    return finite(value)


def finite(value: float) -> float:
    """Return the value. Raises `ExpressionError` if it is too large or not a number."""
    # This comparison is also false for NaN.
    if not abs(value) <= LARGEST:
        raise ExpressionError("the value is too large")
    return value


def evaluate(expression: Expression, arguments: Sequence[float]) -> float:
    """Compute an angle in radians, with `arguments` for the parameters.

    It is an `Angle` if it depends on one. Raises `ExpressionError` if there is no value, or if it
    is too large.
    """
    if len(expression) == 1:
        item = expression[0]
        return item if isinstance(item, float) else arguments[int(item)]
    stack: list[float] = []
    for item in expression:
        if isinstance(item, float):
            stack.append(item)
        elif isinstance(item, int):
            stack.append(arguments[item])
        elif item in OPERATORS:
            right = stack.pop()
            stack[-1] = binary(item, stack[-1], right)
        else:
            stack[-1] = unary(item, stack[-1])
    return stack[0]


def negated(expression: Expression) -> Expression:
    """Return the expression for the negative angle."""
    if len(expression) == 1 and isinstance(expression[0], float):
        return (-expression[0],)
    return (*expression, NEGATE)


def is_constant(expression: Expression) -> bool:
    """Return whether an expression has no parameters."""
    return len(expression) == 1 and isinstance(expression[0], float)
