"""Coefficients from measured runs: a least-squares fit that stays near what was known before."""

import statistics
from collections.abc import Sequence
from dataclasses import astuple
from typing import Final

from quantcloud.domain.value_object import value_object
from quantcloud.routing.work import Coefficients, Work

# Below this a difference between predicted and measured time counts for less, in seconds.
_SHORT: Final = 5e-5
# How much the coefficients known before count, as against one run.
_PRIOR: Final = 0.05
_LEAST, _MOST = 0.02, 50.0
_ROUNDS: Final = 300


@value_object
class Sample:
    """A run: what there was to do, and the seconds that it took."""

    work: Work
    seconds: float


def fitted(known: Coefficients, samples: Sequence[Sample]) -> Coefficients:
    """Fit coefficients to runs.

    Minimises the sum of squared relative errors plus a penalty for each coefficient's relative
    distance from the one that was known before, once all of those are multiplied by the factor
    that fits most runs best (a ridge regression with bounds, solved by coordinate descent). A term
    that no run exercises is so scaled with the others. Returns `known` without samples.
    """
    if not samples:
        return known
    scale = statistics.median(
        (sample.seconds + _SHORT) / (known.seconds(sample.work) + _SHORT) for sample in samples
    )
    before = [scale * value for value in astuple(known)]
    # Unknowns are the coefficients over `before`, so that 1 is where the penalty is least.
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
