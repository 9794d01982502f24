"""A program whose angles depend on inputs, compiled once and bound at each point."""

from dataclasses import replace

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
