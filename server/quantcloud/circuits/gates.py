"""The standard gates, which need no definition in a source.

They are the gates of qelib1.inc, both as printed in the OpenQASM 2.0 paper (arXiv:1707.03429) and
as shipped with Qiskit, the language's builtin gates `U` and `CX`, and further gates of Qiskit's
circuit library with Qiskit's names and order of arguments and qubits.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

# A rotation that misses a Clifford gate by this angle differs from it by 1e-20 in probability. No
# number of shots shows that, and rounding errors of sums and products of angles are much smaller.
_ANGLE_TOLERANCE: Final = 1e-10
_LARGEST_ANGLE: Final = 1e5

_QUARTER: Final = math.pi / 2
_HALF: Final = math.pi
_ANY: Final = 0.0


@dataclass(frozen=True, slots=True)
class StandardGate:
    """A standard gate.

    `definition` consists of simpler gates and is exact up to a global phase: OpenQASM 2 statements
    on the qubits `a`, `b`, `c`, `d`, `e` with the angles `t0`, `t1`, `t2`, `t3`. Only `u` and `cx`
    have none. `clifford_angle` says when the gate is a Clifford gate: None means never, 0 means
    always, and any other value means if each angle is a multiple of it (`is_clifford` has more
    rules for `cu` and `cu3`). The definition of a Clifford gate consists of Clifford gates.
    """

    num_params: int
    num_qubits: int
    clifford_angle: float | None
    definition: str | None


def _gate(
    signature: str, definition: str | None, clifford_angle: float | None = None
) -> StandardGate:
    """Make a gate; `signature` holds its numbers of angles and of qubits."""
    params, qubits = map(int, signature.split())
    return StandardGate(params, qubits, clifford_angle, definition)


_CCPHASE: Final = "cp({0}) b,d; cx a,b; cp(-{0}) b,d; cx a,b; cp({0}) a,d;"
_CCCPHASE: Final = "cp({1}) c,d; ccx a,b,c; cp(-{1}) c,d; ccx a,b,c; " + _CCPHASE

STANDARD_GATES: Final[Mapping[str, StandardGate]] = {
    # One qubit: first the language's builtin, then the three generations of qelib1.inc.
    "U": _gate("3 1", "u(t0,t1,t2) a;", _QUARTER),
    "u": _gate("3 1", None, _QUARTER),
    "u3": _gate("3 1", "u(t0,t1,t2) a;", _QUARTER),
    "u2": _gate("2 1", "u(pi/2,t0,t1) a;", _QUARTER),
    "u1": _gate("1 1", "u(0,0,t0) a;", _QUARTER),
    "u0": _gate("1 1", "id a;", _ANY),
    "p": _gate("1 1", "u(0,0,t0) a;", _QUARTER),
    "r": _gate("2 1", "u(t0,t1-pi/2,pi/2-t1) a;", _QUARTER),
    "rx": _gate("1 1", "u(t0,-pi/2,pi/2) a;", _QUARTER),
    "ry": _gate("1 1", "u(t0,0,0) a;", _QUARTER),
    "rz": _gate("1 1", "u(0,0,t0) a;", _QUARTER),
    "id": _gate("0 1", "u(0,0,0) a;", _ANY),
    "x": _gate("0 1", "u(pi,0,pi) a;", _ANY),
    "y": _gate("0 1", "u(pi,pi/2,pi/2) a;", _ANY),
    "z": _gate("0 1", "u(0,0,pi) a;", _ANY),
    "h": _gate("0 1", "u(pi/2,0,pi) a;", _ANY),
    "s": _gate("0 1", "u(0,0,pi/2) a;", _ANY),
    "sdg": _gate("0 1", "u(0,0,-pi/2) a;", _ANY),
    "sx": _gate("0 1", "u(pi/2,-pi/2,pi/2) a;", _ANY),
    "sxdg": _gate("0 1", "u(-pi/2,-pi/2,pi/2) a;", _ANY),
    "t": _gate("0 1", "u(0,0,pi/4) a;"),
    "tdg": _gate("0 1", "u(0,0,-pi/4) a;"),
    # Two qubits. The control of a controlled gate comes first.
    "CX": _gate("0 2", "cx a,b;", _ANY),
    "cx": _gate("0 2", None, _ANY),
    "cy": _gate("0 2", "sdg b; cx a,b; s b;", _ANY),
    "cz": _gate("0 2", "h b; cx a,b; h b;", _ANY),
    "ch": _gate("0 2", "s b; h b; t b; cx a,b; tdg b; h b; sdg b;"),
    "cs": _gate("0 2", "cp(pi/2) a,b;"),
    "csdg": _gate("0 2", "cp(-pi/2) a,b;"),
    "csx": _gate("0 2", "h b; cp(pi/2) a,b; h b;"),
    "swap": _gate("0 2", "cx a,b; cx b,a; cx a,b;", _ANY),
    "iswap": _gate("0 2", "s a; s b; h a; cx a,b; cx b,a; h b;", _ANY),
    "dcx": _gate("0 2", "cx a,b; cx b,a;", _ANY),
    "ecr": _gate("0 2", "s a; sx b; cx a,b; x a;", _ANY),
    "cp": _gate("1 2", "p(t0/2) a; cx a,b; p(-t0/2) b; cx a,b; p(t0/2) b;", _HALF),
    "cu1": _gate("1 2", "cp(t0) a,b;", _HALF),
    "crx": _gate("1 2", "h b; crz(t0) a,b; h b;", _HALF),
    "cry": _gate("1 2", "ry(t0/2) b; cx a,b; ry(-t0/2) b; cx a,b;", _HALF),
    "crz": _gate("1 2", "rz(t0/2) b; cx a,b; rz(-t0/2) b; cx a,b;", _HALF),
    "cu3": _gate("3 2", "cu(t0,t1,t2,0) a,b;", _QUARTER),
    "cu": _gate(
        "4 2",
        "p(t3) a; p((t2+t1)/2) a; p((t2-t1)/2) b; cx a,b; u(-t0/2,0,-(t1+t2)/2) b; cx a,b; "
        "u(t0/2,t1,0) b;",
        _QUARTER,
    ),
    "rxx": _gate("1 2", "h a; h b; rzz(t0) a,b; h a; h b;", _QUARTER),
    "ryy": _gate("1 2", "sx a; sx b; rzz(t0) a,b; sxdg a; sxdg b;", _QUARTER),
    "rzz": _gate("1 2", "cx a,b; rz(t0) b; cx a,b;", _QUARTER),
    "rzx": _gate("1 2", "h b; rzz(t0) a,b; h b;", _QUARTER),
    # Three qubits and more.
    "ccx": _gate(
        "0 3",
        "h c; cx b,c; tdg c; cx a,c; t c; cx b,c; tdg c; cx a,c; t b; t c; h c; cx a,b; t a; "
        "tdg b; cx a,b;",
    ),
    "ccz": _gate("0 3", "h c; ccx a,b,c; h c;"),
    "cswap": _gate("0 3", "cx c,b; ccx a,b,c; cx c,b;"),
    "rccx": _gate("0 3", "h c; t c; cx b,c; tdg c; cx a,c; t c; cx b,c; tdg c; h c;"),
    "rc3x": _gate(
        "0 4",
        "h d; t d; cx c,d; tdg d; h d; cx a,d; t d; cx b,d; tdg d; cx a,d; t d; cx b,d; tdg d; "
        "h d; t d; cx c,d; tdg d; h d;",
    ),
    "c3x": _gate("0 4", "h d; " + _CCCPHASE.format("pi/4", "pi/2") + " h d;"),
    "c3sqrtx": _gate("0 4", "h d; " + _CCCPHASE.format("pi/8", "pi/4") + " h d;"),
    "c4x": _gate(
        "0 5",
        "h e; cp(pi/2) d,e; c3x a,b,c,d; cp(-pi/2) d,e; c3x a,b,c,d; h e; c3sqrtx a,b,c,e;",
    ),
}

BUILTIN_GATES: Final = frozenset({"U", "CX"})
"""The builtin gates of the language, whose names are reserved."""

CONTROLLED_GATES: Final[Mapping[str, tuple[int, str]]] = {
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
    "cu": (1, "u"),
    "cswap": (1, "swap"),
    "ccx": (2, "x"),
    "ccz": (2, "z"),
    "c3x": (3, "x"),
    "c3sqrtx": (3, "sx"),
    "c4x": (4, "x"),
}
"""How many of its first qubits control a controlled gate, and the gate that they control.

`cu` has one more angle than `u`: its phase."""


_QUBITS: Final = "abcde"
_CALL: Final = re.compile(r" *(?P<name>\w+)(?:\(.*\))? (?P<qubits>[a-e](?:,[a-e])*)")


def definition_calls(name: str) -> Sequence[tuple[str, tuple[int, ...]]]:
    """Return the gates in a standard gate's definition: their names and qubits, no angles."""
    statements = (STANDARD_GATES[name].definition or "").split(";")[:-1]
    calls: list[tuple[str, tuple[int, ...]]] = []
    for statement in statements:
        match = _CALL.fullmatch(statement)
        assert match is not None  # noqa: S101 - the definitions above are all of this form
        qubits = match["qubits"].split(",")
        calls.append((match["name"], tuple([_QUBITS.index(qubit) for qubit in qubits])))
    return calls


def _multiple(angle: float, unit: float) -> bool:
    # The rounding error of a greater angle may exceed the tolerance.
    return abs(angle) <= _LARGEST_ANGLE and abs(math.remainder(angle, unit)) <= _ANGLE_TOLERANCE


def is_clifford(name: str, params: Sequence[float]) -> bool:
    """Return whether a standard gate with these angles (radians) is a Clifford gate.

    It is never wrongly True. If it is True, each angle is a multiple of pi/2, except those of `u0`,
    which does nothing.
    """
    unit = STANDARD_GATES[name].clifford_angle
    if unit is None:
        return False
    if unit == _ANY:
        return True
    if name in ("cu", "cu3"):
        # A controlled gate is Clifford when it controls a Pauli gate times a power of i.
        return (
            _multiple(params[0], _HALF)
            and _multiple(params[1] + params[2], _HALF)
            and all(_multiple(angle, _QUARTER) for angle in params[1:])
        )
    return all(_multiple(angle, unit) for angle in params)
