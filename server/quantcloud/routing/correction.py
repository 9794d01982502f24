"""What runs teach about predictions. Everything here is a value that a run turns into another."""

import math
from bisect import bisect_left
from functools import cache
from typing import Final

from quantcloud.domain.value_object import value_object

KNOTS: Final = 7
"""Durations that have a correction of their own: 0.1 ms, 1 ms, ... 100 s."""
_FIRST_KNOT: Final = -4  # as a power of ten of seconds

# log10 of the greatest correction, and of the most that one run may move it before it is weighed.
_MOST: Final = 1.0
_LARGEST_STEP: Final = 0.3
# A new run counts as one among so many: few at first, so that it learns soon, then more.
_FEWEST: Final = 2.0
_OTHERS: Final = 20.0

BOUNDS: Final = (1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Upper bounds of the buckets of `Errors`; one more bucket takes what is above."""
_RECENT: Final = 0.05


@value_object
class Correction:
    """A curve by which predicted times are multiplied.

    In logarithms it is linear between knots, one for each power of ten of the predicted seconds,
    since a method may be right for large circuits and wrong for small ones. `shifts` are log10 of
    the factors there, `weights` how many runs each rests on. A knot that no run was near has the
    shift of the nearest that has one.
    """

    shifts: tuple[float, ...] = (0.0,) * KNOTS
    weights: tuple[float, ...] = (0.0,) * KNOTS

    def factor(self, seconds: float) -> float:
        """What a prediction of `seconds` is to be multiplied by; from 0.1 to 10."""
        return 10.0 ** self._shift(seconds)

    def after(self, predicted: float, actual: float) -> "Correction":
        """The curve after a run of `actual` seconds; `predicted` (above 0) is without it."""
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
    """Return for each knot the nearest that is known, the lower of two."""
    places = [knot for knot in range(KNOTS) if known[knot]]
    return tuple([min(places, key=lambda other: abs(other - knot)) for knot in range(KNOTS)])


def _place(seconds: float) -> tuple[int, float]:
    """Return the knot below, and how far on the way to the next one."""
    if seconds <= 0:
        return 0, 0.0
    place = max(0.0, min(KNOTS - 1.0, math.log10(seconds) - _FIRST_KNOT))
    low = min(int(place), KNOTS - 2)
    return low, place - low


@value_object
class Errors:
    """How far predictions were off: the greater of predicted and actual time over the lesser.

    `buckets` counts them by `BOUNDS`, each without those of the buckets below, as the buckets of a
    histogram do. `recent` is a mean of the natural logarithm in which the latest twenty or so count
    most, `bias` that of actual over predicted, with its sign.
    """

    buckets: tuple[int, ...] = (0,) * (len(BOUNDS) + 1)
    recent: float = 0.0
    bias: float = 0.0

    @property
    def count(self) -> int:
        return sum(self.buckets)

    @property
    def typical(self) -> float:
        """The factor by which predictions are off of late; 1 where they are exact."""
        return math.exp(self.recent)

    @property
    def mean_ratio(self) -> float:
        """Actual over predicted time of late, the geometric mean."""
        return math.exp(self.bias)

    def after(self, predicted: float, actual: float) -> "Errors":
        """The figures with one more run; both times are above 0, in seconds."""
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
