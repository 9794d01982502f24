"""The unitary matrix of every standard gate, as Qiskit defines it.

The matrix of a gate on k qubits has shape (2**k, 2**k) and is little-endian as in Qiskit: bit i of
a row's or column's index belongs to the i-th qubit of the operation. Controls come first, so they
are the lowest bits.
"""

import cmath
import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.complex128]

_SQRT_HALF = math.sqrt(0.5)


def _array(*rows: tuple[complex, ...]) -> Matrix:
    return np.array(rows, dtype=np.complex128)


def _diagonal(*entries: complex) -> Matrix:
    return np.diag(np.array(entries, dtype=np.complex128))


def _u3(theta: float, phi: float, lam: float) -> Matrix:
    cosine, sine = math.cos(theta / 2), math.sin(theta / 2)
    return _array(
        (cosine, -cmath.exp(1j * lam) * sine),
        (cmath.exp(1j * phi) * sine, cmath.exp(1j * (phi + lam)) * cosine),
    )


def _r(theta: float, phi: float) -> Matrix:
    """Rotate by `theta` about the axis cos(phi) X + sin(phi) Y."""
    cosine, sine = math.cos(theta / 2), math.sin(theta / 2)
    return _array(
        (cosine, -1j * cmath.exp(-1j * phi) * sine),
        (-1j * cmath.exp(1j * phi) * sine, cosine),
    )


def _rx(theta: float) -> Matrix:
    return _r(theta, 0.0)


def _ry(theta: float) -> Matrix:
    cosine, sine = math.cos(theta / 2), math.sin(theta / 2)
    return _array((cosine, -sine), (sine, cosine))


def _rz(theta: float) -> Matrix:
    return _diagonal(cmath.exp(-0.5j * theta), cmath.exp(0.5j * theta))


def _phase(lam: float) -> Matrix:
    return _diagonal(1, cmath.exp(1j * lam))


def _cu(theta: float, phi: float, lam: float, gamma: float) -> Matrix:
    return _controlled(cmath.exp(1j * gamma) * _u3(theta, phi, lam))


_I = _diagonal(1, 1)
_X = _array((0, 1), (1, 0))
_Y = _array((0, -1j), (1j, 0))
_Z = _diagonal(1, -1)
_H = _array((_SQRT_HALF, _SQRT_HALF), (_SQRT_HALF, -_SQRT_HALF))
_S = _diagonal(1, 1j)
_T = _phase(math.pi / 4)
_SX = 0.5 * _array((1 + 1j, 1 - 1j), (1 - 1j, 1 + 1j))
_SWAP = _array((1, 0, 0, 0), (0, 0, 1, 0), (0, 1, 0, 0), (0, 0, 0, 1))


def _controlled(target: Matrix, controls: int = 1) -> Matrix:
    """Return `target` on the highest qubits, applied if all `controls` lowest bits are 1."""
    stride = 1 << controls
    size = len(target) * stride
    result = np.eye(size, dtype=np.complex128)
    result[stride - 1 :: stride, stride - 1 :: stride] = target
    return result


def _pair_rotation(low: Matrix, high: Matrix) -> Callable[[float], Matrix]:
    """Return exp(-i theta/2 P) for a tensor product P of Pauli matrices, as a function of theta."""
    pauli: Matrix = np.kron(high, low).astype(np.complex128)
    identity = np.eye(4, dtype=np.complex128)

    def rotation(theta: float) -> Matrix:
        return math.cos(theta / 2) * identity - 1j * math.sin(theta / 2) * pauli

    return rotation


def _relabelled(size: int, entries: dict[tuple[int, int], complex]) -> Matrix:
    """Return the identity, except that rows in `entries` hold only the values given there."""
    result = np.eye(size, dtype=np.complex128)
    for row, _ in entries:
        result[row, row] = 0
    for place, value in entries.items():
        result[place] = value
    return result


def _controlled_by(gate: Callable[..., Matrix]) -> Callable[..., Matrix]:
    def controlled(*params: float) -> Matrix:
        return _controlled(gate(*params))

    return controlled


def _u0(_gamma: float) -> Matrix:
    return _I


def _u2(phi: float, lam: float) -> Matrix:
    return _u3(math.pi / 2, phi, lam)


_CX = _controlled(_X)
_DCX = _CX[np.ix_((0, 2, 1, 3), (0, 2, 1, 3))] @ _CX
_ISWAP = _array((1, 0, 0, 0), (0, 0, 1j, 0), (0, 1j, 0, 0), (0, 0, 0, 1))
_ECR = _SQRT_HALF * _array((0, 1, 0, 1j), (1, 0, -1j, 0), (0, 1j, 0, 1), (-1j, 0, 1, 0))
# The Margolus gate, and its relative with three controls: Maslov, Phys. Rev. A 93, 022311 (2016).
_RCCX = _relabelled(8, {(3, 7): -1j, (7, 3): 1j, (5, 5): -1})
_RC3X = _relabelled(16, {(3, 3): 1j, (7, 15): 1, (15, 7): -1, (11, 11): -1j})

# Matrices, and functions of angles that return them.
_GATES: dict[str, Matrix | Callable[..., Matrix]] = {
    "id": _I,
    "u0": _u0,
    "x": _X,
    "y": _Y,
    "z": _Z,
    "h": _H,
    "s": _S,
    "sdg": _S.conj(),
    "t": _T,
    "tdg": _T.conj(),
    "sx": _SX,
    "sxdg": _SX.conj(),
    "rx": _rx,
    "ry": _ry,
    "rz": _rz,
    "r": _r,
    "p": _phase,
    "u1": _phase,
    "u2": _u2,
    "u3": _u3,
    "u": _u3,
    "U": _u3,
    "cx": _CX,
    "CX": _CX,
    "cy": _controlled(_Y),
    "cz": _controlled(_Z),
    "ch": _controlled(_H),
    "cs": _controlled(_S),
    "csdg": _controlled(_S.conj()),
    "csx": _controlled(_SX),
    "crx": _controlled_by(_rx),
    "cry": _controlled_by(_ry),
    "crz": _controlled_by(_rz),
    "cp": _controlled_by(_phase),
    "cu1": _controlled_by(_phase),
    "cu3": _controlled_by(_u3),
    "cu": _cu,
    "swap": _SWAP,
    "iswap": _ISWAP,
    "dcx": _DCX,
    "ecr": _ECR,
    "rxx": _pair_rotation(_X, _X),
    "ryy": _pair_rotation(_Y, _Y),
    "rzz": _pair_rotation(_Z, _Z),
    "rzx": _pair_rotation(_Z, _X),
    "ccx": _controlled(_X, 2),
    "ccz": _controlled(_Z, 2),
    "cswap": _controlled(_SWAP),
    "rccx": _RCCX,
    "c3x": _controlled(_X, 3),
    "c3sqrtx": _controlled(_SX, 3),
    "rc3x": _RC3X,
    "c4x": _controlled(_X, 4),
}


@lru_cache(maxsize=4096)
def matrix(name: str, params: tuple[float, ...] = ()) -> Matrix:
    """Return the unitary of the standard gate `name`: shape (2**k, 2**k), read-only.

    `params` are its angles in radians. Raises `ValueError` if the gate is unknown.
    """
    try:
        gate = _GATES[name]
    except KeyError:
        raise ValueError(f"{name!r} is not a standard gate") from None
    unitary = gate(*params) if callable(gate) else gate
    result = np.ascontiguousarray(unitary, dtype=np.complex128)
    result.flags.writeable = False
    return result
