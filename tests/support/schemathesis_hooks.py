"""Leave out requests that break the schema and that every JSON parser of protobuf accepts.

It reads a number from a text, and an enum word from its number: see
https://protobuf.dev/programming-guides/json/. The document says so. Where a list of
texts belongs, Envoy's parser also reads a text as a list of one, ignores null, and reads an inner
list as a part of the list.
"""

from collections.abc import Iterator
from typing import Any

import schemathesis

ENUMS = {"optimize_for", "status", "status_filter"}
NUMBERS = {
    "after_sequence", "limit", "max_cost_usd", "min_fidelity", "num_qubits", "offset", "shots",
    "wait_seconds",
}  # fmt: skip


def fields(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its values, lists taken apart."""
    if isinstance(value, dict):
        for key, inner in value.items():
            for each in inner if isinstance(inner, list) else [inner]:
                yield key, each
                yield from fields(each)


def has_loose_tags(value: Any) -> bool:
    """Whether a value of `tags` is anything but a list of texts."""
    if isinstance(value, list):
        return any(map(has_loose_tags, value))
    if not isinstance(value, dict):
        return False
    tags = value.get("tags") or []
    return (
        not isinstance(tags, list)
        or not all(isinstance(tag, str) for tag in tags)
        or any(map(has_loose_tags, value.values()))
    )


def is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return not isinstance(value, bool)


@schemathesis.hook
def filter_case(_: Any, case: Any) -> bool:
    return not has_loose_tags(case.body) and not any(
        (key in ENUMS and is_number(value))
        or (key in NUMBERS and isinstance(value, str) and is_number(value))
        for part in (case.query, case.body)
        for key, value in fields(part)
    )
