"""The built-in functions, the methods of strings, lists and dicts, and the module `math`."""

import ast
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from quantcloud.quantsdk.operations import binary, shown
from quantcloud.quantsdk.values import (
    COLLECTIONS,
    MAX_BITS,
    MAX_ITEMS,
    NUMBERS,
    REQUIRED,
    Budget,
    Circuit,
    Module,
    Native,
    Refusal,
    kind_of,
)


def _number(value: Any) -> Any:
    if type(value) not in NUMBERS:
        raise Refusal(f"a number must stand here, not {kind_of(value)}")
    return value


def _whole(value: Any) -> int:
    if type(value) not in (int, bool):
        raise Refusal(f"a whole number must stand here, not {kind_of(value)}")
    return int(value)


def _range(_: Budget, *bounds: Any) -> range:
    return range(*map(_whole, bounds))


def _enumerate(budget: Budget, values: Any, start: Any) -> list[Any]:
    return list(enumerate(budget.items(values), _whole(start)))


def _zip(budget: Budget, *values: Any) -> list[Any]:
    return list(zip(*[budget.items(each) for each in values], strict=False))


def _reversed(budget: Budget, values: Any) -> list[Any]:
    return budget.listed(values)[::-1]


def _len(_: Budget, value: Any) -> int:
    if type(value) not in (str, *COLLECTIONS, range, Circuit):
        raise Refusal(f"{kind_of(value)} has no length")
    return len(value)


def _sum(budget: Budget, values: Any, start: Any) -> Any:
    total = _number(start)
    for each in budget.items(values):
        total = binary(budget, ast.Add, total, _number(each))
    return total


def _extreme(function: Callable[..., Any]) -> Callable[..., Any]:
    def extreme(budget: Budget, *values: Any) -> Any:
        several: list[Any] = budget.listed(values[0]) if len(values) == 1 else list(values)
        budget.weigh(several)
        return function(several)

    return extreme


def _sorted(budget: Budget, values: Any, reverse: Any) -> list[Any]:
    several = budget.listed(values)
    # The most other elements that one element is compared with.
    for _ in range(len(several).bit_length()):
        budget.weigh(several)
    return sorted(several, reverse=bool(reverse))


def _round(_: Budget, number: Any, ndigits: Any) -> Any:
    if ndigits is None:
        return round(_number(number))
    if abs(_whole(ndigits)) > MAX_BITS:
        raise Refusal(f"at most {MAX_BITS} digits can be rounded to")
    return round(_number(number), _whole(ndigits))


def _int(_: Budget, value: Any, base: Any) -> int:
    if type(value) is str:
        if len(value) > MAX_BITS:
            raise Refusal(f"at most {MAX_BITS} digits can be read as a whole number")
        return int(value, 10 if base is None else _whole(base))
    return int(_number(value))


def _tuple(budget: Budget, values: Any) -> tuple[Any, ...]:
    return tuple(budget.listed(values))


def _plain(name: str, function: Callable[[Any], Any], signature: Mapping[str, Any]) -> Native:
    """Return a native whose function needs no budget."""

    def call(_: Budget, value: Any) -> Any:
        return function(value)

    return Native(name, call, signature)


def _natives(*natives: Native) -> Mapping[str, Native]:
    return {native.name: native for native in natives}


BUILTINS: Final[Mapping[str, Any]] = {
    "__name__": "__main__",
    **_natives(
        Native("range", _range),
        Native("enumerate", _enumerate, {"iterable": REQUIRED, "start": 0}),
        Native("zip", _zip),
        Native("reversed", _reversed, {"sequence": REQUIRED}),
        Native("len", _len, {"value": REQUIRED}),
        Native("sum", _sum, {"iterable": REQUIRED, "start": 0}),
        Native("min", _extreme(min)),
        Native("max", _extreme(max)),
        Native("sorted", _sorted, {"iterable": REQUIRED, "reverse": False}),
        _plain("abs", lambda number: abs(_number(number)), {"number": REQUIRED}),
        Native("round", _round, {"number": REQUIRED, "ndigits": None}),
        Native("int", _int, {"value": 0, "base": None}),
        _plain(
            "float",
            lambda value: float(value if type(value) is str else _number(value)),
            {"value": 0.0},
        ),
        _plain("bool", bool, {"value": False}),
        Native("str", shown, {"value": ""}),
        Native("list", Budget.listed, {"iterable": ()}),
        Native("tuple", _tuple, {"iterable": ()}),
        # A program prints results, and there are none here.
        Native("print", lambda *_: None, ignored=frozenset({"sep", "end", "flush"})),
    ),
}


def _append(_: Budget, items: list[Any], value: Any) -> None:
    if len(items) >= MAX_ITEMS:
        raise Refusal(f"the list is too long; {MAX_ITEMS} are the most")
    items.append(value)


def extend(budget: Budget, items: list[Any], values: Any) -> None:
    """Append the elements of `values` to a list."""
    items += budget.listed(values)
    budget.sized(items)


def _join(budget: Budget, separator: str, values: Any) -> str:
    parts = budget.listed(values)
    length = len(separator) * len(parts)
    for each in parts:
        if type(each) is not str:
            raise Refusal(f"join() takes strings, not {kind_of(each)}")
        length += len(each)
    # Check the size before making the value.
    budget.repeated(".", length)
    return separator.join(parts)


def _count(budget: Budget, values: Any, value: Any) -> int:
    budget.weigh(values)
    budget.weigh(value)
    return values.count(value)


def _get(budget: Budget, mapping: dict[Any, Any], key: Any, default: Any) -> Any:
    budget.weigh(key)
    return mapping.get(key, default)


METHODS: Final[Mapping[type, Mapping[str, Native]]] = {
    str: _natives(
        Native("count", _count, {"value": REQUIRED}),
        Native("join", _join, {"iterable": REQUIRED}),
        _plain("upper", str.upper, {}),
        _plain("lower", str.lower, {}),
    ),
    list: _natives(
        Native("append", _append, {"value": REQUIRED}),
        Native("extend", extend, {"iterable": REQUIRED}),
        Native("count", _count, {"value": REQUIRED}),
    ),
    tuple: _natives(Native("count", _count, {"value": REQUIRED})),
    dict: _natives(
        Native("keys", Budget.listed, {}),
        _plain("values", lambda mapping: list(mapping.values()), {}),
        _plain("items", lambda mapping: list(mapping.items()), {}),
        Native("get", _get, {"key": REQUIRED, "default": None}),
    ),
}


def _of_numbers(name: str) -> Native:
    function: Callable[..., Any] = getattr(math, name)

    def call(_: Budget, *numbers: Any) -> Any:
        return function(*map(_number, numbers))

    return Native(name, call)


MATH: Final = Module(
    "math",
    {
        **{name: getattr(math, name) for name in ("pi", "e", "tau", "inf", "nan")},
        **_natives(
            *map(
                _of_numbers,
                (
                    *("sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh"),
                    *("tanh", "exp", "log", "log2", "log10", "pow", "hypot", "fabs", "ceil"),
                    *("floor", "trunc", "degrees", "radians", "fmod", "gcd", "isclose"),
                ),
            )
        ),
    },
)
