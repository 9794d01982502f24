"""Values that every service has."""

import math
from datetime import datetime
from typing import Any, Final

from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from quantcloud.api.encoding import seconds_and_nanos
from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.page import Page

# A larger one would take the event loop too long to convert.
MAXIMUM_STRUCT_BYTES: Final = 64 * 1024

# Protobuf reads no message that is more than 100 deep, and a value is up to three in each other;
# some answers hold a Struct deeper than the request that brought it.
MAXIMUM_DEPTH = 24


def timestamp(moment: datetime) -> Timestamp:
    seconds, nanos = seconds_and_nanos(moment)
    return Timestamp(seconds=seconds, nanos=nanos)


def unstruct(message: Struct, field: str) -> dict[str, object]:
    """The values of a request's `field`. Raises `InvalidArgument` naming what may not be in it."""
    size = message.ByteSize()
    if size > MAXIMUM_STRUCT_BYTES:
        raise InvalidArgument(field, f"takes {size} bytes; at most {MAXIMUM_STRUCT_BYTES} may be")
    return {key: _value(inner, f"{field}.{key}") for key, inner in message.fields.items()}


def _value(holder: Value, field: str, depth: int = 1) -> object:
    kind = holder.WhichOneof("kind")
    if depth > MAXIMUM_DEPTH:
        raise InvalidArgument(field, f"is nested more than {MAXIMUM_DEPTH} deep")
    if kind == "struct_value":
        fields = holder.struct_value.fields
        return {key: _value(inner, f"{field}.{key}", depth + 1) for key, inner in fields.items()}
    if kind == "list_value":
        values = holder.list_value.values
        return [_value(inner, f"{field}[{n}]", depth + 1) for n, inner in enumerate(values)]
    if kind == "number_value":
        if not math.isfinite(holder.number_value):
            raise InvalidArgument(field, "must be a finite number")
        return holder.number_value
    if kind == "string_value":
        return holder.string_value
    if kind == "bool_value":
        return holder.bool_value
    return None


def given(request: Message, field: str) -> Any:
    """A field's value, or None where the request does not carry it."""
    return getattr(request, field) if request.HasField(field) else None


def envelope(page: Page[Any]) -> dict[str, int]:
    """What stands in a listing's answer beside its items."""
    return {
        "count": len(page.items),
        "total": page.total,
        "limit": page.limit,
        "offset": page.offset,
    }
