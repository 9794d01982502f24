"""Which standard gate another one is when it is inverted or controlled."""

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
    # The language's own, so that a definition of cx may say so.
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


# The angles with which U is a NOT.
_NOT: Final = ((math.pi,), (0.0,), (math.pi,))


def inverse(name: str, angles: tuple[Expression, ...]) -> Call | None:
    """Return the standard gate that undoes another, or None where there is none."""
    if name in _INVERSES:
        return _INVERSES[name], angles
    if name in _INVERTED_BY_ANGLE and angles:
        return name, (negated(angles[0]), *angles[1:])
    if name in ("U", "u", "u3") and len(angles) == 3:  # noqa: PLR2004 - theta, phi, lambda
        theta, phi, lam = angles
        return name, (negated(theta), negated(lam), negated(phi))
    return None


def controlled(name: str, angles: tuple[Expression, ...]) -> Call | None:
    """Return the standard gate that applies another under a control, or None where there is none.

    Those are left out that would need a global phase to be told apart from another gate. Of the
    language's own gates that is all but the one by which it defines CX, as Qiskit does.
    """
    if name == "U" and angles == _NOT:
        return "CX", ()
    return (_CONTROLLED[name], angles) if name in _CONTROLLED else None
