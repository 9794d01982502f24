"""Operators and functions on the values of expressions."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from quantcloud.circuits import classical
from quantcloud.circuits.classical import CAST, COMPARISONS, NEGATE, POPCOUNT
from quantcloud.circuits.expressions import FUNCTIONS, OPERATORS, ExpressionError, binary, unary
from quantcloud.circuits.ir import Apply
from quantcloud.openqasm.hints import quantity
from quantcloud.openqasm.version3.arithmetic.values import (
    BOOL,
    DEFAULT_BITS,
    DURATION,
    FLOAT,
    INT,
    LARGEST,
    REALS,
    WHOLE,
    Classical,
    Known,
    Runtime,
    Symbolic,
    Type,
    chained,
    expression,
    fitting,
    formula,
    whole_number,
)

_LONGEST: Final = 4_000
_MOST_EXPONENT: Final = 64
_LOGIC: Final = frozenset({"&&", "||"})
_BITWISE: Final = frozenset({"&", "|", "^"})
_SHIFTS: Final = frozenset({"<<", ">>"})


def promoted(left: Type, right: Type) -> Type:
    """Return the type of arithmetic on two types of whole numbers, as in C."""
    left, right = _as_number(left), _as_number(right)
    if left.size is None and right.size is None:
        return Type("uint" if left.kind == right.kind == "uint" else "int")
    size = max(left.bits, right.bits)
    unsigned = any(each.kind == "uint" and each.bits == size for each in (left, right))
    return Type("uint" if unsigned else "int", size)


def _as_number(type_: Type) -> Type:
    if type_.kind == "bool" or type_ == ("bit", None):
        return INT
    if type_.kind == "bit":
        return Type("uint" if type_.bits >= DEFAULT_BITS else "int", max(type_.bits, DEFAULT_BITS))
    return type_


def operate(symbol: str, left: Classical, right: Classical, *, real: bool) -> Classical:
    """Apply a binary operator; if `real`, whole numbers divide as real ones.

    Raises `ExpressionError`.
    """
    if isinstance(left, Symbolic) or isinstance(right, Symbolic):
        return _symbolic(symbol, left, right)
    kinds = {left.type.kind, right.type.kind}
    if isinstance(left, Known) and isinstance(right, Known):
        if "duration" in kinds:
            return _durations(symbol, left, right)
        if real and symbol == "^":
            raise ExpressionError("in OpenQASM 3 '^' is not a power; write '**'")
        if kinds & REALS or symbol == "**" or (real and symbol == "/"):
            return _reals(symbol, left, right)
        return _integers(symbol, left, right, real=real)
    if not kinds <= WHOLE or symbol == "**" or (real and symbol == "/"):
        raise ExpressionError(
            f"'{symbol}' on a value that depends on a measurement needs whole numbers"
            if symbol != "**"
            else "a power of a value that depends on a measurement is not supported"
        )
    type_ = _result(symbol, left.type, right.type)
    apply = Apply(symbol, type_.bits, type_.is_signed)
    return Runtime(type_, chained(formula(left), formula(right), apply))


def _result(symbol: str, left: Type, right: Type) -> Type:
    if symbol in COMPARISONS or symbol in _LOGIC:
        return BOOL
    if symbol in _SHIFTS:
        return left if left.kind in ("uint", "int", "bit") else INT
    if symbol in _BITWISE and {left.kind, right.kind} <= {"bit", "bool"}:
        size = max(left.size or 0, right.size or 0)
        return Type("bit", size) if size else (BOOL if "bool" in (left.kind, right.kind) else left)
    return promoted(left, right)


def _integers(symbol: str, left: Known, right: Known, *, real: bool) -> Known:
    first, second = int(left.value), int(right.value)
    if symbol in _SHIFTS and not 0 <= second < LARGEST.bit_length():
        raise ExpressionError(f"a shift by {second} is out of range")
    if symbol in ("/", "%") and not second:
        raise ExpressionError("division by zero")
    value = classical.BINARY[symbol](first, second)
    return fitting(int(value), _result(symbol, left.type, right.type), real=real)


def _reals(symbol: str, left: Known, right: Known) -> Known:
    if symbol in COMPARISONS:
        return Known(BOOL, COMPARISONS[symbol](left.value, right.value))
    if symbol in _LOGIC:
        return Known(BOOL, classical.BINARY[symbol](bool(left.value), bool(right.value)))
    if symbol == "%":
        if not right.value:
            raise ExpressionError("division by zero")
        return Known(FLOAT, math.fmod(left.value, right.value))
    are_whole = left.type.kind in WHOLE and right.type.kind in WHOLE
    if symbol == "**" and are_whole and 0 <= right.value <= _MOST_EXPONENT:
        value = int(left.value) ** int(right.value)
        if abs(value) <= LARGEST:
            return whole_number(value)
    operator = "^" if symbol == "**" else symbol
    if operator not in OPERATORS or symbol == "^":
        hint = "; a power is written '**'" if symbol == "^" else ""
        raise ExpressionError(f"'{symbol}' needs whole numbers{hint}")
    return Known(FLOAT, binary(operator, float(left.value), float(right.value)))


def _durations(symbol: str, left: Known, right: Known) -> Known:
    both = left.type.kind == right.type.kind
    if symbol in COMPARISONS and both:
        return Known(BOOL, COMPARISONS[symbol](left.value, right.value))
    if symbol in "+-" and both:
        return Known(DURATION, binary(symbol, left.value, right.value))
    if (symbol == "*" and not both) or (symbol == "/" and left.type == DURATION):
        value = binary(symbol, float(left.value), float(right.value))
        return Known(FLOAT if both else DURATION, value)
    raise ExpressionError(f"'{symbol}' on {left.type} and {right.type} is not defined")


def _symbolic(symbol: str, left: Classical, right: Classical) -> Symbolic:
    known = left if isinstance(left, Symbolic) else right
    assert isinstance(known, Symbolic)  # noqa: S101 - the caller checks
    operator = "^" if symbol == "**" else symbol
    if operator not in OPERATORS or symbol == "^":
        raise ExpressionError(f"'{symbol}' cannot be applied to {known}")
    items = (*expression(left), *expression(right), operator)
    if len(items) > _LONGEST:
        raise ExpressionError("it is too long")
    return known._replace(expression=items)


def prefix(symbol: str, value: Classical, *, real: bool) -> Classical:
    """Apply `neg`, `~` or `!`; `real` is as in `operate`. Raises `ExpressionError`."""
    if isinstance(value, Symbolic):
        if symbol != NEGATE:
            raise ExpressionError(f"'{symbol}' cannot be applied to {value}")
        return value._replace(expression=(*value.expression, NEGATE))
    kind = value.type.kind
    if symbol == "!":
        type_ = BOOL
    elif symbol == "~":
        if kind not in WHOLE:
            raise ExpressionError("'~' needs whole numbers")
        type_ = value.type
    elif kind in WHOLE:
        type_ = promoted(value.type, value.type)
    else:
        assert isinstance(value, Known)  # noqa: S101 - reals are known
        return Known(value.type, -value.value)
    if isinstance(value, Known):
        if kind not in WHOLE:
            return Known(BOOL, not value.value)
        return fitting(int(classical.UNARY[symbol](int(value.value))), type_, real=real)
    apply = Apply(symbol, type_.bits, type_.is_signed)
    return Runtime(type_, chained(value.formula, apply))


_ROUNDING: Final[Mapping[str, Callable[[float], int]]] = {
    "ceiling": math.ceil,
    "floor": math.floor,
}
_OTHER_NAMES: Final = {"arcsin": "asin", "arccos": "acos", "arctan": "atan", "log": "ln"}
_PAIRS: Final = {"mod": "%", "pow": "**"}


def call(name: str, arguments: Sequence[Classical], *, real: bool) -> Classical | None:
    """Apply a function of the language; return None if it has no such function.

    Raises `ExpressionError`.
    """
    standard = _OTHER_NAMES.get(name, name)
    if name in _PAIRS or name in ("rotl", "rotr"):
        wanted = 2
    elif standard in FUNCTIONS or name in _ROUNDING or name == POPCOUNT:
        wanted = 1
    else:
        return None
    if len(arguments) != wanted:
        takes = quantity(wanted, "argument")
        raise ExpressionError(f"'{name}' takes {takes}, got {len(arguments)}")
    if name in _PAIRS:
        return operate(_PAIRS[name], *arguments, real=real)
    if wanted > 1:
        return _rotated(name, *arguments)
    if name == POPCOUNT:
        return _popcount(arguments[0])
    return _of_one(standard, arguments[0])


def _of_one(name: str, value: Classical) -> Classical:
    if isinstance(value, Symbolic) and name in FUNCTIONS:
        return value._replace(expression=(*value.expression, name))
    if isinstance(value, Symbolic):
        raise ExpressionError(f"'{name}' cannot be applied to {value}")
    if not isinstance(value, Known) or value.type.kind == "duration":
        raise ExpressionError(f"'{name}' cannot take this argument")
    if name in _ROUNDING:
        return whole_number(_ROUNDING[name](value.value))
    return Known(FLOAT, unary(name, float(value.value)))


def _popcount(value: Classical) -> Classical:
    type_ = Type("uint")
    if isinstance(value, Symbolic) or value.type.kind not in WHOLE:
        raise ExpressionError(f"'{POPCOUNT}' counts the bits of a whole number")
    if isinstance(value, Known):
        mask = (1 << value.type.bits) - 1
        return Known(type_, (int(value.value) & mask).bit_count())
    unsigned = Apply(CAST, value.type.bits)
    return Runtime(type_, chained(value.formula, unsigned, Apply(POPCOUNT, type_.bits)))


def _rotated(name: str, value: Classical, places: Classical) -> Classical:
    if isinstance(value, Symbolic) or value.type.kind not in ("bit", "uint"):
        raise ExpressionError(f"'{name}' rotates bits or a uint")
    if not isinstance(places, Known):
        raise ExpressionError(f"'{name}' needs a constant number of places")
    size = value.type.bits
    left = int(places.value) * (1 if name == "rotl" else -1) % size
    shifts = (("<<", left), (">>", size - left))
    low, high = (operate(symbol, value, Known(INT, by), real=False) for symbol, by in shifts)
    return operate("|", low, high, real=False)
