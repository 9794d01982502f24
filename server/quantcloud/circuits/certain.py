"""Constant propagation: removes resets, measurements and conditions with a certain outcome.

The value of each qubit and bit is a function of Boolean variables. Each basis state that occurs
with some amplitude, on some path, assigns values to the variables, and the functions then give the
qubits. A gate that only permutes basis states changes the functions. A gate that mixes basis states
gives its qubit a new variable. If the function of a qubit is constant, the qubit is certainly in
that state, even if gates have computed and uncomputed it.

A function is a sum modulo 2 of terms. A term is a variable or a product of functions.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from typing import Final, NamedTuple

from quantcloud.circuits.gates import CONTROLLED_GATES
from quantcloud.circuits.ir import Condition, Operation
from quantcloud.circuits.limits import MAX_REMEMBERED

_Value = frozenset[int]
_ONE_TERM: Final = 0
_ZERO: Final[_Value] = frozenset()
_ONE: Final[_Value] = frozenset((_ONE_TERM,))
_CONSTANTS: Final = {_ZERO: 0, _ONE: 1}
# Longer sums and products become new variables: that loses information but bounds the work.
_MOST_TERMS = 32
# As in `gates`: no number of shots shows the difference from the exact angle.
_ANGLE_TOLERANCE: Final = 1e-10


class Decided(NamedTuple):
    """Equivalent operations without those that have a certain outcome.

    They include no barriers. `fixed` maps classical bits to their known values at the end, whatever
    the operations write there.
    """

    operations: Sequence[Operation]
    fixed: Mapping[int, int]


def decided(operations: Iterable[Operation], *, noisy: bool = False) -> Decided:
    """Propagate constants through standard operations.

    The reset of a qubit that is certainly 0 is removed, and that of a qubit that is certainly 1
    becomes `x`. A measurement with a certain outcome is removed if no remaining condition reads it.
    Conditions lose their certain bits. If `noisy` is set, gates and measurements make their qubits
    and bits uncertain.
    """
    values = _Values(noisy=noisy)
    return _without_constants([each for each in map(values.take, operations) if each is not None])


class _Step(NamedTuple):
    """An operation, and its outcome if it is a measurement with a certain one."""

    operation: Operation
    outcome: int | None = None


def _without_constants(steps: Sequence[_Step]) -> Decided:
    """Remove measurements with a certain outcome that no remaining condition reads."""
    kept: list[Operation] = []
    fixed: dict[int, int] = {}
    read: set[int] = set()
    written: set[int] = set()
    for operation, outcome in reversed(steps):
        condition = operation.condition
        if condition is not None:
            read.update(range(condition.offset, condition.offset + condition.size))
            # The bit may keep its earlier value.
            read.update(operation.clbits)
        elif operation.clbits:
            (bit,) = operation.clbits
            needed = outcome is None or bit in read
            if outcome is not None and not needed and bit not in written:
                fixed[bit] = outcome
            written.add(bit)
            read.discard(bit)
            if not needed:
                continue
        kept.append(operation)
    kept.reverse()
    return Decided(kept, fixed)


class _Values:
    """The values of all qubits and bits at one point of a circuit; they start at 0."""

    def __init__(self, *, noisy: bool) -> None:
        self._noisy = noisy
        self._qubits: dict[int, _Value] = {}
        self._bits: dict[int, _Value] = {}
        self._terms = count(_ONE_TERM + 1)
        self._products: dict[frozenset[_Value], int] = {}
        self._factors: dict[int, frozenset[_Value]] = {}

    def take(self, operation: Operation) -> _Step | None:
        """Apply an operation to the values; return what remains of it, or None if nothing."""
        if operation.name == "barrier" or (operation.name == "delay" and not self._noisy):
            return None
        holds = _ONE
        if operation.condition is not None:
            holds = self._product(self._agreements(operation.condition))
            if holds == _ZERO:
                return None
            rest = None if holds == _ONE else self._narrowed(operation.condition)
            operation = operation._replace(condition=rest)
        if operation.name == "measure":
            return self._measure(operation, holds)
        if operation.name == "reset":
            return self._reset(operation, holds)
        if self._noisy:
            for qubit in operation.qubits:
                self._qubits[qubit] = self._new()
        else:
            self._apply(operation, holds)
        return _Step(operation)

    def _agreements(self, condition: Condition) -> list[_Value]:
        """Return a value for each bit of the condition, which is 1 if the bit satisfies it."""
        offset, size, value = condition
        if value >> size:
            return [_ZERO]
        return [
            self._bits.get(offset + place, _ZERO) ^ (_ZERO if value >> place & 1 else _ONE)
            for place in range(size)
        ]

    def _narrowed(self, condition: Condition) -> Condition:
        """Drop certain bits at both ends of the condition."""
        offset, size, value = condition
        while self._bits.get(offset, _ZERO) in _CONSTANTS:
            offset, size, value = offset + 1, size - 1, value >> 1
        while self._bits.get(offset + size - 1, _ZERO) in _CONSTANTS:
            size -= 1
        return Condition(offset, size, value & ((1 << size) - 1))

    def _measure(self, operation: Operation, holds: _Value) -> _Step:
        (qubit,), (bit,) = operation.qubits, operation.clbits
        value = self._new() if self._noisy else self._qubits.get(qubit, _ZERO)
        if holds == _ONE:
            self._bits[bit] = value
            return _Step(operation, _CONSTANTS.get(value))
        before = self._bits.get(bit, _ZERO)
        self._bits[bit] = self._sum(before, self._product([holds, self._sum(before, value)]))
        return _Step(operation)

    def _reset(self, operation: Operation, holds: _Value) -> _Step | None:
        (qubit,) = operation.qubits
        value = self._qubits.get(qubit, _ZERO)
        self._qubits[qubit] = self._sum(value, self._product([holds, value]))
        if value == _ZERO:
            return None
        return _Step(operation._replace(name="x") if value == _ONE else operation)

    def _apply(self, gate: Operation, holds: _Value) -> None:
        name, qubits, params, _, _ = gate
        number, inner = _CONTROLLED.get(name, (0, name))
        act = _RULES.get(inner, _Values.mix)
        controls = [self._qubits.get(qubit, _ZERO) for qubit in qubits[:number]]
        controlled = self._product([holds, *controls])
        if controlled != _ZERO:
            act(self, qubits[number:], params, controlled)

    def _mix(self, qubits: Iterable[int]) -> None:
        for qubit in qubits:
            self._qubits[qubit] = self._new()

    def _add(self, qubit: int, value: _Value) -> None:
        self._qubits[qubit] = self._sum(self._qubits.get(qubit, _ZERO), value)

    def keep(self, qubits: tuple[int, ...], params: tuple[float, ...], controlled: _Value) -> None:
        """Apply a diagonal gate."""

    def mix(self, qubits: tuple[int, ...], params: tuple[float, ...], controlled: _Value) -> None:
        """Apply a gate that mixes the basis states of all its qubits."""
        del params, controlled
        self._mix(qubits)

    def flip(self, qubits: tuple[int, ...], params: tuple[float, ...], controlled: _Value) -> None:
        """Apply X to each qubit, up to phases."""
        del params
        for qubit in qubits:
            self._add(qubit, controlled)

    def rotate(
        self, qubits: tuple[int, ...], params: tuple[float, ...], controlled: _Value
    ) -> None:
        """Apply a rotation by its first angle: pi flips, 2 pi does nothing, others mix."""
        halves = params[0] / math.pi
        # An angle that depends on inputs is NaN.
        nearest = 0 if math.isnan(halves) else round(halves)
        if not abs(halves - nearest) * math.pi <= _ANGLE_TOLERANCE:
            self._mix(qubits)
        elif nearest % 2:
            self.flip(qubits, params, controlled)

    def swap(self, qubits: tuple[int, ...], params: tuple[float, ...], controlled: _Value) -> None:
        """Exchange two qubits, up to phases."""
        del params
        first, second = (self._qubits.get(qubit, _ZERO) for qubit in qubits)
        difference = self._product([controlled, self._sum(first, second)])
        for qubit in qubits:
            self._add(qubit, difference)

    def double_cx(
        self, qubits: tuple[int, ...], params: tuple[float, ...], controlled: _Value
    ) -> None:
        """Apply CX in one direction and then in the other."""
        del params
        for control, target in (qubits, qubits[::-1]):
            self._add(target, self._product([controlled, self._qubits.get(control, _ZERO)]))

    def echo(self, qubits: tuple[int, ...], params: tuple[float, ...], controlled: _Value) -> None:
        """Apply ECR: it flips the first qubit and mixes the second."""
        self.flip(qubits[:1], params, controlled)
        self._mix(qubits[1:])

    def rotate_second(
        self, qubits: tuple[int, ...], params: tuple[float, ...], controlled: _Value
    ) -> None:
        """Rotate the second qubit; the first one controls the direction."""
        self.rotate(qubits[1:], params, controlled)

    def _new(self) -> _Value:
        return frozenset((next(self._terms),))

    def _sum(self, first: _Value, second: _Value) -> _Value:
        both = first ^ second
        return both if len(both) <= _MOST_TERMS else self._new()

    def _product(self, values: Iterable[_Value]) -> _Value:
        factors: set[_Value] = set()
        for value in values:
            if value == _ZERO:
                return _ZERO
            if value == _ONE:
                continue
            inner = self._factors.get(next(iter(value))) if len(value) == 1 else None
            factors.update((value,) if inner is None else inner)
        if any(factor ^ _ONE in factors for factor in factors):
            return _ZERO
        if len(factors) <= 1:
            return next(iter(factors), _ONE)
        if len(factors) > _MOST_TERMS:
            return self._new()
        key = frozenset(factors)
        term = self._products.get(key)
        if term is None:
            term = next(self._terms)
            if len(self._products) < MAX_REMEMBERED:
                self._products[key] = term
                self._factors[term] = key
        return frozenset((term,))


_Act = Callable[[_Values, tuple[int, ...], tuple[float, ...], _Value], None]
# What a gate does to its qubits if its controls are all 1. A gate that is not listed mixes them.
_RULES: Final[Mapping[str, _Act]] = {
    **dict.fromkeys(
        ("id", "u0", "z", "s", "sdg", "t", "tdg", "p", "u1", "rz", "rzz"), _Values.keep
    ),
    **dict.fromkeys(("x", "y"), _Values.flip),
    **dict.fromkeys(("U", "u", "u3", "r", "rx", "ry", "rxx", "ryy"), _Values.rotate),
    **dict.fromkeys(("swap", "iswap"), _Values.swap),
    "dcx": _Values.double_cx,
    "ecr": _Values.echo,
    "rzx": _Values.rotate_second,
}
# These two are controlled up to phases.
_CONTROLLED: Final = {**CONTROLLED_GATES, "rccx": (2, "x"), "rc3x": (3, "x")}
