"""JSON nulls: makes Envoy print an unset field as `null`.

Envoy's transcoder omits an unset field, but the documented API shows it as null. So the descriptor
that Envoy reads (see `transcoder`) gives each response field with presence a twin: a field of type
`google.protobuf.NullValue`, numbered `TWIN_OFFSET` higher, with the same JSON name. The server adds
the twin's bytes to a message whose field is unset. For all other readers, the twin is an unknown
field.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

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


def add_json_nulls(message: Message) -> None:
    """Mark every unset nullable field of a response in place, also in nested messages.

    Removes earlier marks, so it may be called again after a change.
    """
    message.DiscardUnknownFields()
    _mark(message)


def _mark(message: Message) -> None:
    plan = _plan(message.DESCRIPTOR)
    unset = [mark for name, mark in plan.twins if not message.HasField(name)]
    if unset:
        message.MergeFromString(b"".join(unset))
    for name in plan.nested:
        if message.HasField(name):
            _mark(getattr(message, name))
    for name in plan.repeated:
        for child in getattr(message, name):
            _mark(child)


class _Plan(NamedTuple):
    """The nullable fields with their twins' bytes, and the fields that hold our messages."""

    twins: Sequence[tuple[str, bytes]]
    nested: Sequence[str]
    repeated: Sequence[str]


@cache
def _plan(descriptor: Descriptor) -> _Plan:
    ours = [
        field
        for field in descriptor.fields
        if field.message_type is not None
        and field.message_type.file.package == PACKAGE
        and not field.message_type.GetOptions().map_entry
    ]
    return _Plan(
        # A twin may be anywhere in its message.
        [
            (field.name, tag(field.number + TWIN_OFFSET, VARINT) + b"\0")
            for field in descriptor.fields
            if has_twin(field) and descriptor.file.package == PACKAGE
        ],
        [field.name for field in ours if not field.is_repeated],
        [field.name for field in ours if field.is_repeated],
    )
