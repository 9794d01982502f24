"""Observables as operators on the amplitudes of a state, for all points at once.

A term maps each basis state to one other, with a factor: it flips the qubits of its X and Y. So a
sum of terms is a sum over patterns of flipped qubits, each with one factor for each basis state.
States are arrays whose first axis has the amplitudes (bit q of an index is qubit q).
"""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quantcloud.backends.simulation.sweep.values import Floats
from quantcloud.domain.sweep import Observable

State: TypeAlias = NDArray[np.complex128]
"""Amplitudes, or factors of them. If all are real, the array is one of float64."""

# Up to this many qubits one matrix is faster than a pass for each pattern.
_DENSE_QUBITS: Final = 6


class Operator:
    """An observable on `num_qubits` qubits, compiled."""

    def __init__(self, observable: Observable, num_qubits: int) -> None:
        size = 1 << num_qubits
        self._indices = np.arange(size)
        self._factors: dict[int, NDArray[np.complex128]] = {}
        for term in observable.terms:
            factors = term.factors
            flips = sum(1 << qubit for qubit, letter in factors if letter in "XY")
            self._factors.setdefault(flips, np.zeros(size, dtype=np.complex128))
            self._factors[flips] += term.coefficient * _factors(factors, self._indices)
        self.is_real = all(not factors.imag.any() for factors in self._factors.values())
        self._matrix: State | None = None
        if num_qubits <= _DENSE_QUBITS:
            matrix = np.zeros((size, size), dtype=np.complex128)
            for flips, factors in self._factors.items():
                matrix[self._indices, self._indices ^ flips] += factors
            self._matrix = _as_state(matrix.real.copy()) if self.is_real else matrix

    def applied(self, state: State) -> State:
        """Return the product of the operator and a state, amplitudes x anything.

        For a real state, only the real part of it.
        """
        real = state.dtype == np.float64
        if self._matrix is not None:
            matrix = _as_state(self._matrix.real) if real else self._matrix
            return (matrix @ state.reshape(len(state), -1)).reshape(state.shape)
        result = np.zeros_like(state)
        shape = (-1, *(1,) * (state.ndim - 1))
        for flips, factors in self._factors.items():
            by = factors.real if real or self.is_real else factors
            if real and not by.any():
                continue
            moved = np.take(state, self._indices ^ flips, axis=0) if flips else state
            result += by.reshape(shape) * moved
        return result

    def squared(self, state: State, product: State) -> Floats:
        """Return the expectation value of the operator's square; `product` is `applied(state)`."""
        if state.dtype == np.float64 and not self.is_real:
            product = self.applied(state.astype(np.complex128))
        return inner(product, product)


def _as_state(array: NDArray[Any]) -> State:
    return array


def _factors(
    factors: Sequence[tuple[int, str]], indices: NDArray[np.int64]
) -> NDArray[np.complex128]:
    """Return the element of a product of factors in each row of its matrix."""
    signs = sum([1 << qubit for qubit, letter in factors if letter in "YZ"])
    projected = sum([1 << qubit for qubit, letter in factors if letter in "01"])
    ones = sum([1 << qubit for qubit, letter in factors if letter == "1"])
    scale = (-1j) ** sum([letter == "Y" for _, letter in factors])
    odd = np.bitwise_count(indices & signs) & 1
    result = np.where(odd, -scale, scale)
    if projected:
        result *= (indices & projected) == ones
    return result


def inner(left: State, right: State) -> Floats:
    """Return the real part of the inner products of states, over the first axis."""
    if left.dtype == np.float64:
        return np.einsum("i...,i...->...", left, right)
    return np.einsum("i...,i...->...", left.real, right.real) + np.einsum(
        "i...,i...->...", left.imag, right.imag
    )
