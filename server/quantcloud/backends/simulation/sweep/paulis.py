"""Observables as sums of products of Pauli matrices, for libraries that have no projectors."""

from collections.abc import Mapping
from itertools import product
from typing import Final

from quantcloud.domain.sweep import Observable

Paulis = Mapping[tuple[tuple[int, str], ...], float]
"""Coefficients by factors: (qubit, `X`, `Y` or `Z`), in the order of the qubits."""

MAX_PRODUCTS: Final = 1 << 14


def paulis(observable: Observable) -> Paulis:
    """Return an observable without projectors: |0><0| is (1 + Z) / 2 and |1><1| is (1 - Z) / 2.

    Raises `ValueError` if that makes more than 16,384 products.
    """
    number = sum(
        [1 << sum([letter in "01" for _, letter in term.factors]) for term in observable.terms]
    )
    if number > MAX_PRODUCTS:
        raise ValueError(
            f"the projectors of an observable stand for {number:,} products of Pauli matrices; "
            f"this backend takes {MAX_PRODUCTS:,}, and local_simulator any number"
        )
    result: dict[tuple[tuple[int, str], ...], float] = {}
    for term in observable.terms:
        choices = [_choices(qubit, letter) for qubit, letter in term.factors]
        for chosen in product(*choices):
            factors = tuple([(qubit, letter) for qubit, letter, _ in chosen if letter])
            coefficient = term.coefficient
            for _, _, weight in chosen:
                coefficient *= weight
            result[factors] = result.get(factors, 0.0) + coefficient
    return result


def _choices(qubit: int, letter: str) -> list[tuple[int, str, float]]:
    if letter in "01":
        return [(qubit, "", 0.5), (qubit, "Z", 0.5 if letter == "0" else -0.5)]
    return [(qubit, letter, 1.0)]
