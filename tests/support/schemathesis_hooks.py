"""Leave out requests that break the schema and that every JSON parser of protobuf accepts.

It reads a number from a text, and an enum word from its number: see
https://protobuf.dev/programming-guides/json/. The document says so. Where a list
belongs, Envoy's parser also reads an element as a list of one, ignores null, and reads an inner
list as a part of the list.
"""

from collections.abc import Iterator
from typing import Any

import schemathesis

ENUMS = {"optimize_for", "pairing", "status", "status_filter"}
NUMBERS = {
    "after_sequence", "coefficient", "limit", "max_cost_usd", "min_fidelity", "num_qubits",
    "offset", "point_limit", "point_offset", "precision", "shots", "values", "wait_seconds",
}  # fmt: skip
LISTS: dict[str, type | tuple[type, ...]] = {
    "observables": dict, "tags": str, "terms": dict, "values": (int, float),
}  # fmt: skip


def fields(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its values, lists taken apart."""
    if isinstance(value, dict):
        for key, inner in value.items():
            for each in inner if isinstance(inner, list) else [inner]:
                yield key, each
                yield from fields(each)


def has_loose_lists(value: Any) -> bool:
    """Whether a value of one of `LISTS` is anything but a list of such elements."""
    if isinstance(value, list):
        return any(map(has_loose_lists, value))
    if not isinstance(value, dict):
        return False
    for key, element in LISTS.items():
        given = value.get(key) or []
        if not isinstance(given, list) or not all(isinstance(each, element) for each in given):
            return True
    return any(map(has_loose_lists, value.values()))


def is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return not isinstance(value, bool)


@schemathesis.hook
def filter_case(_: Any, case: Any) -> bool:
    return not has_loose_lists(case.body) and not any(
        (key in ENUMS and is_number(value))
        or (key in NUMBERS and isinstance(value, str) and is_number(value))
        for part in (case.query, case.body)
        for key, value in fields(part)
    )
