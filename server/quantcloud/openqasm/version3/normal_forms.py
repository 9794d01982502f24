"""Standard gates as controls of a simpler gate, and as `U` with a global phase."""

import math
from collections.abc import Callable, Mapping
from typing import Final

from quantcloud.circuits.expressions import binary, evaluate, is_constant, negated
from quantcloud.circuits.ir import Expression
from quantcloud.openqasm.hints import words

Angles = tuple[Expression, ...]

ZERO: Final[Expression] = (0.0,)
_NOT: Final = ((math.pi,), (0.0,), (math.pi,))


def constant(value: float) -> Expression:
    """Return an angle that is known."""
    return (value,)


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
    if name in ("U", "u", "u3") and len(angles) == 3:  # noqa: PLR2004 - theta, phi, lambda
        theta, phi, lam = angles
        return name, (negated(theta), negated(lam), negated(phi))
    return None


# The number of controls of each controlled gate, and the gate that they control.
_CONTROLS: Final[Mapping[str, tuple[int, str]]] = {
    "CX": (1, "x"),
    "cx": (1, "x"),
    "cy": (1, "y"),
    "cz": (1, "z"),
    "ch": (1, "h"),
    "cs": (1, "s"),
    "csdg": (1, "sdg"),
    "csx": (1, "sx"),
    "cp": (1, "p"),
    "cu1": (1, "p"),
    "crx": (1, "rx"),
    "cry": (1, "ry"),
    "crz": (1, "rz"),
    "cu3": (1, "u"),
    "cswap": (1, "swap"),
    "ccx": (2, "x"),
    "ccz": (2, "z"),
    "c3x": (3, "x"),
    "c3sqrtx": (3, "sx"),
    "c4x": (4, "x"),
}
# CX is the builtin gate, so that a definition of cx may use `ctrl @ x`.
_CONTROLLED: Final[Mapping[tuple[int, str], str]] = {
    place: name for name, place in _CONTROLS.items() if name not in ("cx", "cu1", "cu3")
}
_SYNONYMS: Final = {"u1": "p", "u3": "u", "U": "u"}


def core(name: str, angles: Angles) -> tuple[int, str]:
    """Return how many controls a standard gate has, and what they control."""
    controls, inner = _CONTROLS.get(name, (0, name))
    if name == "U" and angles == _NOT and all(map(is_constant, angles)):
        # Qiskit's exporter defines cx in this way.
        return 0, "x"
    return controls, _SYNONYMS.get(inner, inner)


def controlled(controls: int, inner: str) -> str | None:
    """Return the standard gate with so many controls of `inner`, or None if there is none."""
    return _CONTROLLED.get((controls, inner)) if controls else inner


# What the definition of a standard gate lacks to equal its matrix, as a global phase.
_PHASES: Final[Mapping[str, float]] = {"ecr": -math.pi / 4}


def missing_phases(name: str) -> tuple[Expression, ...]:
    """Return the global phases that the definition of a standard gate on two or more qubits lacks.

    The gates on one qubit are known by `as_u`.
    """
    return ((_PHASES[name],),) if name in _PHASES else ()


_HALF: Final = math.pi / 2
_QUARTER: Final = math.pi / 4
_FIXED: Final[Mapping[str, tuple[float, float, float, float]]] = {
    "id": (0.0, 0.0, 0.0, 0.0),
    "x": (math.pi, 0.0, math.pi, 0.0),
    "y": (math.pi, _HALF, _HALF, 0.0),
    "z": (0.0, 0.0, math.pi, 0.0),
    "h": (_HALF, 0.0, math.pi, 0.0),
    "s": (0.0, 0.0, _HALF, 0.0),
    "sdg": (0.0, 0.0, -_HALF, 0.0),
    "t": (0.0, 0.0, _QUARTER, 0.0),
    "tdg": (0.0, 0.0, -_QUARTER, 0.0),
    "sx": (_HALF, -_HALF, _HALF, _QUARTER),
    "sxdg": (-_HALF, -_HALF, _HALF, -_QUARTER),
}


Form = tuple[Expression, Expression, Expression, Expression]
"""Theta, phi and lambda of `U`, and a global phase."""

_BY_ANGLES: Final[Mapping[str, Callable[[Angles], Form]]] = {
    "u0": lambda _: (ZERO, ZERO, ZERO, ZERO),
    "p": lambda angles: (ZERO, ZERO, angles[0], ZERO),
    "u1": lambda angles: (ZERO, ZERO, angles[0], ZERO),
    "rz": lambda angles: (ZERO, ZERO, angles[0], scaled(angles[0], -0.5)),
    "rx": lambda angles: (angles[0], (-_HALF,), (_HALF,), ZERO),
    "ry": lambda angles: (angles[0], ZERO, ZERO, ZERO),
    "r": lambda angles: (
        angles[0],
        combined(angles[1], "-", (_HALF,)),
        combined((_HALF,), "-", angles[1]),
        ZERO,
    ),
    "u2": lambda angles: ((_HALF,), angles[0], angles[1], ZERO),
    **dict.fromkeys(("u", "u3", "U"), lambda angles: (angles[0], angles[1], angles[2], ZERO)),
}


def as_u(name: str, angles: Angles) -> Form | None:
    """Return a standard gate on one qubit as `U`, or None if it acts on more."""
    if name in _FIXED:
        theta, phi, lam, phase = _FIXED[name]
        return (theta,), (phi,), (lam,), (phase,)
    form = _BY_ANGLES.get(name)
    return None if form is None else form(angles)


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
