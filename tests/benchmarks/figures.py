"""The figures of a benchmark, with their spread and their target."""

import math
import operator
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

_RELATIONS = {">=": operator.ge, "<=": operator.le, "<": operator.lt}


@dataclass(frozen=True, slots=True)
class Spread:
    """The median and quartiles of `count` values, in `unit` (empty for a ratio)."""

    median: float
    lower: float
    upper: float
    count: int
    unit: str = ""

    def __str__(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        return f"{self.median:.3g}{unit} [{self.lower:.3g}, {self.upper:.3g}]"


def spread(values: Sequence[float], unit: str = "") -> Spread:
    """Return the median and quartiles (inclusive method) of one or more `values`."""
    if len(values) == 1:
        return Spread(values[0], values[0], values[0], 1, unit)
    lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median, lower, upper, len(values), unit)


def confident(values: Sequence[float], unit: str = "") -> Spread:
    """Return the median and, in place of the quartiles, its confidence interval of 95 %.

    The interval has no assumption about the distribution: it lies between two of the values.
    """
    ordered, reach = sorted(values), 0.98 * math.sqrt(len(values))
    middle, last = (len(values) - 1) / 2, len(values) - 1
    lower = ordered[max(0, math.floor(middle - reach))]
    upper = ordered[min(last, math.ceil(middle + reach))]
    return Spread(statistics.median(values), lower, upper, len(values), unit)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value below which `percent` of the values lie, by linear interpolation."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


@dataclass(frozen=True, slots=True)
class Target:
    """The bound of a figure; `relation` is one of >=, <=, <."""

    relation: str
    bound: float

    def holds(self, value: float) -> bool:
        return _RELATIONS[self.relation](value, self.bound)

    def __str__(self) -> str:
        return f"{self.relation} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One figure of a benchmark.

    `name` is unique among all benchmarks. `figure` is the value that the target applies to: a
    ratio, or a quantity with a unit. `ours` and `bare` are the two sides of a ratio; each round
    measures both, one right after the other. `target` is None if a figure is only informative.
    """

    name: str
    what: str
    figure: Spread
    target: Target | None = None
    ours: Spread | None = None
    bare: Spread | None = None

    @property
    def holds(self) -> bool | None:
        """Return whether the median meets the target; None without a target."""
        return None if self.target is None else self.target.holds(self.figure.median)


def ratio(
    name: str,
    what: str,
    *,
    ours: Sequence[float],
    bare: Sequence[float],
    unit: str,
    target: Target | None = None,
) -> Finding:
    """Return the ratio of `ours` to `bare`, round by round."""
    quotients = [our / their for our, their in zip(ours, bare, strict=True)]
    return Finding(name, what, spread(quotients), target, spread(ours, unit), spread(bare, unit))
