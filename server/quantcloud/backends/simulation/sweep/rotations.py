"""Gates with angles as rotations of single qubits, each about one axis by one angle."""

import math
from collections.abc import Sequence
from typing import Final

from quantcloud.circuits.angles import Angle
from quantcloud.circuits.gates import STANDARD_GATES
from quantcloud.circuits.ir import Circuit, Operation
from quantcloud.openqasm import lowered

_SINGLE: Final = frozenset([name for name, gate in STANDARD_GATES.items() if gate.num_qubits == 1])


def rotated(circuit: Circuit, body: Sequence[Operation], kept: frozenset[str]) -> list[Operation]:
    """Return the gates of `body`, which belong to `circuit` and have no conditions.

    Those that depend on inputs and are not `kept` become `rx`, `ry` and `rz`, the other gates on
    several qubits that are not kept their definitions. Global phases are left out.
    """
    plain = Circuit(circuit.qubit_registers, (), tuple(body))
    result: list[Operation] = []
    for operation in lowered(plain, _SINGLE | {"cx"} | kept).operations:
        name, qubits, params, _, _ = operation
        if name in kept or not any(isinstance(angle, Angle) for angle in params):
            result.append(operation)
            continue
        result += [Operation(f"r{axis}", qubits, (angle,)) for axis, angle in _parts(name, params)]
    return result


def _parts(name: str, params: tuple[float, ...]) -> list[tuple[str, float]]:
    """Return the axes and angles of the rotations that make a gate, in order."""
    match name, params:
        case (("rx" | "ry" | "rz"), (angle,)):
            return [(name[1], angle)]
        case (("p" | "u1"), (angle,)):
            return [("z", angle)]
        case "r", (theta, phi):
            return [("z", -phi), ("x", theta), ("z", phi)]
        case "u2", (phi, lam):
            return [("z", lam), ("y", math.pi / 2), ("z", phi)]
        case (("u" | "U" | "u3"), (theta, phi, lam)):
            return [("z", lam), ("y", theta), ("z", phi)]
        case _:
            return []  # u0 does nothing
