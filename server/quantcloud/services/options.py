"""Checks a request's `options` and converts them to a typed object."""

import math
from collections.abc import Callable, Mapping
from typing import Any, cast

from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.execution import Noise, RunOptions

# A double, and so a JSON number, holds integers of this size exactly.
SEED_BITS = 53
MAXIMUM_SEED = (1 << SEED_BITS) - 1

# Real qubits and gates are far from these bounds. Beyond them, rates overflow or underflow.
_SHORTEST_US, _LONGEST_US = 1e-9, 1e12


def parse_options(options: Mapping[str, object]) -> RunOptions:
    """Check `options` key by key. Raises `InvalidArgument` with the key's name."""
    return RunOptions(**_checked("options", options, _OPTIONS))


def _checked(
    path: str, values: Mapping[str, object], known: Mapping[str, Callable[[str, object], Any]]
) -> dict[str, Any]:
    for key in values:
        if key not in known:
            raise InvalidArgument(f"{path}.{key}", f"is unknown; known are {', '.join(known)}")
    return {
        key: known[key](f"{path}.{key}", value)
        for key, value in values.items()
        if value is not None
    }


def _number(field: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidArgument(field, "must be a number")
    if not math.isfinite(value):
        raise InvalidArgument(field, "must be a finite number")
    return float(value)


def _boolean(field: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise InvalidArgument(field, "must be true or false")
    return value


def _seed(field: str, value: object) -> int:
    number = _number(field, value)
    if not number.is_integer() or not 0 <= number <= MAXIMUM_SEED:
        raise InvalidArgument(field, f"must be an integer from 0 to {MAXIMUM_SEED}")
    return int(number)


def _positive(field: str, value: object) -> float:
    number = _number(field, value)
    if number <= 0:
        raise InvalidArgument(field, "must be greater than 0")
    return number


def _microseconds(field: str, value: object) -> float:
    number = _number(field, value)
    if number < _SHORTEST_US:
        raise InvalidArgument(field, f"must be at least {_SHORTEST_US:g} (microseconds)")
    if number > _LONGEST_US:
        raise InvalidArgument(field, f"must be at most {_LONGEST_US:g} (microseconds)")
    return number


def _probability(field: str, value: object) -> float:
    number = _number(field, value)
    if not 0 <= number <= 1:
        raise InvalidArgument(field, "must be a probability from 0 to 1")
    return number


def _noise(field: str, value: object) -> Noise:
    if not isinstance(value, dict):
        raise InvalidArgument(field, f"must be an object with any of {', '.join(_NOISE)}")
    noise = Noise(**_checked(field, cast("dict[str, object]", value), _NOISE))
    if noise.t1_us is not None and noise.t2_us is not None and noise.t2_us > 2 * noise.t1_us:
        raise InvalidArgument(f"{field}.t2_us", "must be at most twice t1_us")
    return noise


_NOISE: Mapping[str, Callable[[str, object], Any]] = {
    "depolarizing_1q": _probability,
    "depolarizing_2q": _probability,
    "readout": _probability,
    "t1_us": _microseconds,
    "t2_us": _microseconds,
    "gate_time_1q_us": _microseconds,
    "gate_time_2q_us": _microseconds,
}

_OPTIONS: Mapping[str, Callable[[str, object], Any]] = {
    "seed": _seed,
    "statevector": _boolean,
    "memory": _boolean,
    "noise": _noise,
    "timeout_seconds": _positive,
}
