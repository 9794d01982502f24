"""`quantcloud sweep` and `estimate`."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from quantcloud.cli.failure import WRONG_USE, Failure
from quantcloud.cli.follow import follow
from quantcloud.cli.histogram import most_frequent
from quantcloud.cli.runs import checked, fields
from quantcloud.cli.session import Session, read_circuit, table
from quantcloud.client import Result

_SHOWN_POINTS = 100
_RANGE_PARTS = 3


def sweep(
    session: Session,
    file: Path,
    options: Mapping[str, Any],
    parameters: Sequence[str] | None,
    timeout: float | None,
) -> None:
    """Run a circuit at many points, and print the counts at each. Raises `Failure`."""
    given = _parameters(parameters)
    if not given:
        raise Failure("give the values of each input with --parameter NAME=VALUES", WRONG_USE)
    result = _run(session, file, {**fields(options), "parameters": given}, timeout)
    shown = table("point", *given, "most frequent")
    for number, point in enumerate(result.message.sweep.points[:_SHOWN_POINTS]):
        shown.add_row(str(number), *_at(given, number), most_frequent(point.counts))
    _answer(session, result, shown)


def estimate(
    session: Session,
    file: Path,
    options: Mapping[str, Any],
    observables: Sequence[str],
    parameters: Sequence[str] | None,
    *,
    timeout: float | None,
) -> None:
    """Print the value of each observable at each point. Raises `Failure`."""
    given = _parameters(parameters)
    terms = [_observable(each) for each in observables]
    run = {**fields(options), "parameters": given, "observables": terms}
    result = _run(session, file, run, timeout)
    shown = table("point", *given, *observables)
    for number, point in enumerate(result.message.sweep.points[:_SHOWN_POINTS]):
        errors = [*point.standard_errors] or [None] * len(point.expectation_values)
        values = [
            f"{value:.6g}" if error is None else f"{value:.6g} ± {error:.2g}"
            for value, error in zip(point.expectation_values, errors, strict=True)
        ]
        shown.add_row(str(number), *_at(given, number), *values)
    _answer(session, result, shown)


def _run(session: Session, file: Path, given: Mapping[str, Any], timeout: float | None) -> Result:
    job = checked(session.client.submit, read_circuit(file), given)
    return follow(session, job, timeout)


def _answer(session: Session, result: Result, shown: Any) -> None:
    session.answer(result.to_dict(), shown)
    if (hidden := len(result.message.sweep.points) - _SHOWN_POINTS) > 0:
        session.say(f"{hidden} more points; --json has all of them")


def _parameters(given: Sequence[str] | None) -> dict[str, list[float]]:
    """Return the values by input. Raises `Failure`."""
    found: dict[str, list[float]] = {}
    for each in given or ():
        name, equals, text = each.partition("=")
        try:
            found[name.strip()] = _values(text)
        except ValueError:
            equals = ""
        if not equals or not name.strip():
            raise Failure(
                f"--parameter: must be NAME=VALUES such as theta=0,0.5 or theta=0:1:11, is {each}",
                WRONG_USE,
            )
    return found


def _values(text: str) -> list[float]:
    parts = text.split(":")
    if len(parts) != _RANGE_PARTS:
        return [float(each) for each in text.split(",")]
    first, last, number = float(parts[0]), float(parts[1]), int(parts[2])
    if number < 1:
        raise ValueError(text)
    step = (last - first) / max(1, number - 1)
    return [first + step * each for each in range(number)]


def _at(given: Mapping[str, Sequence[float]], number: int) -> list[str]:
    """Return the value of each input at a point, or "" for an input with several values."""
    points = max(map(len, given.values()), default=0)
    return [
        f"{values[number if len(values) > 1 else 0]:.6g}" if len(values) in (1, points) else ""
        for values in given.values()
    ]


def _observable(text: str) -> str | dict[str, float]:
    if not text.lstrip().startswith("{"):
        return text
    try:
        return {str(key): float(value) for key, value in json.loads(text).items()}
    except (ValueError, TypeError) as error:
        raise Failure(f"--observable: is no sum of operators: {error}", WRONG_USE) from error
