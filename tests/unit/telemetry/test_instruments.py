"""Counters and histograms, compared with those of `prometheus_client`."""

import prometheus_client
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from quantcloud.telemetry import instruments

BOUNDS = (0.001, 0.25, 1.0, 10.0)
OBSERVED = (0.0, 0.001, 0.0011, 0.25, 3.0, 10.0, 11.0, 1e9)


def text(made: instruments.Counter | instruments.UpDownCounter | instruments.Histogram) -> str:
    """Return the text of a metric, and register it no longer."""
    prometheus_client.REGISTRY.unregister(made)
    registry = CollectorRegistry()
    registry.register(made)
    return generate_latest(registry).decode()


def without_times(registry: CollectorRegistry) -> str:
    """Return the text of a registry without the times at which its metrics were made."""
    lines = generate_latest(registry).decode().splitlines()
    return "".join(f"{line}\n" for line in lines if "_created" not in line)


def test_a_histogram_has_the_text_of_the_librarys():
    registry = CollectorRegistry()
    theirs = prometheus_client.Histogram(
        "a_seconds", "What it is.", ("method", "code"), buckets=BOUNDS, registry=registry
    )
    ours = instruments.Histogram("a_seconds", "What it is.", ("method", "code"), BOUNDS)
    for each in (theirs, ours):
        for code in ("OK", 'a "quoted"\nline'):
            for amount in OBSERVED:
                each.labels("run", code).observe(amount)
    expected = without_times(registry)
    assert sorted(text(ours).splitlines()) == sorted(expected.splitlines())


def test_a_counter_has_the_text_of_the_librarys():
    registry = CollectorRegistry()
    theirs = prometheus_client.Counter("a", "What it is.", registry=registry)
    ours = instruments.Counter("a", "What it is.", ())
    for each in (theirs, ours):
        each.inc()
        each.inc(2)
    assert text(ours) == without_times(registry)


def test_an_up_down_counter_is_a_gauge():
    ours = instruments.UpDownCounter("a", "What it is.", ("method",))
    ours.labels("run").inc()
    ours.labels("run").inc()
    ours.labels("run").dec()
    assert text(ours) == '# HELP a What it is.\n# TYPE a gauge\na{method="run"} 1.0\n'


def test_a_child_needs_each_label():
    ours = instruments.Counter("a", "What it is.", ("method", "code"))
    with pytest.raises(ValueError, match="a has the labels method, code"):
        ours.labels("run")
    assert "{" not in text(ours)
