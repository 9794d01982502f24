"""Standard gates as controls of a simpler gate, and as `U` with a global phase."""

import math
from collections.abc import Mapping
from typing import Final

from quantcloud.circuits.expressions import binary, evaluate, is_constant, negated
from quantcloud.circuits.gates import CONTROLLED_GATES, STANDARD_GATES
from quantcloud.circuits.ir import Expression
from quantcloud.openqasm.hints import words
from quantcloud.openqasm.lowering import standard_definition

Angles = tuple[Expression, ...]

ZERO: Final[Expression] = (0.0,)
_NOT: Final = ((math.pi,), (0.0,), (math.pi,))


def is_zero(angle: Expression) -> bool:
    """Return whether an angle is known to be 0. A parameter with the index 0 is equal to `ZERO`."""
    return is_constant(angle) and not angle[0]


def combined(first: Expression, symbol: str, second: Expression) -> Expression:
    """Return an arithmetic combination of two angles. Raises `ExpressionError`."""
    if is_constant(first) and is_constant(second):
        return (binary(symbol, float(first[0]), float(second[0])),)
    return (*first, *second, symbol)


def scaled(angle: Expression, factor: float) -> Expression:
    """Return a multiple of an angle. Raises `ExpressionError`."""
    return combined(angle, "*", (float(factor),))


_SELF_INVERSE: Final = words("id x y z h CX cx cy cz ch swap ecr ccx ccz cswap rccx c3x c4x")
_INVERSE_PAIRS: Final = {"s": "sdg", "t": "tdg", "sx": "sxdg", "cs": "csdg"}
_INVERSES: Final[Mapping[str, str]] = {
    **{name: name for name in _SELF_INVERSE},
    **_INVERSE_PAIRS,
    **{second: first for first, second in _INVERSE_PAIRS.items()},
}
LINEAR: Final = words("p u1 rx ry rz cp cu1 crx cry crz rxx ryy rzz rzx gphase")
"""Gates with one angle, whose powers multiply it."""


def inverse(name: str, angles: Angles) -> tuple[str, Angles] | None:
    """Return the standard gate that is the inverse of another, or None if there is none."""
    if name in _INVERSES:
        return _INVERSES[name], angles
    if name in LINEAR and angles:
        return name, (negated(angles[0]), *angles[1:])
    if name in ("U", "u", "u3", "cu"):
        theta, phi, lam, *phase = angles
        return name, (negated(theta), negated(lam), negated(phi), *map(negated, phase))
    return None


# CX is the builtin gate, so that a definition of cx may use `ctrl @ x`.
_CONTROLLED: Final[Mapping[tuple[int, str], str]] = {
    place: name
    for name, place in CONTROLLED_GATES.items()
    if name not in ("cx", "cu1", "cu3", "cu")
}
_SYNONYMS: Final = {"u1": "p", "u3": "u", "U": "u"}


def core(name: str, angles: Angles) -> tuple[int, str]:
    """Return how many controls a standard gate has, and what they control."""
    controls, inner = CONTROLLED_GATES.get(name, (0, name))
    if name == "U" and angles == _NOT and all(map(is_constant, angles)):
        # Qiskit's exporter defines cx in this way.
        return 0, "x"
    return controls, _SYNONYMS.get(inner, inner)


def controlled(controls: int, inner: str) -> str | None:
    """Return the standard gate with so many controls of `inner`, or None if there is none."""
    return _CONTROLLED.get((controls, inner)) if controls else inner


# What the definition of a standard gate lacks to equal its matrix, as a global phase. `rz` also
# lacks one, which depends on its angle.
_PHASES: Final[Mapping[str, float]] = {
    "sx": math.pi / 4,
    "sxdg": -math.pi / 4,
    "ecr": -math.pi / 4,
}


def missing_phases(name: str) -> tuple[Expression, ...]:
    """Return the global phases that the definition of a standard gate on two or more qubits lacks.

    The gates on one qubit are known by `as_u`.
    """
    return ((_PHASES[name],),) if name in _PHASES else ()


Form = tuple[Expression, Expression, Expression, Expression]
"""Theta, phi and lambda of `U`, and a global phase."""


def as_u(name: str, angles: Angles) -> Form | None:
    """Return a standard gate on one qubit as `U`, or None if it acts on more."""
    if STANDARD_GATES[name].num_qubits > 1:
        return None
    definition = standard_definition(name)
    if definition is not None:
        (call,) = definition.body
        if call.name != "u":
            return as_u(call.name, ())
        theta, phi, lam = (substituted(angle, angles) for angle in call.params)
    else:
        theta, phi, lam = angles
    phase = scaled(angles[0], -0.5) if name == "rz" else (_PHASES.get(name, 0.0),)
    return theta, phi, lam, phase


def substituted(expression: Expression, angles: Angles) -> Expression:
    """Return an expression in the parameters of a gate with `angles` for them.

    Raises `ExpressionError`.
    """
    if len(expression) == 1:
        item = expression[0]
        return angles[item] if isinstance(item, int) else expression
    if all(is_constant(angle) for angle in angles):
        return (evaluate(expression, [float(angle[0]) for angle in angles]),)
    items: list[float | int | str] = []
    for item in expression:
        items += angles[item] if isinstance(item, int) else (item,)
    return tuple(items)
