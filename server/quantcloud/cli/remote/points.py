"""Prints the points of a sweep."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from quantcloud.cli.remote.histogram import most_frequent
from quantcloud.cli.remote.session import Session
from quantcloud.cli.tables import table
from quantcloud.client import Result
from thequantcloud.v1 import sweep_pb2

_SHOWN_POINTS = 100
_NO_INPUTS: Mapping[str, Sequence[float]] = MappingProxyType({})


def show_points(
    session: Session,
    result: Result,
    inputs: Mapping[str, Sequence[float]] = _NO_INPUTS,
    observables: Sequence[str] = (),
) -> None:
    """Print the counts or the expectation values at each point.

    `inputs` and `observables` are those of the run, where known.
    """
    points = result.message.sweep.points
    values = len(points[0].expectation_values) if points else 0
    named = observables or [f"observable {number}" for number in range(values)]
    shown = table("point", *inputs, *(named or ["most frequent"]))
    for number, point in enumerate(points[:_SHOWN_POINTS]):
        found = _values(point) if named else [most_frequent(point.counts)]
        shown.add(number, *_at(inputs, number), *found)
    session.answer(result.to_dict(), shown)
    if (hidden := len(points) - _SHOWN_POINTS) > 0:
        session.say(f"{hidden} more points; --json has all of them")


def _values(point: sweep_pb2.SweepPoint) -> list[str]:
    """Return each expectation value, with its standard error if it has one."""
    errors = [*point.standard_errors] or [None] * len(point.expectation_values)
    return [
        f"{value:.6g}" if error is None else f"{value:.6g} ± {error:.2g}"
        for value, error in zip(point.expectation_values, errors, strict=True)
    ]


def _at(inputs: Mapping[str, Sequence[float]], number: int) -> list[str]:
    """Return the value of each input at a point, or "" for an input with several values."""
    points = max(map(len, inputs.values()), default=0)
    return [
        f"{values[number if len(values) > 1 else 0]:.6g}" if len(values) in (1, points) else ""
        for values in inputs.values()
    ]
