"""Computes the points of a sweep, some at once, and puts their results together."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from quantcloud.backends.simulation.sweep.angles import Angles
from quantcloud.backends.simulation.sweep.outcomes import Bytes, packed
from quantcloud.backends.simulation.sweep.values import Floats, in_sweep_order, values_of
from quantcloud.circuits.ir import Circuit
from quantcloud.domain.sweep import PointBlock, Sweep


class PointOutcomes(NamedTuple):
    """The outcomes of some points: counts, or rows of whole bytes; and exact probabilities."""

    counts: Sequence[Mapping[str, int]] = ()
    rows: Sequence[Bytes] = ()
    probabilities: Floats | None = None


class Estimate(NamedTuple):
    """Expectation values at some points, points x observables, with errors and variances.

    Those of a single program have no axis of points. The standard errors are None if the values are
    exact. The variances are those of the observables in the state with any number of shots, and
    None if they were not asked for. `slopes` are derivatives by the angles: points x observables x
    angles.
    """

    values: Floats
    errors: Floats | None = None
    variances: Floats | None = None
    slopes: Floats | None = None


class Computer(Protocol):
    """Computes points from `first` on; `angles` has a row for each point."""

    def outcomes(self, first: int, angles: Floats) -> PointOutcomes: ...

    def estimates(self, first: int, angles: Floats) -> Estimate: ...


def block(
    computer: Computer, circuit: Circuit, sweep: Sweep, angles: Angles, together: int
) -> PointBlock:
    """Compute the points of a run, `together` at once."""
    inputs = values_of(sweep, circuit.inputs)
    rows = angles.values(inputs, sweep.first)
    chunks = [
        (sweep.first + start, rows[start : start + together])
        for start in range(0, len(rows), together)
    ]
    if not sweep.observables:
        drawn = [computer.outcomes(*chunk) for chunk in chunks]
        shots = [row for each in drawn for row in each.rows]
        return PointBlock(
            sweep.first,
            len(rows),
            counts=None if sweep.packed else tuple([own for each in drawn for own in each.counts]),
            probabilities=_joined([each.probabilities for each in drawn]),
            registers=packed(shots, circuit.clbit_registers) if sweep.packed else (),
        )
    found = [computer.estimates(*chunk) for chunk in chunks]
    gradients = None
    if sweep.gradient:
        slopes = np.concatenate([each.slopes for each in found if each.slopes is not None])
        by_input = angles.pulled_back(inputs, slopes, sweep.first)
        gradients = _as_bytes(in_sweep_order(by_input, sweep, circuit.inputs))
    return PointBlock(
        sweep.first,
        len(rows),
        values=_joined([each.values for each in found]),
        errors=_joined([each.errors for each in found]),
        variances=_joined([each.variances for each in found]),
        gradients=gradients,
    )


def _joined(parts: Sequence[Floats | None]) -> bytes | None:
    known = [part for part in parts if part is not None]
    return _as_bytes(np.concatenate(known)) if known else None


def _as_bytes(values: Floats) -> bytes:
    """Return an array as bytes of float64, little-endian and row-major."""
    return np.ascontiguousarray(values, dtype="<f8").tobytes()
