"""Computes the angles of a circuit from the values of its inputs, for all points at once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quantcloud.backends.simulation.sweep.values import Floats
from quantcloud.circuits.angles import Angle, ordered
from quantcloud.circuits.expressions import LARGEST, NEGATE

_FUNCTIONS: Final[Mapping[str, Callable[..., Floats]]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "^": np.power,
    NEGATE: np.negative,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "exp": np.exp,
    "ln": np.log,
    "sqrt": np.sqrt,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
}
# The derivatives by each operand; `y` is the result.
_SLOPES: Final[Mapping[str, tuple[Callable[..., Floats | float], ...]]] = {
    "+": (lambda _y, _a, _b: 1.0, lambda _y, _a, _b: 1.0),
    "-": (lambda _y, _a, _b: 1.0, lambda _y, _a, _b: -1.0),
    "*": (lambda _y, _a, b: b, lambda _y, a, _b: a),
    "/": (lambda _y, _a, b: 1 / b, lambda y, _a, b: -y / b),
    "^": (lambda _y, a, b: b * np.power(a, b - 1), lambda y, a, _b: y * np.log(a)),
    NEGATE: (lambda _y, _a: -1.0,),
    "sin": (lambda _y, a: np.cos(a),),
    "cos": (lambda _y, a: -np.sin(a),),
    "tan": (lambda y, _a: 1 + y * y,),
    "exp": (lambda y, _a: y,),
    "ln": (lambda _y, a: 1 / a,),
    "sqrt": (lambda y, _a: 0.5 / y,),
    "asin": (lambda _y, a: 1 / np.sqrt(1 - a * a),),
    "acos": (lambda _y, a: -1 / np.sqrt(1 - a * a),),
    "atan": (lambda _y, a: 1 / (1 + a * a),),
}


class _Line(NamedTuple):
    """An angle that is `factor` times the input value at `place`, plus `offset`."""

    place: int
    factor: float
    offset: float


class Angles:
    """Angles that depend on inputs, compiled. Column i of the results is the i-th angle.

    `ValueError` is raised if an angle, or its derivative, is not finite at a point; the message
    counts points from `first`.
    """

    def __init__(self, angles: Sequence[Angle]) -> None:
        nodes = ordered(angles)
        lines: dict[int, _Line] = {}
        for node in nodes:
            if (line := _line(node, lines)) is not None:
                lines[id(node)] = line
        self.number = len(angles)
        self._angles = angles
        straight = [(at, lines[id(each)]) for at, each in enumerate(angles) if id(each) in lines]
        self._at = np.array([at for at, _ in straight], dtype=np.intp)
        self._places = np.array([line.place for _, line in straight], dtype=np.intp)
        self._factors = np.array([line.factor for _, line in straight])
        self._offsets = np.array([line.offset for _, line in straight])
        self._bent = [(at, each) for at, each in enumerate(angles) if id(each) not in lines]
        self._nodes = ordered(each for _, each in self._bent)

    def values(self, inputs: Floats, first: int = 0) -> Floats:
        """Return the angles, points x angles, of the input values, points x width."""
        straight = inputs[:, self._places] * self._factors + self._offsets
        if not self._bent:
            return _finite(straight, first)
        result = np.empty((len(inputs), self.number))
        result[:, self._at] = straight
        known = self._known(inputs)
        for at, angle in self._bent:
            result[:, at] = known[id(angle)]
        return _finite(result, first)

    def _known(self, inputs: Floats) -> dict[int, Floats]:
        known: dict[int, Floats] = {}
        with np.errstate(all="ignore"):
            for node in self._nodes:
                operands = [known.get(id(each), each) for each in node.operands]
                known[id(node)] = (
                    _FUNCTIONS[node.symbol](*operands) if operands else inputs[:, node.place]
                )
        return known

    def pulled_back(self, inputs: Floats, slopes: Floats, first: int = 0) -> Floats:
        """Return derivatives by the input values from those by the angles.

        `slopes` is points x columns x angles; the result is points x columns x width.
        """
        number, columns, _ = slopes.shape
        result = np.zeros((inputs.shape[1], number, columns))
        straight = np.moveaxis(slopes[:, :, self._at], 2, 0)
        np.add.at(result, self._places, straight * self._factors[:, None, None])
        if self._bent:
            known = self._known(inputs)
            totals: dict[int, NDArray[np.float64] | float] = {}
            for at, angle in self._bent:
                totals[id(angle)] = totals.get(id(angle), 0.0) + slopes[:, :, at]
            with np.errstate(all="ignore"):
                for node in reversed(self._nodes):
                    self._spread(node, known, totals, result)
        return _finite(np.moveaxis(result, 0, 2), first, "the derivative of an angle")

    @staticmethod
    def _spread(
        node: Angle,
        known: Mapping[int, Floats],
        totals: dict[int, NDArray[np.float64] | float],
        result: Floats,
    ) -> None:
        total = totals[id(node)]
        if not node.operands:
            result[node.place] += total
            return
        operands = [known.get(id(each), each) for each in node.operands]
        for operand, slope in zip(node.operands, _SLOPES[node.symbol], strict=True):
            if isinstance(operand, Angle):
                by_point = np.broadcast_to(slope(known[id(node)], *operands), (result.shape[1],))
                part = total * by_point[:, None]
                totals[id(operand)] = totals.get(id(operand), 0.0) + part


def _line(node: Angle, lines: Mapping[int, _Line]) -> _Line | None:
    """Return a node as a line, if it is one; its operands come before."""
    if not node.symbol:
        return _Line(node.place, 1.0, 0.0)
    found = [lines.get(id(each)) for each in node.operands]
    first = found[0]
    if node.symbol == NEGATE:
        return None if first is None else _Line(first.place, -first.factor, -first.offset)
    if len(found) != 2:  # noqa: PLR2004 - an operator
        return None
    second = found[1]
    left, right = node.operands
    if second is None and first is not None and not isinstance(right, Angle):
        return _with_constant(node.symbol, first, float(right))
    if first is None and second is not None and not isinstance(left, Angle):
        constant = float(left)
        if node.symbol == "-":
            return _Line(second.place, -second.factor, constant - second.offset)
        return _with_constant(node.symbol, second, constant) if node.symbol in "+*" else None
    return None


def _with_constant(symbol: str, line: _Line, constant: float) -> _Line | None:
    place, factor, offset = line
    match symbol:
        case "+":
            return _Line(place, factor, offset + constant)
        case "-":
            return _Line(place, factor, offset - constant)
        case "*":
            return _Line(place, factor * constant, offset * constant)
        case "/" if constant:
            return _Line(place, factor / constant, offset / constant)
        case _:
            return None


def _finite(values: Floats, first: int, what: str = "an angle") -> Floats:
    # The comparison is also false for NaN.
    if not np.all(np.abs(values) <= LARGEST):
        rows = ~(np.abs(values) <= LARGEST).reshape(len(values), -1).all(axis=1)
        point = first + int(np.flatnonzero(rows)[0])
        raise ValueError(f"at point {point} {what} has no finite real value")
    return values
