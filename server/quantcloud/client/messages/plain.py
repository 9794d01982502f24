"""Messages of the contract as dictionaries, in the form that REST has."""

from typing import Any

from google.protobuf import struct_pb2, timestamp_pb2
from google.protobuf.message import Message

_REQUESTS = ("thequantcloud/v1/run_options.proto", "thequantcloud/v1/sweep.proto")


def as_dict(message: Message) -> dict[str, Any]:
    """Return the fields of a message by name. A field that is not set is None, or left out.

    Enum values are their names, times are texts as in RFC 3339, and whole numbers are `int`.
    """
    return {
        field.name: _field(message, field)
        for field in message.DESCRIPTOR.fields
        if not _is_left_out(message, field)
    }


def _is_left_out(message: Message, field: Any) -> bool:
    """Return whether REST has neither this field nor null, as in what requests have, too."""
    if not field.has_presence or message.HasField(field.name):
        return False
    kind = field.message_type
    return message.DESCRIPTOR.file.name in _REQUESTS or bool(kind and kind.file.name in _REQUESTS)


def _field(message: Message, field: Any) -> Any:
    value = getattr(message, field.name)
    kind = field.message_type
    if kind is not None and kind.GetOptions().map_entry:
        of = kind.fields_by_name["value"]
        return {str(key): _value(value[key], of) for key in sorted(value)}
    if field.is_repeated:
        return [_value(each, field) for each in value]
    if field.has_presence and not message.HasField(field.name):
        return None
    return _value(value, field)


def _value(value: Any, field: Any) -> Any:
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known else value
    if isinstance(value, timestamp_pb2.Timestamp):
        return value.ToJsonString()
    if isinstance(value, struct_pb2.Struct):
        return struct(value)
    if isinstance(value, struct_pb2.ListValue):
        return [_any(each) for each in value.values]
    return as_dict(value) if isinstance(value, Message) else _number(value)


def struct(value: struct_pb2.Struct) -> dict[str, Any]:
    """Return a `Struct` as a dictionary."""
    return {key: _any(value.fields[key]) for key in sorted(value.fields)}


def _any(value: struct_pb2.Value) -> Any:
    match value.WhichOneof("kind"):
        case "struct_value":
            return struct(value.struct_value)
        case "list_value":
            return [_any(each) for each in value.list_value.values]
        case "null_value" | None:
            return None
        case kind:
            return _number(getattr(value, kind))


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value
