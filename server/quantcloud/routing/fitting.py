"""Fits coefficients to measured runs by least squares, with the known coefficients as prior."""

import statistics
from collections.abc import Sequence
from dataclasses import astuple
from typing import Final

import numpy as np

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
    before = scale * np.array(astuple(known))
    # The unknowns are the coefficients divided by `before`, so the penalty is least at 1.
    seconds = np.array([sample.seconds for sample in samples])
    work = np.array([(1.0, *sample.work) for sample in samples])
    rows = work * before / (seconds + _SHORT)[:, None]
    curvature = rows.T @ rows + _PRIOR * np.eye(len(before))
    aim = rows.T @ (seconds / (seconds + _SHORT)) + _PRIOR
    factors = np.ones(len(before))
    for _ in range(_ROUNDS):
        for place, own in enumerate(curvature):
            moved = factors[place] + (aim[place] - own @ factors) / own[place]
            factors[place] = min(_MOST, max(_LEAST, moved))
    return Coefficients(*(before * factors).tolist())
