"""Sweeps: a circuit with parameters at many points, and expectation values of observables.

Arrays are bytes of float64 values, little-endian and row-major, so that they cross processes, rows
and messages without conversion.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from quantcloud.domain.value_object import value_object

_SEED_BITS = 53
# How long the bytes of an observable are that is kept to be found again.
_KEPT_BYTES = 32 << 10
_as_json = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


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


class Observable:
    """A sum of terms, which never changes; `data` is given if it is known.

    An optimiser computes the same observable again and again. So it is written as bytes only once,
    and equal bytes give the same object in the process that reads them.
    """

    __slots__ = ("_data", "terms")

    def __init__(self, terms: tuple[Term, ...], data: bytes | None = None) -> None:
        self.terms = terms
        self._data = data

    @property
    def data(self) -> bytes:
        """The terms as JSON: coefficients and factors."""
        if self._data is None:
            terms = [[each.coefficient, each.factors] for each in self.terms]
            self._data = _as_json(terms).encode()
        return self._data

    @staticmethod
    def of(data: bytes) -> "Observable":
        """Return the observable with these bytes."""
        return (_known if len(data) <= _KEPT_BYTES else _read)(data)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Observable) and self.terms == other.terms)

    def __hash__(self) -> int:
        return hash(self.terms)

    def __reduce__(self) -> tuple[Callable[[bytes], "Observable"], tuple[bytes]]:
        return Observable.of, (self.data,)


def _read(data: bytes) -> Observable:
    terms = [
        Term(coefficient, tuple([(qubit, letter) for qubit, letter in factors]))
        for coefficient, factors in json.loads(data)
    ]
    return Observable(tuple(terms), data)


_known = lru_cache(maxsize=32)(_read)


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
