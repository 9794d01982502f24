"""Leave out requests that break the schema and that every JSON parser of protobuf accepts.

It reads a number from a text, and an enum word from its number: see
https://protobuf.dev/programming-guides/json/. The document says so.
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


def is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return not isinstance(value, bool)


@schemathesis.hook
def filter_case(_: Any, case: Any) -> bool:
    return not any(
        (key in ENUMS and is_number(value))
        or (key in NUMBERS and isinstance(value, str) and is_number(value))
        for part in (case.query, case.body)
        for key, value in fields(part)
    )
