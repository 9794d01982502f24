"""The values of a program that are not plain Python values, and the limits of all values."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, cast

from quantcloud.openqasm.hints import quantity

MAX_STEPS: Final = 1_000_000
"""The most steps of a program: expressions, statements, elements and gates."""
MAX_BITS: Final = 2048
"""The most bits of a whole number."""
MAX_CHARACTERS: Final = 100_000
"""The most characters of a string."""
MAX_ITEMS: Final = 100_000
"""The most items of a list, a tuple or a dict."""
MAX_NESTING: Final = 20
"""The deepest nesting of lists that are compared or formatted."""

REQUIRED: Final = object()

# The most characters of a wrong value in a message.
_LONGEST_GIVEN = 40
# The number of characters that cost one step.
_CHARACTERS_A_STEP = 10

NUMBERS: Final[tuple[type, ...]] = (int, float, bool)
COLLECTIONS: Final[tuple[type, ...]] = (list, tuple, dict)


class Refusal(Exception):
    """A program does something wrong or unsupported. The evaluator adds the place."""


class Budget:
    """The steps that a program has left."""

    def __init__(self) -> None:
        self._left = MAX_STEPS

    def spend(self, steps: int = 1) -> None:
        """Use steps. Raises `Refusal` if none are left."""
        self._left -= steps
        if self._left < 0:
            raise Refusal(f"the program takes more than {MAX_STEPS} steps; make it shorter")

    def sized(self, value: Any) -> Any:
        """Charge a new value and return it. Raises `Refusal` if it is too large."""
        kind = type_of(value)
        if kind is int:
            if value.bit_length() > MAX_BITS:
                raise Refusal(f"the whole number is too large; {MAX_BITS} bits are the most")
        elif kind is str:
            _check_length(len(value), MAX_CHARACTERS, "string")
            self.spend(len(value) // _CHARACTERS_A_STEP)
        elif kind in COLLECTIONS:
            _check_length(len(value), MAX_ITEMS, kind.__name__)
            self.spend(len(value))
        return value

    def repeated(self, value: "str | list[Any] | tuple[Any, ...]", times: int) -> Any:
        """Return `value * times`, unless it would be too large."""
        most = MAX_CHARACTERS if isinstance(value, str) else MAX_ITEMS
        _check_length(len(value) * times, most, type(value).__name__)
        return self.sized(value * times)

    def items(self, value: object) -> Iterator[Any]:
        """Yield the elements of a value, each for one step."""
        if type(value) not in (str, *COLLECTIONS, range):
            raise Refusal(f"{kind_of(value)} has no elements")
        elements = cast("Sequence[Any]", value)
        for each in list(elements) if type(value) is dict else elements:
            self.spend()
            yield each

    def listed(self, value: object) -> list[Any]:
        """Return the elements of a value in a new list."""
        return self.sized(list(self.items(value)))

    def weigh(self, value: object, nesting: int = 0) -> None:
        """Charge everything in a value. A list that is in it twice counts twice."""
        self.spend()
        if isinstance(value, str):
            self.spend(len(value) // _CHARACTERS_A_STEP)
        elif type(value) in COLLECTIONS:
            if nesting >= MAX_NESTING:
                raise Refusal(f"lists are nested more than {MAX_NESTING} deep")
            for each in cast("Sequence[object]", value):
                self.weigh(each, nesting + 1)
            if type(value) is dict:
                for each in cast("dict[object, object]", value).values():
                    self.weigh(each, nesting + 1)


def _check_length(length: int, most: int, what: str) -> None:
    if length > most:
        raise Refusal(f"the {what} is too long; {most} are the most")


@dataclass(frozen=True, eq=False, slots=True)
class Native:
    """A function that is part of the language or of the SDK.

    `function` takes the budget, then `bound`, then one value for each name of `signature`, which
    has the default or `REQUIRED`. Without a signature it takes any number of values.
    """

    name: str
    function: Callable[..., Any]
    signature: Mapping[str, Any] | None = None
    bound: tuple[Any, ...] = ()
    ignored: frozenset[str] = frozenset()
    members: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __repr__(self) -> str:
        return f"<function {self.name}>"

    def call(self, budget: Budget, arguments: Sequence[Any], named: Mapping[str, Any]) -> Any:
        """Raises `Refusal`, and the errors of Python's operations."""
        if self.signature is None:
            if unknown := [name for name in named if name not in self.ignored]:
                raise Refusal(f"{self.name}() takes no {unknown[0]!r}")
            values: Sequence[Any] = arguments
        else:
            values = bind(self.name, self.signature, arguments, named)
        return budget.sized(self.function(budget, *self.bound, *values))


@dataclass(frozen=True, eq=False, slots=True)
class Module:
    """A module that a program may import."""

    name: str
    members: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"<module {self.name}>"


class Gate(NamedTuple):
    """One instruction of a circuit: its names in OpenQASM and in the SDK, qubits and angles."""

    qasm: str
    name: str
    qubits: tuple[int, ...]
    params: tuple[float, ...] = ()

    def __repr__(self) -> str:
        params = f", params={self.params}" if self.params else ""
        return f"Gate({self.name}, qubits={self.qubits}{params})"


@dataclass(eq=False, slots=True)
class Circuit:
    """A circuit of the SDK."""

    num_qubits: int
    name: object
    gates: list[Gate] = field(default_factory=list[Gate])

    def __len__(self) -> int:
        return len(self.gates)

    def __repr__(self) -> str:
        gates = len(self.gates)
        return f"Circuit(num_qubits={self.num_qubits}, name={self.name!r}, gates={gates})"


def bind(
    name: str, signature: Mapping[str, Any], arguments: Sequence[Any], named: Mapping[str, Any]
) -> list[Any]:
    """Bind arguments to parameters as Python does. Raises `Refusal`."""
    if not named and len(arguments) == len(signature):
        return list(arguments)
    takes = f"{name}({', '.join(signature)})"
    if len(arguments) > len(signature):
        raise Refusal(f"{takes} takes {quantity(len(signature), 'argument')}, got {len(arguments)}")
    values = dict(zip(signature, arguments, strict=False))
    for parameter, value in named.items():
        if parameter not in signature:
            raise Refusal(f"{takes} has no parameter {parameter!r}")
        if parameter in values:
            raise Refusal(f"{parameter!r} of {takes} is given twice")
        values[parameter] = value
    for parameter, default in signature.items():
        if parameter not in values and default is REQUIRED:
            raise Refusal(f"{parameter!r} of {takes} is missing")
    return [values.get(parameter, default) for parameter, default in signature.items()]


_KINDS: Final[Mapping[type, str]] = {
    int: "a whole number",
    float: "a number",
    bool: "a truth value",
    str: "a string",
    list: "a list",
    tuple: "a tuple",
    dict: "a dict",
    range: "a range",
    type(None): "None",
    Circuit: "a circuit",
    Gate: "a gate",
    Module: "a module",
}


def type_of(value: object) -> type:
    """Return the exact type of a value, because a subclass may behave differently."""
    return type(value)


def given(value: object) -> str:
    """Return a short value as a program writes it, and the type of another in words."""
    text = repr(value) if type(value) in (*NUMBERS, str, type(None)) else ""
    return text if 0 < len(text) <= _LONGEST_GIVEN else kind_of(value)


def kind_of(value: object) -> str:
    """Describe the type of a value in words."""
    return _KINDS.get(type(value), "a function")
