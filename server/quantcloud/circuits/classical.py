"""Evaluates classical expressions during a run."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from quantcloud.circuits.ir import (
    Apply,
    Assignment,
    Bits,
    Circuit,
    Condition,
    Formula,
    Operation,
)
from quantcloud.circuits.limits import MAX_OPERATIONS

MAX_ROUNDS: Final = 10_000
"""The most rounds of all loops together in one shot."""

CAST: Final = "cast"
NEGATE: Final = "neg"
POPCOUNT: Final = "popcount"


def _quotient(dividend: int, divisor: int) -> int:
    """Divide and round toward zero, as C does.

    The quotient by 0 is 0, because a condition may exclude the shots in which it is computed.
    """
    if not divisor:
        return 0
    value = abs(dividend) // abs(divisor)
    return value if (dividend < 0) == (divisor < 0) else -value


def _remainder(dividend: int, divisor: int) -> int:
    return dividend - divisor * _quotient(dividend, divisor)


_MOST_SHIFT = 128


def _left(value: int, places: int) -> int:
    return value << min(places, _MOST_SHIFT) if places >= 0 else 0


def _right(value: int, places: int) -> int:
    return value >> places if places >= 0 else 0


UNARY: Final[Mapping[str, Callable[[int], int]]] = {
    NEGATE: operator.neg,
    "~": operator.invert,
    "!": operator.not_,
    CAST: operator.pos,
    POPCOUNT: int.bit_count,
}
COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
BINARY: Final[Mapping[str, Callable[[int, int], int]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _quotient,
    "%": _remainder,
    "<<": _left,
    ">>": _right,
    "&": int.__and__,
    "|": int.__or__,
    "^": int.__xor__,
    **COMPARISONS,
    "&&": lambda left, right: bool(left) and bool(right),
    "||": lambda left, right: bool(left) or bool(right),
}


def wrapped(value: int, size: int, *, signed: bool) -> int:
    """Return the integer of `size` bits that equals `value` modulo `2**size`."""
    value &= (1 << size) - 1
    return value - (1 << size) if signed and value >> (size - 1) & 1 else value


def evaluate(formula: Formula, bits: int) -> int:
    """Compute a formula where the classical bits have the value `bits` (bit 0 lowest)."""
    stack: list[int] = []
    for item in formula:
        if isinstance(item, int):
            stack.append(item)
        elif isinstance(item, Bits):
            stack.append(wrapped(bits >> item.offset, item.size, signed=item.signed))
        else:
            stack.append(_applied(item, stack))
    return stack[0]


def _applied(item: Apply, stack: list[int]) -> int:
    right = stack.pop()
    act = UNARY.get(item.symbol)
    value = act(right) if act is not None else BINARY[item.symbol](stack.pop(), right)
    return wrapped(int(value), item.size, signed=item.signed)


def assigned(assignment: Assignment, bits: int) -> int:
    """Return the classical bits after an assignment."""
    offset, size, formula = assignment
    mask = (1 << size) - 1
    return bits & ~(mask << offset) | (evaluate(formula, bits) & mask) << offset


def holds(condition: Condition, bits: int) -> bool:
    """Return whether classical bits of value `bits` (bit 0 lowest) satisfy `condition`."""
    mask = (1 << condition.size) - 1
    return (bits >> condition.offset) & mask == condition.value


class UnboundedLoopError(ValueError):
    """The loops of a circuit go on after `MAX_ROUNDS` rounds."""

    def __init__(self) -> None:
        super().__init__(
            f"the loops of the circuit have more than {MAX_ROUNDS:,} rounds in one shot; that is "
            "the limit"
        )


def loop_ends(operations: Sequence[Operation]) -> dict[int, int]:
    """Map the index of each `while` to that of its `end`, and the other way round."""
    ends: dict[int, int] = {}
    open_loops: list[int] = []
    for index, operation in enumerate(operations):
        if operation.name == "while":
            open_loops.append(index)
        elif operation.name == "end":
            start = open_loops.pop()
            ends[start], ends[index] = index, start
    return ends


def without_measurements(circuit: Circuit) -> Circuit:
    """Return a circuit that measures nothing without variables, loops and conditions.

    All its bits are known, because they start at 0. Other circuits are returned unchanged. Raises
    `UnboundedLoopError`.
    """
    operations = circuit.operations
    if not circuit.has_control or any(each.name == "measure" for each in operations):
        return circuit
    ends = loop_ends(operations)
    done: list[Operation] = []
    bits = position = steps = rounds = 0
    while position < len(operations):
        operation = operations[position]
        steps += 1
        if steps > 2 * MAX_OPERATIONS:
            raise UnboundedLoopError
        met = operation.condition is None or holds(operation.condition, bits)
        if operation.name == "while":
            rounds += met
            if rounds > MAX_ROUNDS:
                raise UnboundedLoopError
            position = position if met else ends[position]
        elif operation.name == "end":
            position = ends[position] - 1
        elif met and operation.name == "assign":
            bits = assigned(circuit.assignments[int(operation.params[0])], bits)
        elif met:
            done.append(operation._replace(condition=None))
        position += 1
    return replace(circuit, operations=tuple(done), assignments=(), scratch_bits=0)
