"""Sweeps: a circuit with parameters at many points, and expectation values of observables.

Arrays are bytes of float64 values, little-endian and row-major, so that they cross processes, rows
and messages without conversion.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from quantcloud.domain.value_object import value_object

_SEED_BITS = 53


def point_seed(seed: int, point: int) -> int:
    """Return the seed of a point, counted from 0, of a sweep with `seed`.

    It is the BLAKE2b hash of both numbers, so it does not depend on the runs that compute the
    points, and a run of the point alone with this seed gives the same counts.
    """
    digest = hashlib.blake2b(b"%d %d" % (seed, point), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> (64 - _SEED_BITS)


@dataclass(frozen=True, slots=True)
class Input:
    """A parameter that a circuit declares: `input` of OpenQASM 3. A scalar has `size` 1."""

    name: str
    size: int = 1
    is_array: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    """The values of an input: points x `size`, or 1 x `size` if all points share them."""

    name: str
    size: int
    values: bytes


@dataclass(frozen=True, slots=True)
class Term:
    """A coefficient times a product of factors: (qubit, letter), in the order of the qubits.

    A letter is a Pauli matrix `X`, `Y` or `Z`, or `0` or `1`, which projects on that state of the
    qubit. Without factors the term is the coefficient times the identity.
    """

    coefficient: float
    factors: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Observable:
    """A sum of terms."""

    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Sweep:
    """What to compute at the points, checked.

    Without observables each point gives counts. With observables it gives their expectation values,
    of the state before the final measurement: exact if `exact`, else estimated from samples, with
    the shots of the execution shared between groups of terms, or with as many shots as the standard
    error `precision` needs. `zipped` pairs observable i with point i; otherwise each observable is
    computed at each point. `gradient` asks for the derivative of each expectation value by each
    value of the parameters, `variances` for the variance of each observable, `probabilities` for
    the exact probabilities of the bitstrings of the counts, and `packed` for shots as bytes.

    A run computes the points `first` to `last`, exclusive. `points` is the number of all points.
    """

    points: int
    last: int
    first: int = 0
    parameters: tuple[Parameter, ...] = ()
    observables: tuple[Observable, ...] = ()
    zipped: bool = False
    exact: bool = False
    precision: float | None = None
    gradient: bool = False
    variances: bool = False
    probabilities: bool = False
    packed: bool = False

    @property
    def columns(self) -> int:
        """The number of expectation values of a point."""
        return 1 if self.zipped else len(self.observables)

    @property
    def width(self) -> int:
        """The number of parameter values of a point."""
        return sum(parameter.size for parameter in self.parameters)

    def between(self, first: int, last: int) -> "Sweep":
        """Return this sweep for a run of the points `first` to `last`, exclusive."""
        return replace(self, first=first, last=last)


@value_object
class Register:
    """Packed shots: points x shots x ceil(`num_bits` / 8) bytes, most significant byte first."""

    name: str
    num_bits: int
    data: bytes


@value_object
class PointBlock:
    """The results of the points from `first` on, as many as `points`.

    `values`, `errors` (standard errors; absent if exact) and `variances` are arrays of points x
    columns. `gradients` is an array of points x columns x width, with the parameters in the order
    of the sweep. `probabilities` is an array of points x 2**bits. A field that was not asked for is
    None.
    """

    first: int
    points: int
    counts: tuple[Mapping[str, int], ...] | None = None
    values: bytes | None = None
    errors: bytes | None = None
    variances: bytes | None = None
    gradients: bytes | None = None
    probabilities: bytes | None = None
    registers: tuple[Register, ...] = ()
