"""The standard gates, which need no definition in a source.

They are the gates of qelib1.inc, both as printed in the OpenQASM 2.0 paper (arXiv:1707.03429) and
as shipped with Qiskit, the language's builtin gates `U` and `CX`, and further gates of Qiskit's
circuit library with Qiskit's names and order of arguments and qubits.
"""

import math
import sys
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
    `weight` is what a call counts toward `limits.MAX_OPERATIONS`.
    """

    name: str
    num_params: int
    num_qubits: int
    clifford_angle: float | None
    definition: str | None
    weight: int = 1


def _gate(
    signature: str, definition: str | None, clifford_angle: float | None = None
) -> StandardGate:
    """Make a gate; `signature` holds its name and its numbers of angles and of qubits."""
    name, params, qubits = signature.split()
    # Interned names make lookups faster.
    return StandardGate(sys.intern(name), int(params), int(qubits), clifford_angle, definition)


_CCPHASE: Final = "cp({0}) b,d; cx a,b; cp(-{0}) b,d; cx a,b; cp({0}) a,d;"
_CCCPHASE: Final = "cp({1}) c,d; ccx a,b,c; cp(-{1}) c,d; ccx a,b,c; " + _CCPHASE

_GATES: Final = (
    # One qubit: first the language's builtin, then the three generations of qelib1.inc.
    _gate("U 3 1", "u(t0,t1,t2) a;", _QUARTER),
    _gate("u 3 1", None, _QUARTER),
    _gate("u3 3 1", "u(t0,t1,t2) a;", _QUARTER),
    _gate("u2 2 1", "u(pi/2,t0,t1) a;", _QUARTER),
    _gate("u1 1 1", "u(0,0,t0) a;", _QUARTER),
    _gate("u0 1 1", "id a;", _ANY),
    _gate("p 1 1", "u(0,0,t0) a;", _QUARTER),
    _gate("r 2 1", "u(t0,t1-pi/2,pi/2-t1) a;", _QUARTER),
    _gate("rx 1 1", "u(t0,-pi/2,pi/2) a;", _QUARTER),
    _gate("ry 1 1", "u(t0,0,0) a;", _QUARTER),
    _gate("rz 1 1", "u(0,0,t0) a;", _QUARTER),
    _gate("id 0 1", "u(0,0,0) a;", _ANY),
    _gate("x 0 1", "u(pi,0,pi) a;", _ANY),
    _gate("y 0 1", "u(pi,pi/2,pi/2) a;", _ANY),
    _gate("z 0 1", "u(0,0,pi) a;", _ANY),
    _gate("h 0 1", "u(pi/2,0,pi) a;", _ANY),
    _gate("s 0 1", "u(0,0,pi/2) a;", _ANY),
    _gate("sdg 0 1", "u(0,0,-pi/2) a;", _ANY),
    _gate("sx 0 1", "u(pi/2,-pi/2,pi/2) a;", _ANY),
    _gate("sxdg 0 1", "u(-pi/2,-pi/2,pi/2) a;", _ANY),
    _gate("t 0 1", "u(0,0,pi/4) a;"),
    _gate("tdg 0 1", "u(0,0,-pi/4) a;"),
    # Two qubits. The control of a controlled gate comes first.
    _gate("CX 0 2", "cx a,b;", _ANY),
    _gate("cx 0 2", None, _ANY),
    _gate("cy 0 2", "sdg b; cx a,b; s b;", _ANY),
    _gate("cz 0 2", "h b; cx a,b; h b;", _ANY),
    _gate("ch 0 2", "s b; h b; t b; cx a,b; tdg b; h b; sdg b;"),
    _gate("cs 0 2", "cp(pi/2) a,b;"),
    _gate("csdg 0 2", "cp(-pi/2) a,b;"),
    _gate("csx 0 2", "h b; cp(pi/2) a,b; h b;"),
    _gate("swap 0 2", "cx a,b; cx b,a; cx a,b;", _ANY),
    _gate("iswap 0 2", "s a; s b; h a; cx a,b; cx b,a; h b;", _ANY),
    _gate("dcx 0 2", "cx a,b; cx b,a;", _ANY),
    _gate("ecr 0 2", "s a; sx b; cx a,b; x a;", _ANY),
    _gate("cp 1 2", "p(t0/2) a; cx a,b; p(-t0/2) b; cx a,b; p(t0/2) b;", _HALF),
    _gate("cu1 1 2", "cp(t0) a,b;", _HALF),
    _gate("crx 1 2", "h b; crz(t0) a,b; h b;", _HALF),
    _gate("cry 1 2", "ry(t0/2) b; cx a,b; ry(-t0/2) b; cx a,b;", _HALF),
    _gate("crz 1 2", "rz(t0/2) b; cx a,b; rz(-t0/2) b; cx a,b;", _HALF),
    _gate("cu3 3 2", "cu(t0,t1,t2,0) a,b;", _QUARTER),
    _gate(
        "cu 4 2",
        "p(t3) a; p((t2+t1)/2) a; p((t2-t1)/2) b; cx a,b; u(-t0/2,0,-(t1+t2)/2) b; cx a,b; "
        "u(t0/2,t1,0) b;",
        _QUARTER,
    ),
    _gate("rxx 1 2", "h a; h b; rzz(t0) a,b; h a; h b;", _QUARTER),
    _gate("ryy 1 2", "sx a; sx b; rzz(t0) a,b; sxdg a; sxdg b;", _QUARTER),
    _gate("rzz 1 2", "cx a,b; rz(t0) b; cx a,b;", _QUARTER),
    _gate("rzx 1 2", "h b; rzz(t0) a,b; h b;", _QUARTER),
    # Three qubits and more.
    _gate(
        "ccx 0 3",
        "h c; cx b,c; tdg c; cx a,c; t c; cx b,c; tdg c; cx a,c; t b; t c; h c; cx a,b; t a; "
        "tdg b; cx a,b;",
    ),
    _gate("ccz 0 3", "h c; ccx a,b,c; h c;"),
    _gate("cswap 0 3", "cx c,b; ccx a,b,c; cx c,b;"),
    _gate("rccx 0 3", "h c; t c; cx b,c; tdg c; cx a,c; t c; cx b,c; tdg c; h c;"),
    _gate(
        "rc3x 0 4",
        "h d; t d; cx c,d; tdg d; h d; cx a,d; t d; cx b,d; tdg d; cx a,d; t d; cx b,d; tdg d; "
        "h d; t d; cx c,d; tdg d; h d;",
    ),
    _gate("c3x 0 4", "h d; " + _CCCPHASE.format("pi/4", "pi/2") + " h d;"),
    _gate("c3sqrtx 0 4", "h d; " + _CCCPHASE.format("pi/8", "pi/4") + " h d;"),
    _gate(
        "c4x 0 5",
        "h e; cp(pi/2) d,e; c3x a,b,c,d; cp(-pi/2) d,e; c3x a,b,c,d; h e; c3sqrtx a,b,c,e;",
    ),
)
STANDARD_GATES: Final[Mapping[str, StandardGate]] = {gate.name: gate for gate in _GATES}

BUILTIN_GATES: Final = frozenset({"U", "CX"})
"""The builtin gates of the language, whose names are reserved."""

DIAGONAL_GATES: Final = frozenset({"id", "u0", "z", "s", "sdg", "t", "tdg", "p", "u1", "rz", "rzz"})
"""The gates without controls that multiply amplitudes."""

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


def definition_calls(name: str) -> Sequence[tuple[str, tuple[int, ...]]]:
    """Return the gates in a standard gate's definition: their names and qubits, no angles."""
    calls: list[tuple[str, tuple[int, ...]]] = []
    for statement in (STANDARD_GATES[name].definition or "").split(";")[:-1]:
        gate, qubits = statement.split()
        calls.append((gate.split("(")[0], tuple(map("abcde".index, qubits.split(",")))))
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
