"""JSON nulls: makes Envoy print an unset field as `null`.

Envoy's transcoder omits an unset field, but the documented API shows it as null. So the descriptor
that Envoy reads (see `.ci/transcoder.py`) gives each response field with presence a twin: a field
of type `google.protobuf.NullValue`, numbered `TWIN_OFFSET` higher, with the same JSON name. The
server adds the twin's bytes to a message whose field is unset. For all other readers, the twin is
an unknown field.

The options of a run have a twin that is a Struct with the same content: protobuf's JSON has a
64-bit seed as text.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import ListValue, Struct

from quantcloud.api.encoding import VARINT, delimited, tag

PACKAGE = "thequantcloud.v1"
TWIN_OFFSET = 1000
RUN_OPTIONS: Final = f"{PACKAGE}.RunOptions"
# Messages without nulls: a field that holds one is absent if it is unset, and so are fields in it.
# Requests have some of them too, where a twin would be a second field with the same JSON name.
_WITHOUT_NULLS: Final = frozenset(
    f"{PACKAGE}.{name}" for name in ("SweepRequest", "SweepResult", "Term")
)


def is_left_out(field: FieldDescriptor) -> bool:
    """Whether a response leaves the field out if it is unset, instead of a null."""
    return field.message_type is not None and field.message_type.full_name in _WITHOUT_NULLS


def has_twin(field: FieldDescriptor) -> bool:
    """Whether a response shows this field as null if it is unset."""
    return (
        field.has_presence
        and not _is_options(field)
        and not _is_without_nulls(field.containing_type)
        and not is_left_out(field)
        and (field.containing_oneof is None or len(field.containing_oneof.fields) == 1)
    )


def _is_without_nulls(message: Descriptor | None) -> bool:
    if message is None:
        return False
    return message.full_name in _WITHOUT_NULLS or message.GetOptions().map_entry


def _is_options(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.full_name == RUN_OPTIONS


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
    for name, mark in plan.options:
        if message.HasField(name):
            content = Struct()
            content.update(_json(getattr(message, name)))
            message.MergeFromString(mark + delimited(content.SerializeToString()))
    for name in plan.repeated:
        for child in getattr(message, name):
            _mark(child)


class _Plan(NamedTuple):
    """The nullable fields with their twins' bytes, the fields that hold our messages, and the
    options of a run with the tags of their twins.
    """

    twins: Sequence[tuple[str, bytes]]
    nested: Sequence[str]
    repeated: Sequence[str]
    options: Sequence[tuple[str, bytes]]


@cache
def _plan(descriptor: Descriptor) -> _Plan:
    ours = [
        field
        for field in descriptor.fields
        if field.message_type is not None
        and field.message_type.file.package == PACKAGE
        and not field.message_type.GetOptions().map_entry
        and not _is_options(field)
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
        [
            (field.name, tag(field.number + TWIN_OFFSET))
            for field in descriptor.fields
            if _is_options(field)
        ],
    )


def _json(message: Message) -> dict[str, Any]:
    """Return the fields of a message as JSON shows them: null if unset."""
    given = {field.name: value for field, value in message.ListFields()}
    return {name: _plain(given.get(name)) for name in message.DESCRIPTOR.fields_by_name}


def _plain(value: Any) -> Any:
    """Return the value of a field in the types that a Struct takes."""
    if isinstance(value, ListValue):
        return list(value)
    if isinstance(value, Message):
        return _json(value)
    if isinstance(value, Mapping):
        entries = cast("Mapping[str, Any]", value)
        return {key: _plain(entries[key]) for key in sorted(entries)}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(each) for each in cast("Sequence[Any]", value)]
    return value
