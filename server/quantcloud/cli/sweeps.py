"""`quantcloud sweep` and `estimate`."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from quantcloud.cli.failure import WRONG_USE, Failure
from quantcloud.cli.points import show_points
from quantcloud.cli.runs import fields, submit_and_follow
from quantcloud.cli.session import Session

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
    result = submit_and_follow(session, file, {**fields(options), "parameters": given}, timeout)
    show_points(session, result, given)


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
    result = submit_and_follow(session, file, run, timeout)
    show_points(session, result, given, observables)


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


def _observable(text: str) -> str | dict[str, float]:
    if not text.lstrip().startswith("{"):
        return text
    try:
        return {str(key): float(value) for key, value in json.loads(text).items()}
    except (ValueError, TypeError) as error:
        raise Failure(f"--observable: is no sum of operators: {error}", WRONG_USE) from error
