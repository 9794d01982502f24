"""The cost model as two JSON objects: the calibration, and what was learnt since.

`quantcloud calibrate` writes the first and the server the second. A method is named
`BACKEND/METHOD`. Both objects are validated when read, because people may edit the files.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final, TypeVar, cast

from quantcloud.routing.correction import BOUNDS, KNOTS, Correction, Errors
from quantcloud.routing.cost_model import Calibration, CostModel, Key
from quantcloud.routing.work import Coefficients

VERSION: Final = 3
"""The version of both formats and of what the backends count as work. The server ignores files of
another version and measures again."""

T = TypeVar("T")
Document = Mapping[str, Any]


class UnusableError(ValueError):
    """The server cannot use a document; the text says why."""


def calibration_document(calibration: Calibration) -> dict[str, object]:
    """Return a calibration as JSON."""
    return {
        "version": VERSION,
        "machine": calibration.machine,
        "measured_at": calibration.measured_at,
        "seconds_per_unit": {
            _name(key): asdict(each) for key, each in sorted(calibration.coefficients.items())
        },
    }


def read_calibration(document: Document, machine: str) -> Calibration:
    """Read a calibration from JSON. Raises `UnusableError`, also if it is of another machine."""
    _check_version(document)
    found = document.get("machine")
    if found != machine:
        raise UnusableError(f"it was measured on another machine ({found})")
    coefficients = _each(document, "seconds_per_unit", _coefficients)
    return Calibration(machine, str(document.get("measured_at")), coefficients)


def learnt_document(model: CostModel) -> dict[str, object]:
    """Return what a model has learnt, as JSON."""
    return {
        "version": VERSION,
        "calibration": _basis(model),
        "corrections": {
            _name(key): asdict(each) for key, each in sorted(model.corrections.items())
        },
        "errors": {_name(key): asdict(each) for key, each in sorted(model.errors.items())},
    }


def read_learnt(document: Document, model: CostModel) -> None:
    """Add what was learnt to a model, whose calibration must be set already.

    Corrections that belong to another calibration are skipped. Raises `UnusableError`.
    """
    _check_version(document)
    errors = _each(document, "errors", _errors)
    corrections = _each(document, "corrections", _correction)
    model.errors.update(errors)
    if document.get("calibration") == _basis(model):
        model.corrections.update(corrections)


def _basis(model: CostModel) -> str | None:
    return model.calibration.measured_at if model.calibration else None


def _check_version(document: Document) -> None:
    if document.get("version") != VERSION:
        raise UnusableError(f"its version is {document.get('version')!r}, not {VERSION}")


def _name(key: Key) -> str:
    return "/".join(key)


def _each(document: Document, field: str, read: Callable[[Document], T]) -> dict[Key, T]:
    """Apply `read` to each value of an object whose keys name methods."""
    values = document.get(field)
    if not isinstance(values, Mapping):
        raise UnusableError(f"{field} is not an object")
    result: dict[Key, T] = {}
    for name, value in cast("Mapping[str, Document]", values).items():
        backend, _, method = name.partition("/")
        try:
            result[backend, method] = read(value)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise UnusableError(f"{field}.{name}: {error}") from error
    return result


def _coefficients(values: Document) -> Coefficients:
    return Coefficients(**{name: _number(value) for name, value in values.items()})


def _correction(values: Document) -> Correction:
    shifts, weights = _numbers(values["shifts"], KNOTS), _numbers(values["weights"], KNOTS)
    if any(abs(shift) > 1 for shift in shifts):
        raise ValueError("a shift must be from -1 to 1")
    return Correction(shifts, weights)


def _errors(values: Document) -> Errors:
    buckets = _numbers(values["buckets"], len(BOUNDS) + 1)
    return Errors(
        tuple(int(each) for each in buckets), _number(values["recent"]), float(values["bias"])
    )


def _numbers(values: Any, length: int) -> tuple[float, ...]:
    if len(values) != length:
        raise ValueError(f"has {len(values)} numbers, not {length}")
    return tuple(float(value) for value in values)


def _number(value: Any) -> float:
    number = float(value)
    if not 0 <= number < float("inf"):
        raise ValueError(f"{value!r} is not a number of 0 or more")
    return number
