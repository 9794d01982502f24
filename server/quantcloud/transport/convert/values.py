"""Values that every service has."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from quantcloud.domain.page import Page


def timestamp(moment: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(moment.astimezone(UTC))
    return message


def struct(values: Mapping[str, object]) -> Struct:
    """A Struct that is set even where it is empty, so that JSON shows `{}`."""
    message = Struct()
    message.update(_plain(values))
    return message


def _plain(value: object) -> Any:
    """Mappings and sequences as the dicts and lists that a Struct takes."""
    if isinstance(value, Mapping):
        mapping = cast("Mapping[object, object]", value)
        return {str(key): _plain(inner) for key, inner in mapping.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in cast("Sequence[object]", value)]
    return value


def unstruct(message: Struct) -> dict[str, object]:
    return json_format.MessageToDict(message)


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
