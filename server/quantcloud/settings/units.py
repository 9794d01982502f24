"""Sizes and times as people write them: `2GiB`, `30s`."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, ByteSize, Field, TypeAdapter, ValidationError

_TIME = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[a-z]*)", re.IGNORECASE)
_SECONDS: Mapping[str, float] = {
    "ms": 0.001,
    "s": 1.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86_400.0,
}
_SIZE = TypeAdapter(ByteSize)
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


def _bytes(given: Any) -> Any:
    """Return a size in bytes. Anything else than a text is left to the field's own check."""
    if not isinstance(given, str) or _NUMBER.fullmatch(given.strip()):
        return given
    try:
        return int(_SIZE.validate_python(given))
    except ValidationError as error:
        raise ValueError(
            f"{given!r} is no size; give a number of bytes, or one with a unit, such as 2GiB"
        ) from error


def _kib(given: Any) -> Any:
    """Return a size in KiB, the unit of a number that has none."""
    size = _bytes(given)
    return size / 1024 if isinstance(given, str) and size is not given else given


def _time(given: Any, unit: str) -> Any:
    """Return a time in `unit`, which is also the unit of a number that has none."""
    if not isinstance(given, str):
        return given
    match = _TIME.fullmatch(given.strip())
    if match is None or (match["unit"] and match["unit"].lower() not in _SECONDS):
        try:
            return float(given)  # `inf`, `nan` and signs are left to the field's own check
        except ValueError:
            raise ValueError(
                f"{given!r} is no time; give a number, or one with a unit of "
                f"{', '.join(_SECONDS)}, such as 30s"
            ) from None
    number = float(match["number"])
    return number * _SECONDS[match["unit"].lower()] / _SECONDS[unit] if match["unit"] else number


Bytes = Annotated[int, BeforeValidator(_bytes)]
"""A number of bytes."""
Kib = Annotated[int, BeforeValidator(_kib)]
"""A number of KiB."""
_Finite = Annotated[float, Field(allow_inf_nan=False)]
Seconds = Annotated[_Finite, BeforeValidator(lambda given: _time(given, "s"))]
"""A number of seconds."""
Days = Annotated[_Finite, BeforeValidator(lambda given: _time(given, "d"))]
"""A number of days."""
