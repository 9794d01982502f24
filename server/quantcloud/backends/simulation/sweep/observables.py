"""Observables as operators on the amplitudes of a state, for all points at once.

A term maps each basis state to one other, with a factor: it flips the qubits of its X and Y. So a
sum of terms is a sum over patterns of flipped qubits, each with one factor for each basis state.
States are arrays whose first axis has the amplitudes (bit q of an index is qubit q).
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import groupby
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quantcloud.backends.simulation.sweep.values import Floats
from quantcloud.domain.sweep import Observable, Term

State: TypeAlias = NDArray[np.complex128]
"""Amplitudes, or factors of them. If all are real, the array is one of float64."""

# How many elements of patterns are processed together.
_TOGETHER: Final = 1 << 14


class _Flips(NamedTuple):
    """Some patterns of flipped qubits, of which `bit` is the highest, for the rows where it is 0.

    `partners` says for each pattern from which rows, of those where the qubit is 1, the amplitudes
    come: patterns x rows. `factors` are the elements of the matrix there. A matrix of an observable
    is Hermitian, so those of the other rows are their conjugates.
    """

    bit: int
    partners: NDArray[np.int64]
    factors: State

    def real_part(self) -> "_Flips | None":
        """Return the patterns with real elements, if there are any."""
        real = self.factors.real
        some = real.any(axis=1)
        return _Flips(self.bit, self.partners[some], _as_state(real[some])) if some.any() else None

    def halves(self, state: State) -> tuple[State, State]:
        """Return the rows of a state where the qubit is 0, and those where it is 1."""
        view = self._by_bit(state)
        rest = state.shape[1:]
        return view[:, 0].reshape(-1, *rest), view[:, 1].reshape(-1, *rest)

    def _by_bit(self, state: State) -> State:
        return state.reshape(-1, 2, 1 << self.bit, *state.shape[1:])

    def value(self, state: State) -> Floats:
        """Return the part of the expectation value in a state, amplitudes x points."""
        zero, one = self.halves(state)
        moved = _taken(one, self.partners)
        moved *= np.conjugate(zero)
        parts = self.factors.reshape(-1) @ moved.reshape(self.factors.size, -1)
        return 2 * parts.real

    def add(self, state: State, result: State) -> None:
        """Add the product with a state, amplitudes x anything, to `result`."""
        zero, one = self.halves(state)
        into_zero, into_one = np.zeros_like(zero), np.zeros_like(one)
        shape = (-1, *(1,) * (state.ndim - 1))
        for partners, own in zip(self.partners, self.factors, strict=True):
            factors: State = own.reshape(shape)
            into_zero += factors * _taken(one, partners)
            into_one += _taken(np.conjugate(factors) * zero, partners)
        view = self._by_bit(result)
        view[:, 0] += into_zero.reshape(view[:, 0].shape)
        view[:, 1] += into_one.reshape(view[:, 1].shape)


class Operator:
    """An observable on `num_qubits` qubits, compiled."""

    def __init__(self, observable: Observable, num_qubits: int) -> None:
        self._size = 1 << num_qubits
        indices = np.arange(self._size)
        self._diagonal: Floats = np.zeros(self._size)
        by_flips: dict[int, list[Term]] = {}
        for term in observable.terms:
            flips = sum([1 << qubit for qubit, letter in term.factors if letter in "XY"])
            by_flips.setdefault(flips, []).append(term)
        for term in by_flips.pop(0, ()):
            self._diagonal += _elements(term, indices).real
        self._flips = list(_joined(by_flips, num_qubits))
        self.is_real = not any(each.factors.imag.any() for each in self._flips)

    @cached_property
    def _real_flips(self) -> list[_Flips]:
        """The real parts, which are all that counts for a real state."""
        return [real for each in self._flips if (real := each.real_part()) is not None]

    def _flips_of(self, state: State) -> list[_Flips]:
        return self._real_flips if self.is_real or state.dtype == np.float64 else self._flips

    def value(self, state: State) -> Floats:
        """Return the expectation value in a state, amplitudes x anything."""
        columns = state.reshape(self._size, -1)
        result = self._diagonal @ (np.conjugate(columns) * columns).real
        for each in self._flips_of(state):
            result += each.value(columns)
        return result.reshape(state.shape[1:])

    def applied(self, state: State) -> State:
        """Return the product of the operator and a state, amplitudes x anything.

        For a real state, only the real part of it.
        """
        result: State = self._diagonal.reshape(-1, *(1,) * (state.ndim - 1)) * state
        for each in self._flips_of(state):
            each.add(state, result)
        return result

    def squared(self, state: State, product: State) -> Floats:
        """Return the expectation value of the operator's square; `product` is `applied(state)`."""
        if state.dtype == np.float64 and not self.is_real:
            product = self.applied(state.astype(np.complex128))
        return inner(product, product)


def moments(operators: Sequence[Operator], state: State) -> tuple[Floats, Floats]:
    """Return the expectation values and the variances in a state, amplitudes x anything."""
    products = [each.applied(state) for each in operators]
    values = np.array([inner(state, product) for product in products])
    squares = np.array(
        [each.squared(state, own) for each, own in zip(operators, products, strict=True)]
    )
    return values, np.maximum(squares - values**2, 0.0)


def _joined(by_flips: Mapping[int, Sequence[Term]], num_qubits: int) -> Iterator[_Flips]:
    """Yield the terms in groups of patterns; a group has few elements, to stay in a cache."""
    indices = np.arange(1 << num_qubits)
    half = len(indices) // 2
    most = max(1, _TOGETHER // max(1, half))
    for length, patterns in groupby(sorted(by_flips), int.bit_length):
        bit, left = length - 1, list(patterns)
        rows = indices.reshape(-1, 2, 1 << bit)[:, 0].ravel()
        while left:
            some, left = left[:most], left[most:]
            factors = [sum([_elements(term, rows) for term in by_flips[each]]) for each in some]
            partners = [indices[:half] ^ each ^ (1 << bit) for each in some]
            yield _Flips(bit, np.array(partners), np.array(factors))


def _taken(state: State, rows: NDArray[np.int64]) -> State:
    return state.take(rows, axis=0, mode="clip")


def _as_state(array: NDArray[Any]) -> State:
    return array


def _elements(term: Term, rows: NDArray[np.int64]) -> NDArray[np.complex128]:
    """Return the only element of a term's matrix in each of some rows."""
    factors = term.factors
    signs = sum([1 << qubit for qubit, letter in factors if letter in "YZ"])
    projected = sum([1 << qubit for qubit, letter in factors if letter in "01"])
    ones = sum([1 << qubit for qubit, letter in factors if letter == "1"])
    scale = term.coefficient * (-1j) ** sum([letter == "Y" for _, letter in factors])
    odd = np.bitwise_count(rows & signs) & 1
    result = np.where(odd, -scale, scale)
    if projected:
        result *= (rows & projected) == ones
    return result


def inner(left: State, right: State) -> Floats:
    """Return the real part of the inner products of states, over the first axis."""
    if left.dtype == np.float64:
        return np.einsum("i...,i...->...", left, right)
    return np.einsum("i...,i...->...", left.real, right.real) + np.einsum(
        "i...,i...->...", left.imag, right.imag
    )
