"""Indices of qubits and bits."""

from collections.abc import Sequence

from quantcloud.circuits.classical import CAST
from quantcloud.circuits.expressions import ExpressionError
from quantcloud.circuits.ir import Apply, Bits
from quantcloud.openqasm.hints import out_of_range
from quantcloud.openqasm.lexer import shown
from quantcloud.openqasm.version3.arithmetic.values import (
    WHOLE,
    AnyValue,
    Array,
    Known,
    Numbers,
    Qubits,
    Range,
    Runtime,
    Symbolic,
    Type,
    chained,
    formula,
)


def indexed(base: AnyValue, index: AnyValue, name: str) -> AnyValue:
    """Return the part of qubits or bits at an index. Raises `ExpressionError`."""
    if isinstance(base, Qubits):
        return _some_qubits(base, index, name)
    if isinstance(base, Array):
        place = _places(index, base.size, name, "element")
        if not isinstance(place, int):
            raise ExpressionError("an index of an array is one whole number")
        return Symbolic((base.first + place,), f"{base.name}[{place}]", is_input=True)
    if isinstance(base, Symbolic | Range | Numbers) or base.type.kind not in WHOLE:
        raise ExpressionError(f"{shown(name)} has no index")
    if isinstance(index, Runtime):
        return _bit_at(base, index)
    return _some_bits(base, _places(index, base.type.bits, name, "classical bit"))


def _bit_at(base: Known | Runtime, index: Runtime) -> Runtime:
    """Return the bit at an index that depends on a measurement; out of range it is 0."""
    place = index.formula
    if index.type.is_signed:
        # A negative index counts from the end.
        size = index.type.bits + base.type.bits.bit_length()
        is_negative = (*place, 0, Apply("<", 1))
        end = (*is_negative, base.type.bits, Apply("*", size, signed=True))
        place = (*place, *end, Apply("+", size, signed=True))
    shift = Apply(">>", base.type.bits, base.type.is_signed)
    return Runtime(Type("bit"), chained(formula(base), place, shift, Apply(CAST, 1)))


def _some_qubits(base: Qubits, index: AnyValue, name: str) -> Qubits:
    if not base.is_register:
        raise ExpressionError(f"{shown(name)} is one qubit here, it has no index")
    if isinstance(index, Runtime):
        raise ExpressionError("a qubit that depends on a measurement is not supported")
    places = _places(index, len(base.bits), name, "qubit")
    if isinstance(places, int):
        return Qubits((base.bits[places],), is_register=False)
    if isinstance(places, range) and places:
        return Qubits(base.bits[_slice(places)], is_register=True)
    return Qubits(tuple([base.bits[place] for place in places]), is_register=True)


def _some_bits(base: Known | Runtime, places: int | Sequence[int]) -> Known | Runtime:
    first = places if isinstance(places, int) else places[0] if places else 0
    count = 1 if isinstance(places, int) else len(places)
    if not isinstance(places, int) and list(places) != list(range(first, first + count)):
        raise ExpressionError("only adjacent bits in ascending order can be read together")
    type_ = Type("bit", None if isinstance(places, int) else count)
    if isinstance(base, Known):
        return Known(type_, int(base.value) >> first & ((1 << count) - 1))
    if base.bits is not None:
        return Runtime(type_, (Bits(base.bits.offset + first, count),))
    shift = (first, Apply(">>", base.type.bits), Apply(CAST, count))
    return Runtime(type_, (*base.formula, *shift))


def _slice(places: range) -> slice:
    stop: int | None = places.stop
    return slice(places.start, None if places.stop < 0 else stop, places.step)


def _places(index: AnyValue, size: int, name: str, what: str) -> int | Sequence[int]:
    if isinstance(index, Known) and index.type.kind in WHOLE:
        return _place(int(index.value), size, name, what)
    if isinstance(index, Numbers):
        return [_place(value, size, name, what) for value in index.values]
    if isinstance(index, Range):
        step = index.step
        first = (0 if step > 0 else size - 1) if index.first is None else index.first
        last = (size - 1 if step > 0 else 0) if index.last is None else index.last
        first, last = (value + size if value < 0 else value for value in (first, last))
        places = range(first, last + (1 if step > 0 else -1), step)
        for place in (places[0], places[-1]) if places else ():
            _place(place, size, name, what)
        return places
    if isinstance(index, Symbolic):
        raise ExpressionError(f"an index cannot depend on {index}")
    raise ExpressionError("an index must be a whole number, a range or a set")


def _place(index: int, size: int, name: str, what: str) -> int:
    if not -size <= index < size:
        kind = "array" if what == "element" else "register"
        raise ExpressionError(out_of_range(index, name, size, what, kind))
    return index + size if index < 0 else index


def joined(left: AnyValue, right: AnyValue) -> Qubits:
    """Return two groups of qubits as one. Raises `ExpressionError`."""
    if not isinstance(left, Qubits) or not isinstance(right, Qubits):
        raise ExpressionError("'++' joins qubits")
    bits = (*left.bits, *right.bits)
    if len(set(bits)) < len(bits):
        raise ExpressionError("'++' joins qubits that differ")
    return Qubits(bits, is_register=True)


def numbers(value: Range | Numbers) -> Sequence[int]:
    """Return the numbers that a loop runs over. Raises `ExpressionError`."""
    if isinstance(value, Numbers):
        return value.values
    if value.first is None or value.last is None:
        raise ExpressionError("a loop needs both ends of its range")
    return range(value.first, value.last + (1 if value.step > 0 else -1), value.step)
