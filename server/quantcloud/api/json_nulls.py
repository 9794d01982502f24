"""JSON nulls: makes Envoy print an unset field as `null`.

Envoy's transcoder omits an unset field, but the documented API shows it as null. So the descriptor
that Envoy reads (see `transcoder`) gives each response field with presence a twin: a field of type
`google.protobuf.NullValue`, numbered `TWIN_OFFSET` higher, with the same JSON name. The server adds
the twin's bytes to a message whose field is unset. For all other readers, the twin is an unknown
field.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from quantcloud.api.encoding import VARINT, tag

PACKAGE = "thequantcloud.v1"
TWIN_OFFSET = 1000


def has_twin(field: FieldDescriptor) -> bool:
    """Whether a response shows this field as null if it is unset."""
    return field.has_presence and (
        field.containing_oneof is None or len(field.containing_oneof.fields) == 1
    )


def _is_ours(descriptor: Descriptor) -> bool:
    return descriptor.file.package == PACKAGE


def twin(field: FieldDescriptor) -> bytes:
    """Return the bytes that mark a nullable field as null. They may be anywhere in its message."""
    return tag(field.number + TWIN_OFFSET, VARINT) + b"\0"


@cache
def _plan(descriptor: Descriptor) -> tuple[list[tuple[str, bytes]], list[tuple[str, bool]]]:
    """Return nullable fields with their twins' bytes, and nested fields (repeated or not)."""
    twins = [(field.name, twin(field)) for field in descriptor.fields if has_twin(field)]
    children = [
        (field.name, field.is_repeated)
        for field in descriptor.fields
        if field.message_type is not None and _is_ours(field.message_type) and not _is_map(field)
    ]
    return twins, children


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _children(message: Message, fields: list[tuple[str, bool]]) -> Iterator[Message]:
    for name, repeated in fields:
        if repeated:
            yield from getattr(message, name)
        elif message.HasField(name):
            yield getattr(message, name)


class Nullable(NamedTuple):
    """The bytes of a nullable field: the tag before its content, and its null if it is unset."""

    tag: bytes
    null: bytes


def nullable(message: type[Message], name: str) -> Nullable:
    """Return a length-delimited field of a message by its name."""
    field: Any = message.DESCRIPTOR.fields_by_name[name]
    return Nullable(tag(field.number), twin(field))


def json_nulls(message: Message, written: str | None = None) -> bytes:
    """Return the bytes that mark the message's own unset nullable fields, without nested ones.

    They may be anywhere in the message. `written` is a field to skip: the caller writes it.
    """
    twins, _ = _plan(message.DESCRIPTOR)
    return b"".join(
        [mark for name, mark in twins if not message.HasField(name) and name != written]
    )


def add_json_nulls(message: Message) -> None:
    """Mark every unset nullable field of a response in place, also in nested messages."""
    if missing := json_nulls(message):
        message.MergeFromString(missing)
    _, children = _plan(message.DESCRIPTOR)
    for child in _children(message, children):
        add_json_nulls(child)
