"""Learns corrections of predictions from runs. All values here are immutable."""

import math
from bisect import bisect_left
from functools import cache
from typing import Final

from quantcloud.domain.value_object import value_object

KNOTS: Final = 7
"""The number of durations with their own correction: 0.1 ms, 1 ms, ... 100 s."""
_FIRST_KNOT: Final = -4  # log10 of seconds

# log10 of the greatest correction, and of the most that one run may move it before weighting.
_MOST: Final = 1.0
_LARGEST_STEP: Final = 0.3
# The weight of a new run is one among this many: few at first, to learn fast, and more later.
_FEWEST: Final = 2.0
_OTHERS: Final = 20.0

BOUNDS: Final = (1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Upper bounds of the buckets of `Errors`; one more bucket holds larger errors."""
_RECENT: Final = 0.05


@value_object
class Correction:
    """A factor for predicted times, as a curve over the predicted time.

    In logarithms the curve is linear between knots, one for each power of ten of the predicted
    seconds, because a method may be right for large circuits and wrong for small ones. `shifts`
    are log10 of the factors at the knots, and `weights` how many runs each is based on. A knot
    without a run nearby has the shift of the nearest knot with one.
    """

    shifts: tuple[float, ...] = (0.0,) * KNOTS
    weights: tuple[float, ...] = (0.0,) * KNOTS

    def factor(self, seconds: float) -> float:
        """Return the factor for a prediction of `seconds`; from 0.1 to 10."""
        return 10.0 ** self._shift(seconds)

    def after(self, predicted: float, actual: float) -> "Correction":
        """Return the curve after a run of `actual` seconds, `predicted` (above 0) uncorrected."""
        low, share = _place(predicted)
        ratio = math.log10(actual / predicted)
        miss = max(-_MOST, min(_MOST, ratio)) - self._shift(predicted)
        miss = max(-_LARGEST_STEP, min(_LARGEST_STEP, miss))
        shifts, weights = list(self.shifts), list(self.weights)
        for knot, part in ((low, 1 - share), (low + 1, share)):
            if part > 0:
                weights[knot] = min(_OTHERS, weights[knot] + part)
                shifts[knot] += miss * part / (_FEWEST + weights[knot])
        known = tuple([bool(weight) for weight in weights])
        if not all(known):
            shifts = [shifts[knot] for knot in _nearest(known)]
        return Correction(tuple(shifts), tuple(weights))

    def _shift(self, seconds: float) -> float:
        low, share = _place(seconds)
        shifts = self.shifts
        return shifts[low] if share == 0 else shifts[low] * (1 - share) + shifts[low + 1] * share


@cache
def _nearest(known: tuple[bool, ...]) -> tuple[int, ...]:
    """Return for each knot the nearest known knot; if there are two, the lower."""
    places = [knot for knot in range(KNOTS) if known[knot]]
    return tuple([min(places, key=lambda other: abs(other - knot)) for knot in range(KNOTS)])


def _place(seconds: float) -> tuple[int, float]:
    """Return the knot below `seconds`, and how far it is toward the next, from 0 to 1."""
    if seconds <= 0:
        return 0, 0.0
    place = max(0.0, min(KNOTS - 1.0, math.log10(seconds) - _FIRST_KNOT))
    low = min(int(place), KNOTS - 2)
    return low, place - low


@value_object
class Errors:
    """Statistics of the error of predictions.

    An error is the greater of predicted and actual time divided by the lesser. `buckets` counts
    errors by `BOUNDS`, not cumulatively. `recent` is a moving mean of the error's natural logarithm
    over about the last twenty runs, and `bias` that of the signed logarithm of actual / predicted.
    """

    buckets: tuple[int, ...] = (0,) * (len(BOUNDS) + 1)
    recent: float = 0.0
    bias: float = 0.0

    @property
    def count(self) -> int:
        return sum(self.buckets)

    @property
    def typical(self) -> float:
        """The typical error of recent predictions, as a factor; 1 if they are exact."""
        return math.exp(self.recent)

    @property
    def mean_ratio(self) -> float:
        """The geometric mean of actual over predicted time of recent runs."""
        return math.exp(self.bias)

    def after(self, predicted: float, actual: float) -> "Errors":
        """Return the statistics with one more run; both times are in seconds and above 0."""
        logarithm = math.log(actual / predicted)
        factor = math.exp(abs(logarithm))
        bucket = bisect_left(BOUNDS, factor)
        counts = list(self.buckets)
        counts[bucket] += 1
        rate = max(_RECENT, 1 / sum(counts))
        return Errors(
            tuple(counts),
            self.recent + rate * (abs(logarithm) - self.recent),
            self.bias + rate * (logarithm - self.bias),
        )
