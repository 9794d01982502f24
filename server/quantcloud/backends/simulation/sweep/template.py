"""A program whose angles depend on inputs, and derivatives by them from values at shifted angles.

An expectation value is a sum of sines and cosines of an angle, of a few frequencies: multiples of a
lowest one. With R of them, 2 R shifted values give the derivative exactly (Wierichs et al.,
Quantum 6, 677 (2022)).
"""

import math
from dataclasses import replace
from functools import lru_cache
from typing import Final, NamedTuple

from quantcloud.backends.simulation.programs import Program
from quantcloud.backends.simulation.sweep.angles import Angles
from quantcloud.backends.simulation.sweep.values import Floats
from quantcloud.circuits.angles import Angle
from quantcloud.circuits.ir import Operation


class Template:
    """Binds a program to rows of `angles`.

    `gates` has for each angle, in the order of the columns, the name of its gate and its place
    among the gate's angles.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.gates: list[tuple[str, int]] = []
        found: list[Angle] = []
        self._open: list[tuple[int, Operation, list[tuple[int, int]]]] = []
        for index, operation in enumerate(program.body):
            places: list[tuple[int, int]] = []
            for place, angle in enumerate(operation.params):
                if isinstance(angle, Angle):
                    places.append((place, len(found)))
                    self.gates.append((operation.name, place))
                    found.append(angle)
            if places:
                self._open.append((index, operation, places))
        self.angles = Angles(found)

    @property
    def open(self) -> frozenset[int]:
        """The numbers of the operations with such angles."""
        return frozenset([index for index, _, _ in self._open])

    def bound(self, angles: Floats) -> Program:
        """Return the program with these angles, one for each column."""
        values = angles.tolist()
        body = list(self.program.body)
        for index, operation, places in self._open:
            params = list(operation.params)
            for place, column in places:
                params[place] = values[column]
            body[index] = operation._replace(params=tuple(params))
        return replace(self.program, body=tuple(body))


class Shift(NamedTuple):
    """A value at the angle plus `shift` counts `weight` times in the derivative."""

    shift: float
    weight: float


# The lowest frequency and the number of frequencies, where they are not 1 and 1: a controlled
# rotation turns by half the angle too, and the axis of `r` enters twice.
_HALVES: Final = (0.5, 2)
_FREQUENCIES: Final = {
    ("crx", 0): _HALVES,
    ("cry", 0): _HALVES,
    ("crz", 0): _HALVES,
    ("cu", 0): _HALVES,
    ("cu3", 0): _HALVES,
    ("r", 1): (1.0, 2),
}
_ONE: Final = (1.0, 1)


def shifts(gate: str, place: int) -> tuple[Shift, ...]:
    """Return the shifts of the angle at `place` of a standard gate."""
    return _shifts(*_FREQUENCIES.get((gate, place), _ONE))


@lru_cache(maxsize=16)
def _shifts(lowest: float, number: int) -> tuple[Shift, ...]:
    found: list[Shift] = []
    for step in range(1, 2 * number + 1):
        angle = (2 * step - 1) * math.pi / (2 * number)
        sign = 1 if step % 2 else -1
        weight = sign / (4 * number * math.sin(angle / 2) ** 2)
        found.append(Shift(angle / lowest, lowest * weight))
    return tuple(found)
