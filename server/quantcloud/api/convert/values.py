"""Converts values that all services use."""

import math
from dataclasses import fields
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, TypeVar

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.execution import Noise, RunOptions
from quantcloud.domain.page import Page

M = TypeVar("M", bound=Message)

# Larger structs would block the event loop too long.
MAXIMUM_STRUCT_BYTES: Final = 64 * 1024

# Protobuf reads messages up to 100 levels deep, and each nested value takes up to three levels.
# Some answers contain a Struct at a deeper level than the request did.
MAXIMUM_DEPTH = 24

# The fields of requests that are UUIDs.
_IDS: Final = ("id", "batch_id")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_PER_DAY: Final = 86_400


def message_of(kind: type[M], source: object, **others: Any) -> M:
    """Return a message of `kind`: the fields `others`, and each other field from the attribute of
    `source` that has its name.
    """
    plain, times = _plan(kind, tuple(others))
    for name in plain:
        others[name] = getattr(source, name)
    for name in times:
        others[name] = timestamp_or_none(getattr(source, name))
    return kind(**others)


@cache
def _plan(kind: type[Message], others: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """The names of a message's fields without `others`: those that are no times, and the times."""
    fields = [field for field in kind.DESCRIPTOR.fields if field.name not in others]
    times = [field.name for field in fields if field.message_type is Timestamp.DESCRIPTOR]
    return [field.name for field in fields if field.name not in times], times


def timestamp(moment: datetime) -> Timestamp:
    """Return an aware time. Protobuf's own conversion takes ten times as long."""
    since = moment - _EPOCH
    return Timestamp(
        seconds=since.days * _SECONDS_PER_DAY + since.seconds, nanos=since.microseconds * 1000
    )


def timestamp_or_none(moment: datetime | None) -> Timestamp | None:
    return None if moment is None else timestamp(moment)


def changed(values: Noise | RunOptions) -> dict[str, Any]:
    """Return the fields that differ from their default."""
    return {
        field.name: value
        for field in fields(values)
        if (value := getattr(values, field.name)) != field.default
    }


def unstruct(message: Struct, field: str) -> dict[str, object]:
    """Return the values of a request's `field`. Raises `InvalidArgument` that names the key."""
    size = message.ByteSize()
    if size > MAXIMUM_STRUCT_BYTES:
        raise InvalidArgument(field, f"has {size} bytes; the maximum is {MAXIMUM_STRUCT_BYTES}")
    return {key: _value(inner, f"{field}.{key}") for key, inner in message.fields.items()}


def _value(holder: Value, field: str, depth: int = 1) -> object:
    kind = holder.WhichOneof("kind")
    if depth > MAXIMUM_DEPTH:
        raise InvalidArgument(field, f"is nested deeper than {MAXIMUM_DEPTH} levels")
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
    """Return a field's value, or None if the request does not set it."""
    return getattr(request, field) if request.HasField(field) else None


def given_time(request: Message, field: str) -> datetime | None:
    """Return a time, or None if the request does not set it. Raises `InvalidArgument`."""
    if not request.HasField(field):
        return None
    try:
        return getattr(request, field).ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidArgument(
            field, "must be a time from 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z"
        ) from error


def envelope(page: Page[Any]) -> dict[str, Any]:
    """Return the fields of a listing's answer other than its items."""
    return {
        "count": len(page.items),
        "total": page.total,
        "limit": page.limit,
        "offset": page.offset,
    }


def lower_ids(request: Message) -> None:
    """Write the ids of a request as the server does: a UUID may have upper-case letters."""
    for name in _ids(request.DESCRIPTOR):
        if text := getattr(request, name):
            setattr(request, name, text.lower())


@cache
def _ids(descriptor: Descriptor) -> list[str]:
    return [field.name for field in descriptor.fields if field.name in _IDS]
