"""Documented nulls: how a field that is unset comes out of Envoy as `null`.

Envoy's transcoder leaves an unset field out, and the documented API shows it as null. So the
descriptor that Envoy reads (see `transcoder`) gives each response field with presence a twin: a
field of type `google.protobuf.NullValue`, numbered `TWIN_OFFSET` higher, with the same JSON name.
The server adds the twin's bytes to a message whose field is unset. To everyone else who reads the
message the twin is an unknown field.
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
    """Whether a response's field is shown as null when it is unset."""
    return field.has_presence and (
        field.containing_oneof is None or len(field.containing_oneof.fields) == 1
    )


def _is_ours(descriptor: Descriptor) -> bool:
    return descriptor.file.package == PACKAGE


def twin(field: FieldDescriptor) -> bytes:
    """The bytes that mark a nullable field as null, to stand anywhere in its message."""
    return tag(field.number + TWIN_OFFSET, VARINT) + b"\0"


@cache
def _plan(descriptor: Descriptor) -> tuple[list[tuple[str, bytes]], list[tuple[str, bool]]]:
    """Nullable fields with their twins' bytes, and the fields to go down into (repeated or not)."""
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
    """What stands for such a field in its message: before its content, and where it is unset."""

    tag: bytes
    null: bytes


def nullable(message: type[Message], name: str) -> Nullable:
    """A field of a message by its name; its content is behind its length."""
    field: Any = message.DESCRIPTOR.fields_by_name[name]
    return Nullable(tag(field.number), twin(field))


def json_nulls(message: Message, written: str | None = None) -> bytes:
    """What marks the message's own unset nullable fields, to stand anywhere in it.

    `written` is one that stands elsewhere in its bytes.
    """
    twins, _ = _plan(message.DESCRIPTOR)
    return b"".join(
        [mark for name, mark in twins if not message.HasField(name) and name != written]
    )


def add_json_nulls(message: Message) -> None:
    """Mark every unset nullable field of a response, nested messages included, in place."""
    if missing := json_nulls(message):
        message.MergeFromString(missing)
    _, children = _plan(message.DESCRIPTOR)
    for child in _children(message, children):
        add_json_nulls(child)
