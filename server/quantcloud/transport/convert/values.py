"""Values that every service has."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from google.protobuf.message import Message
from google.protobuf.struct_pb2 import NullValue, Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.page import Page

# More would take the event loop too long to convert.
MAXIMUM_STRUCT_BYTES = 64 * 1024


def timestamp(moment: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(moment.astimezone(UTC))
    return message


def struct(values: Mapping[str, object]) -> Struct:
    """A Struct that is set even where it is empty, so that JSON shows `{}`."""
    message = Struct()
    for key, value in values.items():
        _fill(message.fields[key], value)
    return message


def _fill(holder: Value, value: object) -> None:
    """Set a value in place: a list of a million strings is to take no detour."""
    if value is None:
        holder.null_value = NullValue.NULL_VALUE
    elif isinstance(value, str):
        holder.string_value = value
    elif isinstance(value, bool):
        holder.bool_value = value
    elif isinstance(value, int | float):
        holder.number_value = value
    elif isinstance(value, Mapping):
        holder.struct_value.SetInParent()
        for key, inner in cast("Mapping[object, object]", value).items():
            _fill(holder.struct_value.fields[str(key)], inner)
    elif isinstance(value, list | tuple):
        holder.list_value.SetInParent()
        add = holder.list_value.values.add
        for inner in cast("Sequence[object]", value):
            _fill(add(), inner)
    else:
        raise TypeError(f"a Struct has no word for {type(value).__name__}")


def unstruct(message: Struct, field: str) -> dict[str, object]:
    """The values of a request's `field`. Raises `InvalidArgument` naming what may not be in it."""
    size = message.ByteSize()
    if size > MAXIMUM_STRUCT_BYTES:
        raise InvalidArgument(field, f"takes {size} bytes; at most {MAXIMUM_STRUCT_BYTES} may be")
    return {key: _value(inner, f"{field}.{key}") for key, inner in message.fields.items()}


def _value(holder: Value, field: str) -> object:
    kind = holder.WhichOneof("kind")
    if kind == "struct_value":
        fields = holder.struct_value.fields
        return {key: _value(inner, f"{field}.{key}") for key, inner in fields.items()}
    if kind == "list_value":
        values = holder.list_value.values
        return [_value(inner, f"{field}[{place}]") for place, inner in enumerate(values)]
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
