"""The schemas of the OpenAPI document, from the messages of the contract."""

from collections.abc import Mapping, Sequence
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

Json = dict[str, Any]

INT32 = {"minimum": -(2**31), "maximum": 2**31 - 1}
TYPES: Mapping[int, Json] = {
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_BYTES: {"type": "string", "format": "byte"},
    FieldDescriptor.TYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptor.TYPE_INT32: {"type": "integer", "format": "int32", **INT32},
    FieldDescriptor.TYPE_INT64: {"type": "integer", "format": "int64"},
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_UINT32: {"type": "integer", "minimum": 0, "maximum": 2**32 - 1},
}
KNOWN: Mapping[str, Json] = {
    "google.protobuf.ListValue": {"type": "array", "items": {"type": "number"}},
    "google.protobuf.Struct": {"type": "object", "additionalProperties": True},
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.rpc.Status": {"$ref": "#/components/schemas/Status"},
}
KEYWORDS = {
    "minimum": "minimum",
    "exclusive_minimum": "exclusiveMinimum",
    "maximum": "maximum",
    "min_length": "minLength",
    "max_length": "maxLength",
    "pattern": "pattern",
    "min_items": "minItems",
    "max_items": "maxItems",
}
OF_LISTS = {"min_items", "max_items"}


class Schemas:
    """Makes schemas; `made` has those of the messages and enums that were asked for, by name.

    `comments` are the contract's by full name, `limits` is the option of fields.
    """

    def __init__(self, comments: Mapping[str, str], limits: Any) -> None:
        self._comments, self._limits = comments, limits
        self.made: Json = {}

    def reference(self, message: Descriptor) -> Json:
        if message.full_name in KNOWN:
            return dict(KNOWN[message.full_name])
        if message.name not in self.made:
            self.made[message.name] = {}  # a message may contain itself
            self.made[message.name] = self.object(message, message.fields)
        return {"$ref": f"#/components/schemas/{message.name}"}

    def object(self, message: Descriptor, fields: Sequence[FieldDescriptor]) -> Json:
        made: Json = {
            "type": "object",
            "description": self._comments[message.full_name],
            "properties": {field.name: self.field(field) for field in fields},
        }
        # The server sends every field of a response.
        always = [each for each in fields if not (is_optional(each) or _is_left_out(each))]
        if required := [field.name for field in always]:
            made["required"] = required
        if all(is_optional(field) or _is_required(field) for field in fields):
            # A request. Envoy's filter refuses other keys.
            made["additionalProperties"] = False
        return made

    def field(self, field: FieldDescriptor, *, in_url: bool = False) -> Json:
        text = self._comments[field.full_name]
        limits = field.GetOptions().Extensions[self._limits]
        item = schema = self._value(field)
        if field.is_repeated and not _is_map(field):
            schema = {"type": "array", "items": item}
        for limit, value in limits.ListFields():
            if limit.name in KEYWORDS:
                number = int(value) if isinstance(value, float) and value.is_integer() else value
                limited = schema if limit.name in OF_LISTS else item
                limited[KEYWORDS[limit.name]] = number
        if limits.printable:
            item["pattern"] = r"\S"
        if limits.max_bytes:
            text += f" At most {limits.max_bytes:,} bytes."
            if field.type == FieldDescriptor.TYPE_STRING:
                schema["maxLength"] = limits.max_bytes
        if in_url:
            return schema
        return {**(_nullable(schema) if _is_nullable(field) else schema), "description": text}

    def _value(self, field: FieldDescriptor) -> Json:
        if _is_map(field):
            (value,) = (f for f in field.message_type.fields if f.name == "value")
            return {"type": "object", "additionalProperties": self._value(value)}
        if field.message_type is not None:
            return self.reference(field.message_type)
        if field.enum_type is not None:
            return self._enum(field.enum_type)
        return dict(TYPES[field.type])

    def _enum(self, enum: EnumDescriptor) -> Json:
        words = [value.name for value in enum.values if value.name != "unspecified"]
        parent = self._comments[enum.full_name]
        listed = (f"- `{word}`: {self._comments[f'{enum.full_name}.{word}']}" for word in words)
        name = f"{enum.containing_type.name}{enum.name}"
        self.made[name] = {
            "type": "string",
            "enum": words,
            "description": "\n".join((parent, "", *listed)),
        }
        return {"$ref": f"#/components/schemas/{name}"}


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _behavior(field: FieldDescriptor) -> list[int]:
    return list(field.GetOptions().Extensions[field_behavior_pb2.field_behavior])


def is_optional(field: FieldDescriptor) -> bool:
    """Whether a request may leave the field out."""
    return field_behavior_pb2.OPTIONAL in _behavior(field)


def _is_left_out(field: FieldDescriptor) -> bool:
    """Whether a response leaves the field out, instead of a null."""
    # The path to the server's package is set before this is called.
    from quantcloud.api.json_nulls import is_left_out  # noqa: PLC0415

    return not field.is_repeated and is_left_out(field)


def _is_required(field: FieldDescriptor) -> bool:
    return field_behavior_pb2.REQUIRED in _behavior(field)


def _is_nullable(field: FieldDescriptor) -> bool:
    """Whether JSON may have null: in responses for `optional` fields, in requests for any field
    that is not required.
    """
    synthetic = field.containing_oneof is not None and len(field.containing_oneof.fields) == 1
    return synthetic or is_optional(field)


def _nullable(schema: Json) -> Json:
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}
