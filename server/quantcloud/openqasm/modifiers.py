"""Finds the standard gate that equals the inverse or the controlled form of another."""

import math
from collections.abc import Mapping
from typing import Final

from quantcloud.circuits.expressions import negated
from quantcloud.circuits.ir import Expression
from quantcloud.openqasm.hints import words

Call = tuple[str, tuple[Expression, ...]]

_SELF_INVERSE: Final = words("id x y z h CX cx cy cz ch swap ecr ccx ccz cswap rccx c3x c4x")
_INVERSE_PAIRS: Final = {"s": "sdg", "t": "tdg", "sx": "sxdg", "cs": "csdg"}
_INVERSES: Final[Mapping[str, str]] = {
    **{name: name for name in _SELF_INVERSE},
    **_INVERSE_PAIRS,
    **{second: first for first, second in _INVERSE_PAIRS.items()},
}
_INVERTED_BY_ANGLE: Final = words("p u1 rx ry rz cp cu1 crx cry crz rxx ryy rzz rzx")
_CONTROLLED: Final[Mapping[str, str]] = {
    # The builtin gate, so that a definition of cx may use `ctrl @ x`.
    "x": "CX",
    "y": "cy",
    "z": "cz",
    "h": "ch",
    "s": "cs",
    "sdg": "csdg",
    "sx": "csx",
    "p": "cp",
    "rx": "crx",
    "ry": "cry",
    "rz": "crz",
    "swap": "cswap",
    "CX": "ccx",
    "cx": "ccx",
    "cz": "ccz",
    "ccx": "c3x",
    "c3x": "c4x",
}


# The angles for which U is a NOT.
_NOT: Final = ((math.pi,), (0.0,), (math.pi,))


def inverse(name: str, angles: tuple[Expression, ...]) -> Call | None:
    """Return the standard gate that is the inverse of another, or None if there is none."""
    if name in _INVERSES:
        return _INVERSES[name], angles
    if name in _INVERTED_BY_ANGLE and angles:
        return name, (negated(angles[0]), *angles[1:])
    if name in ("U", "u", "u3") and len(angles) == 3:  # noqa: PLR2004 - theta, phi, lambda
        theta, phi, lam = angles
        return name, (negated(theta), negated(lam), negated(phi))
    return None


def controlled(name: str, angles: tuple[Expression, ...]) -> Call | None:
    """Return the standard gate that is the controlled form of another, or None if there is none.

    Gates whose controlled form depends on a global phase are left out. Of `U`, only the one by
    which Qiskit's exporter defines CX is known.
    """
    if name == "U" and angles == _NOT:
        return "CX", ()
    return (_CONTROLLED[name], angles) if name in _CONTROLLED else None
