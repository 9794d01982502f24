"""The values of expressions, and operators on them.

A value is known now, or depends on inputs or on the parameters of a gate (`Symbolic`), or on
measurements (`Runtime`). The latter two are formulas of the circuit.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

from quantcloud.circuits.classical import CAST, wrapped
from quantcloud.circuits.expressions import ExpressionError, finite
from quantcloud.circuits.ir import Apply, Bits, Expression, Formula
from quantcloud.openqasm.hints import quantity
from quantcloud.openqasm.lexer import shown


class Type(NamedTuple):
    """A classical type. `size` is in bits; None if the source leaves it out."""

    kind: str
    size: int | None = None

    def __str__(self) -> str:
        return self.kind if self.size is None else f"{self.kind}[{self.size}]"

    @property
    def bits(self) -> int:
        """The bits that a variable of this type has during a run."""
        if self.size is not None:
            return self.size
        return 1 if self.kind in ("bit", "bool") else DEFAULT_BITS

    @property
    def is_signed(self) -> bool:
        return self.kind == "int"


DEFAULT_BITS: Final = 32
LARGEST: Final = 1 << 64
_LONGEST: Final = 1_000

INT: Final = Type("int")
FLOAT: Final = Type("float")
BOOL: Final = Type("bool")
DURATION: Final = Type("duration")
REALS: Final = frozenset({"float", "angle"})
WHOLE: Final = frozenset({"int", "uint", "bool", "bit"})


class Known(NamedTuple):
    """A value that is known before the run."""

    type: Type
    value: float


class Symbolic(NamedTuple):
    """An angle that depends on inputs, or on the parameters of the gate that is being defined.

    A whole number in the expression is the index of an input value or of a parameter: in the
    definition of a gate no input is visible. `name` is that of one of them.
    """

    expression: Expression
    name: str
    is_input: bool = False

    def __str__(self) -> str:
        what = "an input" if self.is_input else "a parameter of the gate"
        return f"{shown(self.name)}, which is {what}"


class Array(NamedTuple):
    """An input of several values, the first at index `first` of all input values."""

    first: int
    size: int
    name: str


class Runtime(NamedTuple):
    """A value that depends on measurements."""

    type: Type
    formula: Formula

    @property
    def bits(self) -> Bits | None:
        """The adjacent bits that are the value, if nothing is computed from them."""
        first = self.formula[0]
        return first if len(self.formula) == 1 and isinstance(first, Bits) else None


class Qubits(NamedTuple):
    """Qubits; `is_register` is False for a single one that was not a register."""

    bits: Sequence[int]
    is_register: bool


class Range(NamedTuple):
    """A range of numbers, all inclusive; a missing end is that of what it is an index of."""

    first: int | None
    step: int
    last: int | None


class Numbers(NamedTuple):
    """A set of numbers in order."""

    values: tuple[int, ...]


Classical: TypeAlias = Known | Symbolic | Runtime
AnyValue: TypeAlias = Classical | Qubits | Array | Range | Numbers


def chained(*parts: Formula | Apply) -> Formula:
    """Join formulas and operators to one formula. Raises `ExpressionError` if it is too long."""
    items: list[int | Bits | Apply] = []
    for part in parts:
        if isinstance(part, Apply):
            items.append(part)
        else:
            items += part
    if len(items) > _LONGEST:
        raise ExpressionError("it is too long; assign parts of it to variables")
    return tuple(items)


def formula(value: Known | Runtime) -> Formula:
    """Return the formula of a whole number."""
    return value.formula if isinstance(value, Runtime) else (int(value.value),)


def fitting(value: int, type_: Type, *, real: bool = False) -> Known:
    """Return a whole number of a type, wrapped to its bits.

    If `real`, an `int` or a `uint` without a size does not wrap. Raises `ExpressionError` if such a
    number is far too large.
    """
    if not real or type_.size is not None or type_.kind in ("bit", "bool"):
        return Known(type_, wrapped(value, type_.bits, signed=type_.is_signed))
    if abs(value) > LARGEST:
        raise ExpressionError("the value is too large")
    return Known(type_, value)


def whole_number(value: int) -> Known:
    """Return an `int`, which has a size only if the number needs more than the usual bits."""
    size = value.bit_length() + 1
    return Known(INT if size <= DEFAULT_BITS else Type("int", max(size, 2 * DEFAULT_BITS)), value)


def expression(value: Classical) -> Expression:
    """Return an angle. Raises `ExpressionError`."""
    if isinstance(value, Symbolic):
        return value.expression
    if isinstance(value, Runtime):
        raise ExpressionError("an angle that depends on a measurement is not supported")
    if value.type.kind == "duration":
        raise ExpressionError("a duration is no angle")
    return (finite(float(value.value)),)


def converted(value: Classical, type_: Type) -> Classical:
    """Convert a value to the type of a variable. Raises `ExpressionError`."""
    kind = type_.kind
    if isinstance(value, Symbolic):
        if kind in REALS:
            return value
        raise ExpressionError(f"a value of type {type_} cannot depend on {value}")
    if (kind == "duration") != (value.type.kind == "duration"):
        raise ExpressionError(f"{value.type} cannot become {type_}")
    if kind == value.type.kind == "bit" and value.type.bits != type_.bits:
        raise ExpressionError(
            f"{quantity(value.type.bits, 'bit')} cannot become {type_.bits}; the numbers must be "
            "equal"
        )
    if isinstance(value, Runtime):
        return _converted_formula(value, type_)
    if kind in REALS or kind == "duration":
        return Known(type_, float(value.value))
    if kind == "bool":
        return Known(type_, bool(value.value))
    if kind == "bit" and value.type.kind in REALS:
        raise ExpressionError(f"{value.type} cannot become {type_}")
    return fitting(math.trunc(value.value), type_)


def _converted_formula(value: Runtime, type_: Type) -> Runtime:
    kind = type_.kind
    if kind in REALS:
        raise ExpressionError(f"a {kind} that depends on a measurement is not supported")
    if kind == "bool" and value.type.bits > 1:
        return Runtime(type_, chained(value.formula, (0,), Apply("!=", 1)))
    if value.type.bits == type_.bits and value.type.is_signed == type_.is_signed:
        return Runtime(type_, value.formula)
    return Runtime(type_, chained(value.formula, Apply(CAST, type_.bits, type_.is_signed)))
