"""Fits coefficients to measured runs by least squares, with the known coefficients as prior."""

import statistics
from collections.abc import Sequence
from dataclasses import astuple
from typing import Final

from quantcloud.domain.value_object import value_object
from quantcloud.routing.work import Coefficients, Work

# Seconds; a difference between predicted and measured time below this counts for less.
_SHORT: Final = 5e-5
# The weight of the known coefficients relative to one run.
_PRIOR: Final = 0.05
_LEAST, _MOST = 0.02, 50.0
_ROUNDS: Final = 300


@value_object
class Sample:
    """A measured run: its work, and how many seconds it took."""

    work: Work
    seconds: float


def fitted(known: Coefficients, samples: Sequence[Sample]) -> Coefficients:
    """Fit coefficients to runs.

    First all known coefficients are scaled by the median ratio of measured to predicted time. Then
    the fit minimises the sum of squared relative errors plus a penalty for each coefficient's
    relative distance from its scaled value (ridge regression with bounds, by coordinate descent).
    So a term that no run exercises is scaled with the others. Without samples, returns `known`.
    """
    if not samples:
        return known
    scale = statistics.median(
        (sample.seconds + _SHORT) / (known.seconds(sample.work) + _SHORT) for sample in samples
    )
    before = [scale * value for value in astuple(known)]
    # The unknowns are the coefficients divided by `before`, so the penalty is least at 1.
    rows = [
        [
            amount * value / (sample.seconds + _SHORT)
            for amount, value in zip((1.0, *sample.work), before, strict=True)
        ]
        for sample in samples
    ]
    aims = [sample.seconds / (sample.seconds + _SHORT) for sample in samples]
    factors = [1.0] * len(before)
    rests = [aim - sum(row) for row, aim in zip(rows, aims, strict=True)]
    for _ in range(_ROUNDS):
        for place, factor in enumerate(factors):
            column = [row[place] for row in rows]
            slope = sum(value * value for value in column) + _PRIOR
            pull = sum(v * rest for v, rest in zip(column, rests, strict=True))
            pull += _PRIOR * (1.0 - factor)
            moved = min(_MOST, max(_LEAST, factor + pull / slope))
            step = moved - factor
            if step:
                factors[place] = moved
                rests = [rest - step * v for rest, v in zip(rests, column, strict=True)]
    return Coefficients(*[value * factor for value, factor in zip(before, factors, strict=True)])
