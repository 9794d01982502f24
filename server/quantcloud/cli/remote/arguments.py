"""What the arguments of commands say: circuits, and the fields of a run."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from quantcloud.cli.failure import WRONG_USE, Failure

_RANGE_PARTS = 3


def read_circuit(file: Path) -> str:
    """Return the text of a circuit's file, or of standard input for `-`. Raises `Failure`."""
    try:
        content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return content.decode()
    except OSError as error:
        raise Failure(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Failure(f"{file} is not UTF-8 text") from error


def run_fields(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a run from the options of a command. Raises `Failure`."""
    found = dict(given)
    more = _read_json("--options", found.pop("options"))
    if twice := sorted(more.keys() & {*found, "circuit", "parameters", "observables"}):
        raise Failure(f"--options: {twice[0]} has an option of its own", WRONG_USE)
    found["noise"] = _read_json("--noise", found["noise"]) or None
    return {key: value for key, value in {**more, **found}.items() if value not in (None, [])}


def _read_json(option: str, text: str | None) -> dict[str, Any]:
    """Return a JSON object that an option has, or the file that it names. Raises `Failure`."""
    if text is None:
        return {}
    try:
        source = text if text.lstrip().startswith(("{", "[")) else Path(text).read_text("utf-8")
        found = json.loads(source)
    except OSError as error:
        raise Failure(f"{option}: cannot read {text}: {error.strerror}", WRONG_USE) from error
    except ValueError as error:
        raise Failure(f"{option}: is no JSON: {error}", WRONG_USE) from error
    if not isinstance(found, dict):
        raise Failure(f"{option}: must be a JSON object", WRONG_USE)
    return found  # pyright: ignore[reportUnknownVariableType]  # the keys of JSON are texts


def parameters(given: Sequence[str]) -> dict[str, list[float]]:
    """Return the values by input. Raises `Failure`."""
    found: dict[str, list[float]] = {}
    for each in given:
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


def observable(text: str) -> str | dict[str, float]:
    """Return an operator, or a sum of them that is JSON. Raises `Failure`."""
    if not text.lstrip().startswith("{"):
        return text
    try:
        return {str(key): float(value) for key, value in json.loads(text).items()}
    except (ValueError, TypeError) as error:
        raise Failure(f"--observable: is no sum of operators: {error}", WRONG_USE) from error
