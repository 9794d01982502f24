"""Computes formulas of integers with logic on single bits."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeAlias

from quantcloud.circuits.classical import CAST, NEGATE, POPCOUNT
from quantcloud.circuits.ir import Apply, Bits, Formula

Wire: TypeAlias = bool | int
"""A bit: known, or the index of a classical bit."""

Gate: TypeAlias = Callable[[str, tuple[int, ...]], int]
"""Computes `not`, `and`, `or` or `xor` of classical bits into a new one and returns its index."""

_LARGEST_SHIFT: Final = 7
_COMPARISONS: Final = frozenset({"==", "!=", "<", "<=", ">", ">="})


class Number(NamedTuple):
    """An integer as wires, the lowest first; if `signed`, in two's complement."""

    wires: tuple[Wire, ...]
    signed: bool = False

    @property
    def sign(self) -> Wire:
        """The wire of all higher bits."""
        return self.wires[-1] if self.signed and self.wires else False

    def wide(self, size: int) -> tuple[Wire, ...]:
        """Return the lowest `size` wires."""
        return (*self.wires, *[self.sign] * (size - len(self.wires)))[:size]

    def narrow(self) -> "Number":
        """Return the same integer without higher wires that only repeat its sign."""
        wires, sign = self.wires, self.sign
        size = len(wires)
        # In a signed number, the last of the equal wires stays.
        while size > self.signed and _same(wires[size - 1 - self.signed], sign):
            size -= 1
        return Number(wires[:size], self.signed)


def _same(first: Wire, second: Wire) -> bool:
    # In Python, True is equal to 1, which is the index of a bit.
    return type(first) is type(second) and first == second


class Logic:
    """Writes the logic of formulas with a gate."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def compute(self, formula: Formula) -> Number:
        """Return the value of a formula; see `classical.evaluate`."""
        stack: list[Number] = []
        for item in formula:
            if isinstance(item, Bits):
                wires = tuple(range(item.offset, item.offset + item.size))
                stack.append(Number(wires, item.signed))
            elif isinstance(item, Apply):
                right = stack.pop()
                unary = self._unary(item, right)
                value = self._binary(item, stack.pop(), right) if unary is None else unary
                stack.append(Number(value.wide(item.size), item.signed).narrow())
            else:
                size = item.bit_length() + (item < 0)
                wires = tuple([bool(item >> place & 1) for place in range(size)])
                stack.append(Number(wires, item < 0))
        return stack[0]

    # Gates, with known wires left out

    def _not(self, wire: Wire) -> Wire:
        return not wire if isinstance(wire, bool) else self._gate("not", (wire,))

    def _and(self, first: Wire, second: Wire) -> Wire:
        if isinstance(first, bool):
            return second if first else False
        if isinstance(second, bool):
            return first if second else False
        return first if first == second else self._gate("and", (first, second))

    def _or(self, first: Wire, second: Wire) -> Wire:
        if isinstance(first, bool):
            return True if first else second
        if isinstance(second, bool):
            return True if second else first
        return first if first == second else self._gate("or", (first, second))

    def _xor(self, first: Wire, second: Wire) -> Wire:
        if isinstance(first, bool):
            return self._not(second) if first else second
        if isinstance(second, bool):
            return self._not(first) if second else first
        return False if first == second else self._gate("xor", (first, second))

    def _choice(self, test: Wire, then: Wire, otherwise: Wire) -> Wire:
        if isinstance(test, bool):
            return then if test else otherwise
        if _same(then, otherwise):
            return then
        return self._or(self._and(test, then), self._and(self._not(test), otherwise))

    def choices(
        self, test: Wire, then: Sequence[Wire], otherwise: Sequence[Wire]
    ) -> tuple[Wire, ...]:
        """Return the wires of `then` if the test is 1, else of `otherwise`."""
        return tuple(
            [self._choice(test, one, other) for one, other in zip(then, otherwise, strict=True)]
        )

    # Operators

    def _unary(self, item: Apply, value: Number) -> Number | None:
        if item.symbol == CAST:
            return value
        if item.symbol == "!":
            return Number((self._not(self._any(value)),))
        size = min(item.size, len(value.wires) + 2)
        if item.symbol == "~":
            return Number(tuple(map(self._not, value.wide(size))), signed=True)
        if item.symbol == NEGATE:
            zero = (False,) * size
            return Number(self._difference(zero, value.wide(size)), signed=True)
        if item.symbol == POPCOUNT:
            total: tuple[Wire, ...] = (False,) * item.size
            for wire in value.wires:
                total = self._sum(total, Number((wire,)).wide(item.size))
            return Number(total)
        return None

    def _binary(self, item: Apply, left: Number, right: Number) -> Number:
        symbol, size = item.symbol, item.size
        if symbol in _COMPARISONS:
            return Number((self._compared(symbol, left, right),))
        if symbol in ("&&", "||"):
            act = self._and if symbol == "&&" else self._or
            return Number((act(self._any(left), self._any(right)),))
        if symbol in ("<<", ">>"):
            return self._shifted(symbol, size, left, right)
        if symbol in ("/", "%"):
            return self._divided(symbol, left, right)
        # With so many bits the result is exact, so higher ones only repeat its sign.
        lengths = len(left.wires), len(right.wires)
        size = min(size, (sum(lengths) if symbol == "*" else max(lengths)) + 2)
        return Number(self._of_wires(symbol, left.wide(size), right.wide(size)), signed=True)

    def _of_wires(
        self, symbol: str, first: tuple[Wire, ...], second: tuple[Wire, ...]
    ) -> tuple[Wire, ...]:
        if symbol == "+":
            return self._sum(first, second)
        if symbol == "-":
            return self._difference(first, second)
        if symbol == "*":
            return self._product(first, second)
        act = {"&": self._and, "|": self._or, "^": self._xor}[symbol]
        return tuple(map(act, first, second))

    def _any(self, value: Number) -> Wire:
        result: Wire = False
        for wire in value.wires:
            result = self._or(result, wire)
        return result

    def _sum(
        self, first: Sequence[Wire], second: Sequence[Wire], *, carry: Wire = False
    ) -> tuple[Wire, ...]:
        wires: list[Wire] = []
        for one, other in zip(first, second, strict=True):
            half = self._xor(one, other)
            wires.append(self._xor(half, carry))
            carry = self._or(self._and(one, other), self._and(half, carry))
        return tuple(wires)

    def _difference(self, first: Sequence[Wire], second: Sequence[Wire]) -> tuple[Wire, ...]:
        return self._sum(first, tuple(map(self._not, second)), carry=True)

    def _product(self, first: Sequence[Wire], second: Sequence[Wire]) -> tuple[Wire, ...]:
        size = len(first)
        total: tuple[Wire, ...] = (False,) * size
        for place, wire in enumerate(second):
            part = (False,) * place + tuple(
                [self._and(wire, each) for each in first[: size - place]]
            )
            total = self._sum(total, part)
        return total

    def _compared(self, symbol: str, left: Number, right: Number) -> Wire:
        # One bit for the sign, and one for the difference.
        size = max(len(left.wires), len(right.wires)) + 2
        if symbol in ("==", "!="):
            differs = self._any(Number(tuple(map(self._xor, left.wide(size), right.wide(size)))))
            return differs if symbol == "!=" else self._not(differs)
        if symbol in (">", "<="):
            left, right = right, left
        less = self._difference(left.wide(size), right.wide(size))[-1]
        return less if symbol in ("<", ">") else self._not(less)

    def _shifted(self, symbol: str, size: int, left: Number, right: Number) -> Number:
        """Shift by a number of places; a negative number gives 0."""
        up = symbol == "<<"
        width = max(size, len(left.wires))
        fill: Wire = False if up else left.sign
        wires = left.wide(width)
        amount = right.wires[: len(right.wires) - right.signed]
        for place, wire in enumerate(amount[:_LARGEST_SHIFT]):
            by = min(1 << place, width)
            moved = (fill,) * by + wires[: width - by] if up else wires[by:] + (fill,) * by
            wires = self.choices(wire, moved, wires)
        wires = self.choices(self._any(Number(amount[_LARGEST_SHIFT:])), (fill,) * width, wires)
        return Number(self.choices(right.sign, (False,) * width, wires))

    def _divided(self, symbol: str, left: Number, right: Number) -> Number:
        """Divide and round toward zero, by long division of the magnitudes."""
        size = max(len(left.wires), len(right.wires)) + 1
        dividend, divisor = self._magnitude(left, size), self._magnitude(right, size)
        rest: tuple[Wire, ...] = (False,) * (size + 1)
        quotient: list[Wire] = []
        wide = (*divisor, False)
        for wire in reversed(dividend):
            rest = (wire, *rest[:-1])
            trial = self._difference(rest, wide)
            fits = self._not(trial[-1])
            quotient.insert(0, fits)
            rest = self.choices(fits, trial, rest)
        if symbol == "%":
            zero = self._not(self._any(right))
            value = self.choices(zero, dividend, rest[:size])
            negative = left.sign
        else:
            value = self.choices(self._any(right), quotient, (False,) * size)
            negative = self._xor(left.sign, right.sign)
        opposite = self._difference((False,) * size, value)
        return Number(self.choices(negative, opposite, value), signed=True)

    def _magnitude(self, value: Number, size: int) -> tuple[Wire, ...]:
        wires = value.wide(size)
        return self.choices(value.sign, self._difference((False,) * size, wires), wires)
