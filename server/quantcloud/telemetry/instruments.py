"""Counters and histograms that take a fraction of the time of those of `prometheus_client`.

They have no locks: change each of them in one thread only. Any thread may read them. The text of
`/metrics` comes from `prometheus_client`.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import Generic, TypeVar

from prometheus_client import REGISTRY, Metric
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.registry import Collector

Child = TypeVar("Child")


class Number:
    """A number that is counted."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, amount: float = 1) -> None:
        """Add to the number."""
        self.value += amount

    def dec(self) -> None:
        """Subtract one."""
        self.value -= 1


class Observations:
    """The sum of what was observed, and how much of it is in each bucket."""

    __slots__ = ("_bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, amount: float) -> None:
        """Add an observation to the bucket with the least bound that is not below it."""
        self.sum += amount
        self.counts[bisect_left(self._bounds, amount)] += 1


class _Instrument(Collector, Generic[Child]):
    """A metric, with a child for each combination of its labels' values."""

    def __init__(
        self, name: str, text: str, labels: Sequence[str], make: Callable[[], Child]
    ) -> None:
        self._name = name
        self._text = text
        self._labels = labels
        self._make = make
        self._children: dict[tuple[str, ...], Child] = {}
        if not labels:
            self.labels()
        REGISTRY.register(self)

    def labels(self, *values: str) -> Child:
        """Return the child with these values."""
        child = self._children.get(values)
        if child is None:
            if len(values) != len(self._labels):
                raise ValueError(f"{self._name} has the labels {', '.join(self._labels)}")
            child = self._children[values] = self._make()
        return child

    def _sorted(self) -> list[tuple[tuple[str, ...], Child]]:
        return sorted(self._children.copy().items())


class Counter(_Instrument[Number]):
    """Counts what only grows."""

    _family: type[CounterMetricFamily | GaugeMetricFamily] = CounterMetricFamily

    def __init__(self, name: str, text: str, labels: Sequence[str]) -> None:
        super().__init__(name, text, labels, Number)

    def inc(self, amount: float = 1) -> None:
        """Add to the number of a counter without labels."""
        self.labels().inc(amount)

    def collect(self) -> Iterable[Metric]:
        family = self._family(self._name, self._text, labels=self._labels)
        for values, child in self._sorted():
            family.add_metric(values, child.value)
        yield family


class UpDownCounter(Counter):
    """Counts what there is."""

    _family = GaugeMetricFamily


class Histogram(_Instrument[Observations]):
    """Counts what was observed, in buckets with these upper bounds, which must be in order."""

    def __init__(
        self, name: str, text: str, labels: Sequence[str], bounds: Sequence[float]
    ) -> None:
        self._bounds = [*(str(float(bound)) for bound in bounds), "+Inf"]
        super().__init__(name, text, labels, lambda: Observations(bounds))

    def observe(self, amount: float) -> None:
        """Add an observation to a histogram without labels."""
        self.labels().observe(amount)

    def collect(self) -> Iterable[Metric]:
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        for values, child in self._sorted():
            buckets = list(zip(self._bounds, accumulate(child.counts), strict=True))
            family.add_metric(values, buckets, child.sum)
        yield family
