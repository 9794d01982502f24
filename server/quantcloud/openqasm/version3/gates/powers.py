"""Powers of gates on one qubit that are no whole numbers."""

import cmath
import math
from collections.abc import Iterable

_Matrix = tuple[complex, complex, complex, complex]
_TINY = 1e-12


def _matrix(theta: float, phi: float, lam: float, phase: float) -> _Matrix:
    cosine, sine = math.cos(theta / 2), math.sin(theta / 2)
    overall = cmath.exp(1j * phase)
    return (
        overall * cosine,
        -overall * cmath.exp(1j * lam) * sine,
        overall * cmath.exp(1j * phi) * sine,
        overall * cmath.exp(1j * (phi + lam)) * cosine,
    )


def _product(left: _Matrix, right: _Matrix) -> _Matrix:
    a, b, c, d = left
    e, f, g, h = right
    return a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h


def root(
    gates: Iterable[tuple[float, float, float, float]], phase: float, exponent: float
) -> tuple[float, float, float, float]:
    """Return the principal power of a product of gates, the first of which acts first.

    Gates are theta, phi, lambda of `U` and a global phase; so is the result.
    """
    total: _Matrix = (1, 0, 0, 1)
    for gate in gates:
        total = _product(_matrix(*gate), total)
    overall = cmath.exp(1j * phase)
    a, b, c, d = (overall * entry for entry in total)
    # The eigenvalues of a matrix of 2 x 2 follow from its trace and determinant.
    middle, spread = (a + d) / 2, cmath.sqrt(((a - d) / 2) ** 2 + b * c)
    first, second = (_to_power(middle + sign * spread, exponent) for sign in (1, -1))
    if abs(spread) < _TINY:
        return _angles((first, 0, 0, first))
    half, mean = (first - second) / (2 * spread), (first + second) / 2
    return _angles((mean + half * (a - middle), half * b, half * c, mean + half * (d - middle)))


def _to_power(eigenvalue: complex, exponent: float) -> complex:
    angle = cmath.phase(eigenvalue)
    if angle < -math.pi + _TINY:
        # Rounding errors must not choose between the two roots of -1.
        angle = math.pi
    return cmath.exp(1j * angle * exponent)


def _angles(matrix: _Matrix) -> tuple[float, float, float, float]:
    a, b, c, d = matrix
    theta = 2 * math.atan2(abs(c), abs(a))
    if abs(a) < _TINY:
        phase = cmath.phase(-b)
        return theta, cmath.phase(c) - phase, 0.0, phase
    phase = cmath.phase(a)
    if abs(c) < _TINY:
        return 0.0, 0.0, cmath.phase(d) - phase, phase
    return theta, cmath.phase(c) - phase, cmath.phase(-b) - phase, phase
