"""Computes the angles of a circuit from the values of its inputs, for all points at once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quantcloud.backends.simulation.sweep.values import Floats
from quantcloud.circuits.angles import Angle, ordered
from quantcloud.circuits.expressions import LARGEST, NEGATE

_FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
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
# Values at all points, or one that is the same at all.
_Values = Floats | float


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
                operands: list[Any] = [known.get(id(each), each) for each in node.operands]
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
            totals: dict[int, _Values] = {}
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
        first, second = (*operands, 0.0)[:2]
        slopes = _SLOPES[node.symbol](known[id(node)], first, second)
        for operand, slope in zip(node.operands, slopes, strict=True):
            if isinstance(operand, Angle):
                part = total * np.broadcast_to(slope, (result.shape[1],))[:, None]
                totals[id(operand)] = totals.get(id(operand), 0.0) + part


# The derivatives of operators and functions by each operand, from the value and the operands.
_SLOPES: Final[Mapping[str, Callable[[Any, Any, Any], tuple[Any, ...]]]] = {
    "+": lambda _, __, ___: (1.0, 1.0),
    "-": lambda _, __, ___: (1.0, -1.0),
    "*": lambda _, left, right: (right, left),
    "/": lambda value, _, right: (1 / right, -value / right),
    "^": lambda value, left, right: (right * np.power(left, right - 1), value * np.log(left)),
    NEGATE: lambda _, __, ___: (-1.0,),
    "sin": lambda _, operand, __: (np.cos(operand),),
    "cos": lambda _, operand, __: (-np.sin(operand),),
    "tan": lambda value, _, __: (1 + value * value,),
    "exp": lambda value, _, __: (value,),
    "ln": lambda _, operand, __: (1 / operand,),
    "sqrt": lambda value, _, __: (0.5 / value,),
    "asin": lambda _, operand, __: (1 / np.sqrt(1 - operand * operand),),
    "acos": lambda _, operand, __: (-1 / np.sqrt(1 - operand * operand),),
    "atan": lambda _, operand, __: (1 / (1 + operand * operand),),
}


def _line(node: Angle, lines: Mapping[int, _Line]) -> _Line | None:
    """Return a node as a line, if it is one; its operands come before."""
    operands = [
        lines.get(id(each)) if isinstance(each, Angle) else float(each) for each in node.operands
    ]
    if node.symbol in ("+", "*") and isinstance(operands[0], float):
        operands.reverse()
    line = None
    match node.symbol, operands:
        case "", _:
            line = _Line(node.place, 1.0, 0.0)
        case "neg", [_Line(place, factor, offset)]:
            line = _Line(place, -factor, -offset)
        case "+", [_Line(place, factor, offset), float(constant)]:
            line = _Line(place, factor, offset + constant)
        case "-", [_Line(place, factor, offset), float(constant)]:
            line = _Line(place, factor, offset - constant)
        case "-", [float(constant), _Line(place, factor, offset)]:
            line = _Line(place, -factor, constant - offset)
        case "*", [_Line(place, factor, offset), float(constant)]:
            line = _Line(place, factor * constant, offset * constant)
        case "/", [_Line(place, factor, offset), float(constant)] if constant:
            line = _Line(place, factor / constant, offset / constant)
        case _:
            pass
    return line


def _finite(values: Floats, first: int, what: str = "an angle") -> Floats:
    # The comparison is also false for NaN.
    if not np.all(np.abs(values) <= LARGEST):
        rows = ~(np.abs(values) <= LARGEST).reshape(len(values), -1).all(axis=1)
        point = first + int(np.flatnonzero(rows)[0])
        raise ValueError(f"at point {point} {what} has no finite real value")
    return values
