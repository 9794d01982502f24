"""Operators, subscripts and formatting. Each checks the size of a result before making it."""

import ast
import operator as untyped_operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from quantcloud.quantsdk.values import (
    COLLECTIONS,
    MAX_BITS,
    MAX_ITEMS,
    NUMBERS,
    Budget,
    Circuit,
    Refusal,
    kind_of,
    type_of,
)

# Takes the place of a drawing, because nothing that a program prints is shown.
DRAWING: Final = "<drawing>"

# Its own annotations are partial.
operator: Any = untyped_operator

_BINARY: Final[Mapping[type[ast.operator], tuple[str, Callable[[Any, Any], Any]]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
    ast.FloorDiv: ("//", operator.floordiv),
    ast.Mod: ("%", operator.mod),
    ast.Pow: ("**", operator.pow),
    ast.LShift: ("<<", operator.lshift),
    ast.RShift: (">>", operator.rshift),
    ast.BitAnd: ("&", operator.and_),
    ast.BitOr: ("|", operator.or_),
    ast.BitXor: ("^", operator.xor),
}
_UNARY: Final[Mapping[type[ast.unaryop], Callable[[Any], Any]]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Invert: operator.invert,
}
_COMPARISONS: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}
_FORMAT: Final = re.compile(
    r"(?:.?[<>=^])?[-+ ]?#?0?[0-9]{0,3}[,_]?(?:\.[0-9]{1,2})?[bcdeEfFgGoxX%s]?", re.DOTALL
)


def binary(budget: Budget, kind: type[ast.operator], left: Any, right: Any) -> Any:
    """Apply a binary operator. Raises `Refusal` and the errors of Python's operator."""
    sign, function = _BINARY.get(kind, ("@", None))
    if function is not None and type(left) in NUMBERS and type(right) in NUMBERS:
        _check_growth(kind, left, right)
        result = function(left, right)
        if type(result) not in NUMBERS:
            raise Refusal("the result is a complex number")
        return budget.sized(result)
    if kind is ast.Add and type(left) is type(right) and type(left) in (str, list, tuple):
        return budget.sized(left + right)
    if kind is ast.Mult:
        if type(right) in (str, list, tuple):
            left, right = right, left
        if type(left) in (str, list, tuple) and type(right) in (int, bool):
            return budget.repeated(left, right)
    raise Refusal(f"'{sign}' does not go between {kind_of(left)} and {kind_of(right)}")


def _check_growth(kind: type[ast.operator], left: float, right: float) -> None:
    if not isinstance(left, int) or not isinstance(right, int):
        return
    bits = 0
    if kind is ast.Pow and abs(left) > 1:
        bits = left.bit_length() * right
    elif kind is ast.LShift and left:
        bits = left.bit_length() + right
    if bits > 2 * MAX_BITS:
        raise Refusal(f"the whole number is too large; {MAX_BITS} bits are the most")


def unary(budget: Budget, kind: type[ast.unaryop], value: Any) -> Any:
    """Apply a unary operator."""
    if kind is ast.Not:
        return not value
    if type(value) not in NUMBERS:
        raise Refusal(f"the operator does not go before {kind_of(value)}")
    return budget.sized(_UNARY[kind](value))


def compare(budget: Budget, kind: type[ast.cmpop], left: Any, right: Any) -> bool:
    """Compare two values."""
    if kind in (ast.In, ast.NotIn):
        return _contains(budget, right, left) is (kind is ast.In)
    if kind not in (ast.Is, ast.IsNot):
        for each in (left, right):
            if type(each) in (str, *COLLECTIONS):
                budget.weigh(each)
    return bool(_COMPARISONS[kind](left, right))


def _contains(budget: Budget, container: Any, value: Any) -> bool:
    if type(container) is range and type(value) in (int, bool):
        return value in container
    if type(container) not in (str, list, tuple, dict):
        raise Refusal(f"'in' does not look for {kind_of(value)} in {kind_of(container)}")
    budget.weigh(value)
    # Each element is compared with the value, and costs no more than the smaller of the two.
    budget.weigh(container)
    return value in container


def subscript(budget: Budget, value: Any, index: Any) -> Any:
    """Return `value[index]`. `index` may be a slice."""
    if type(value) is dict:
        budget.weigh(index)
        if index not in value:
            raise Refusal(f"the dict has no {shown(budget, index, quoted=True)}")
        return cast("dict[Any, Any]", value)[index]
    if type(value) not in (str, list, tuple, range):
        raise Refusal(f"{kind_of(value)} has no elements that can be asked for by [...]")
    is_slice = type(index) is slice
    parts: tuple[Any, ...] = (index.start, index.stop, index.step) if is_slice else (index,)
    for part in parts:
        if type(part) not in (int, bool, type(None)):
            raise Refusal(f"an index is a whole number, not {kind_of(part)}")
    return budget.sized(value[index])


def put(budget: Budget, held: Any, index: Any, value: Any) -> None:
    """Do `held[index] = value`."""
    if type(held) is dict:
        budget.weigh(index)
        entries = cast("dict[Any, Any]", held)
        if len(entries) >= MAX_ITEMS and index not in entries:
            raise Refusal(f"the dict is too long; {MAX_ITEMS} are the most")
        entries[index] = value
        return
    if type_of(held) is not list or type(index) not in (int, bool):
        raise Refusal(f"{kind_of(held)} takes no value at {kind_of(index)}")
    held[index] = value


def shown(budget: Budget, value: Any, *, quoted: bool = False) -> str:
    """Return a value as text, with `quoted` as `repr` writes it."""
    if type(value) is str and not quoted:
        return value
    if type(value) is Circuit and not quoted:
        return DRAWING
    budget.weigh(value)
    return budget.sized(repr(value))


def formatted(budget: Budget, value: Any, specification: str) -> str:
    """Format a value as an f-string does, up to 999 characters wide and with up to 99 digits."""
    if not specification:
        return shown(budget, value)
    if not _FORMAT.fullmatch(specification):
        raise Refusal(
            "a format is a width up to 999, decimals up to 99 and one of b c d e f g o x % s"
        )
    if type(value) not in (*NUMBERS, str):
        raise Refusal(f"{kind_of(value)} takes no format")
    return budget.sized(format(value, specification))
