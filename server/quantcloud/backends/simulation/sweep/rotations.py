"""Gates with angles as rotations of single qubits, each about one axis by one angle."""

import math
from collections.abc import Container, Sequence
from typing import Any, Final, NamedTuple

from quantcloud.circuits.angles import Angle
from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.circuits.ir import Circuit, Operation
from quantcloud.openqasm import lowered

SINGLE: Final = frozenset([name for name, gate in STANDARD_GATES.items() if gate.num_qubits == 1])
"""The gates on one qubit."""


class AxisRotation(NamedTuple):
    """A rotation about `x`, `y` or `z`."""

    axis: str
    angle: float


def rotated(circuit: Circuit, body: Sequence[Operation], kept: Container[str]) -> list[Operation]:
    """Return the gates of `body`, which belong to `circuit` and have no conditions.

    Those that depend on inputs and are not `kept` become `rx`, `ry` and `rz`, the other gates on
    several qubits that are not kept their definitions. Global phases are left out.
    """
    native = _Native(kept)
    plain = Circuit(circuit.qubit_registers, (), tuple(body))
    result: list[Operation] = []
    for operation in lowered(plain, native).operations:
        name, qubits, params, _, _ = operation
        if name in kept or not any(isinstance(angle, Angle) for angle in params):
            result.append(operation)
            continue
        result += [Operation(f"r{axis}", qubits, (angle,)) for axis, angle in _parts(name, params)]
    return result


class _Native:
    """The names of gates that are kept, and of all gates on one qubit."""

    def __init__(self, kept: Container[str]) -> None:
        self._kept = kept

    def __contains__(self, name: Any) -> bool:
        return name in SINGLE or name == "cx" or name in self._kept


def _parts(name: str, params: tuple[float, ...]) -> list[AxisRotation]:
    match name, params:
        case (("rx" | "ry" | "rz"), (angle,)):
            return [AxisRotation(name[1], angle)]
        case (("p" | "u1"), (angle,)):
            return [AxisRotation("z", angle)]
        case "r", (theta, phi):
            return [AxisRotation("z", -phi), AxisRotation("x", theta), AxisRotation("z", phi)]
        case "u2", (phi, lam):
            return [AxisRotation("z", lam), AxisRotation("y", math.pi / 2), AxisRotation("z", phi)]
        case (("u" | "U" | "u3"), (theta, phi, lam)):
            return [AxisRotation("z", lam), AxisRotation("y", theta), AxisRotation("z", phi)]
        case _:
            return []  # u0 does nothing
