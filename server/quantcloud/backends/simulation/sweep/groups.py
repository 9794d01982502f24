"""Groups of terms that one measurement of each qubit determines together."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quantcloud.backends.simulation.sweep.values import Floats
from quantcloud.circuits.ir import Operation
from quantcloud.domain.sweep import Observable, Sweep


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

    def values(self, outcomes: NDArray[np.int64], observables: int) -> Floats:
        """Return the sum of each observable's terms, observables x outcomes.

        Bit q of an outcome is that of qubit q.
        """
        result = np.zeros((observables, len(outcomes)))
        for place, coefficient, factors in self.terms:
            value = np.full(len(outcomes), coefficient)
            for qubit, letter in factors:
                ones = (outcomes >> qubit) & 1
                value *= ones == int(letter) if letter in "01" else 1 - 2 * ones
            result[place] += value
        return result


class Grouped(NamedTuple):
    """Observables in groups. `constants` are the terms without factors, one sum each."""

    groups: tuple[Group, ...]
    constants: Floats


def grouped(observables: Sequence[Observable]) -> Grouped:
    """Put the terms of observables into few groups, greedily: those with the most factors first."""
    constants = np.zeros(len(observables))
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


def bounds(found: Grouped) -> Floats:
    """Return the most that each observable can deviate in each group: observables x groups."""
    result = np.zeros((len(found.constants), len(found.groups)))
    for column, group in enumerate(found.groups):
        for place, coefficient, factors in group.terms:
            half = all(letter in "01" for _, letter in factors)
            result[place, column] += abs(coefficient) * (0.5 if half else 1.0)
    return result


def shared_out(shots: int, weights: Floats) -> NDArray[np.int64]:
    """Share shots out in proportion to weights; each group gets one at least.

    Raises `ValueError` if there are fewer shots than groups.
    """
    if shots < len(weights):
        raise ValueError(
            f"the observables need {len(weights)} different measurements, so at least as many "
            f"shots at each point; got {shots}"
        )
    total = float(weights.sum())
    parts = weights / total if total > 0 else np.full(len(weights), 1 / max(1, len(weights)))
    free = shots - len(weights)
    result = np.floor(parts * free).astype(np.int64)
    rest = free - int(result.sum())
    if len(weights):
        result[np.argsort(-(parts * free - result), kind="stable")[:rest]] += 1
    return result + 1


def shots_needed(sweep: Sweep) -> int:
    """Return the shots at each point after which no standard error exceeds the `precision`.

    It follows from the coefficients alone, so it is known before the run.
    """
    assert sweep.precision is not None  # noqa: S101 - the caller checks
    sets = [[each] for each in sweep.observables] if sweep.zipped else [sweep.observables]
    most = 1
    for observables in sets:
        limits = bounds(grouped(observables))
        # Shots in proportion to the largest bounds of each group.
        shares = limits.max(axis=0, initial=0.0)
        total = float(shares.sum())
        for row in limits if total else ():
            used = shares > 0
            variance = float((row[used] ** 2 / shares[used]).sum()) * total
            most = max(most, math.ceil(variance / sweep.precision**2) + len(shares))
    return most
