"""The terms of observables: what one measurement of each qubit determines together, and Paulis."""

import math
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Final, NamedTuple

from quantcloud.circuits.ir import Operation
from quantcloud.domain.sweep import Observable, Sweep

Paulis = Mapping[tuple[tuple[int, str], ...], float]
"""Coefficients by factors: (qubit, `X`, `Y` or `Z`), in the order of the qubits."""

MAX_PRODUCTS: Final = 1 << 14
# The parts of a shot to which shares are rounded.
_SHOT_UNITS: Final = 1 << 20


class Group(NamedTuple):
    """Terms whose factors agree on a basis, `X`, `Y` or `Z`, for each qubit that they act on.

    `terms` are (observable, coefficient, factors).
    """

    basis: Mapping[int, str]
    terms: tuple[tuple[int, float, tuple[tuple[int, str], ...]], ...]

    @property
    def rotations(self) -> tuple[Operation, ...]:
        """The gates after which a measurement gives the terms' values."""
        return tuple(
            [
                Operation(gate, (qubit,))
                for qubit, letter in self.basis.items()
                for gate in {"X": ("h",), "Y": ("sdg", "h"), "Z": ()}[letter]
            ]
        )


class Grouped(NamedTuple):
    """Observables in groups. `constants` are the terms without factors, one sum each."""

    groups: tuple[Group, ...]
    constants: Sequence[float]

    @property
    def bounds(self) -> list[list[float]]:
        """The most that each observable can deviate in each group: a row for each group."""
        rows: list[list[float]] = []
        for group in self.groups:
            row = [0.0] * len(self.constants)
            for place, coefficient, factors in group.terms:
                # A product of projectors is 0 or 1, other terms are -1 or 1.
                half = all(letter in "01" for _, letter in factors)
                row[place] += abs(coefficient) * (0.5 if half else 1.0)
            rows.append(row)
        return rows


def grouped(observables: Sequence[Observable]) -> Grouped:
    """Put the terms of observables into few groups, greedily: those with the most factors first."""
    constants = [0.0] * len(observables)
    terms: list[tuple[int, float, tuple[tuple[int, str], ...]]] = []
    for place, observable in enumerate(observables):
        for term in observable.terms:
            if term.factors:
                terms.append((place, term.coefficient, term.factors))
            else:
                constants[place] += term.coefficient
    terms.sort(key=lambda term: (-len(term[2]), -abs(term[1])))
    bases: list[dict[int, str]] = []
    members: list[list[tuple[int, float, tuple[tuple[int, str], ...]]]] = []
    for term in terms:
        needed = {qubit: "Z" if letter in "01" else letter for qubit, letter in term[2]}
        for basis, inside in zip(bases, members, strict=True):
            if all(basis.get(qubit, letter) == letter for qubit, letter in needed.items()):
                basis.update(needed)
                inside.append(term)
                break
        else:
            bases.append(needed)
            members.append([term])
    groups = [Group(basis, tuple(inside)) for basis, inside in zip(bases, members, strict=True)]
    return Grouped(tuple(groups), constants)


def shared_out(shots: int, weights: Sequence[float]) -> list[int]:
    """Share shots out in proportion to weights; each group gets one at least.

    The last bits of the weights do not count, because rounding makes equal ones differ.

    Raises `ValueError` if there are fewer shots than groups.
    """
    number = len(weights)
    if shots < number:
        raise ValueError(
            f"the observables need {number} different measurements, so at least as many shots at "
            f"each point; got {shots}"
        )
    total = sum(weights)
    wanted = [
        round((shots - number) * (each / total if total else 1 / number) * _SHOT_UNITS)
        for each in weights
    ]
    parts = [1 + each // _SHOT_UNITS for each in wanted]
    left = sorted(range(number), key=lambda place: -(wanted[place] % _SHOT_UNITS))
    for place in left[: shots - sum(parts)]:
        parts[place] += 1
    return parts


def shots_needed(sweep: Sweep) -> int:
    """Return the shots at each point after which no standard error exceeds the `precision`.

    It follows from the coefficients alone, so it is known before the run.
    """
    assert sweep.precision is not None  # noqa: S101 - the caller checks
    sets = [[each] for each in sweep.observables] if sweep.zipped else [sweep.observables]
    most = 1
    for observables in sets:
        limits = grouped(observables).bounds
        # The shots are in proportion to the largest bound of each group.
        shares = [max(row) for row in limits]
        for place in range(len(observables)):
            parts = [
                row[place] ** 2 / share for row, share in zip(limits, shares, strict=True) if share
            ]
            needed = sum(parts) * sum(shares) / sweep.precision**2
            most = max(most, math.ceil(needed) + len(limits))
    return most


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
