"""Documented nulls: how a field that is unset comes out of Envoy as `null`.

Envoy's transcoder leaves an unset field out, and the documented API shows it as null. So the
descriptor that Envoy reads gives each response field with presence a twin: a field of type
`google.protobuf.NullValue`, numbered `TWIN_OFFSET` higher, with the same JSON name. The server
adds the twin's bytes to a message whose field is unset. To everyone else who reads the message
the twin is an unknown field.
"""

from collections.abc import Iterator
from functools import cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorSet,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

PACKAGE = "thequantcloud.v1"
TWIN_OFFSET = 1000
# Where NullValue is, and the package of what errors carry.
_STRUCT = "google/protobuf/struct.proto"
_ERROR_DETAILS = "google.rpc"
_VARINT = 0


def has_twin(field: FieldDescriptor) -> bool:
    """Whether a response's field is shown as null when it is unset."""
    return field.has_presence and (
        field.containing_oneof is None or len(field.containing_oneof.fields) == 1
    )


def _is_ours(descriptor: Descriptor) -> bool:
    return descriptor.file.package == PACKAGE


def _reachable(descriptor: Descriptor, seen: dict[str, Descriptor]) -> dict[str, Descriptor]:
    if _is_ours(descriptor) and descriptor.full_name not in seen:
        seen[descriptor.full_name] = descriptor
        for field in descriptor.fields:
            if field.message_type is not None:
                _reachable(field.message_type, seen)
    return seen


def _response_messages(pool: DescriptorPool, files: FileDescriptorSet) -> dict[str, Descriptor]:
    responses: dict[str, Descriptor] = {}
    for file in files.file:
        if file.package == PACKAGE:
            for service in pool.FindFileByName(file.name).services_by_name.values():
                for method in service.methods:
                    _reachable(method.output_type, responses)
    return responses


def transcoder_descriptor(contract: FileDescriptorSet) -> FileDescriptorSet:
    """The descriptor set that Envoy reads, derived from the contract's.

    Every field's JSON name is its own name, in error details too, and each nullable response field
    has its twin.
    """
    pool = DescriptorPool()
    for file in contract.file:
        pool.Add(file)
    responses = _response_messages(pool, contract)
    # Envoy reads the files in order and knows a file's imports only from those before it.
    derived = FileDescriptorSet(file=sorted(contract.file, key=lambda file: file.name != _STRUCT))
    for file in derived.file:
        if file.package not in (PACKAGE, _ERROR_DETAILS):
            continue
        twins = [_add_twins(message, file.package, responses) for message in file.message_type]
        if any(twins) and _STRUCT not in file.dependency:
            file.dependency.append(_STRUCT)
    return derived


def _add_twins(message: DescriptorProto, scope: str, responses: dict[str, Descriptor]) -> bool:
    """Rename a message's JSON fields and add its twins, nested messages too; whether it has any."""
    name = f"{scope}.{message.name}"
    nested = [
        _add_twins(inner, name, responses)
        for inner in message.nested_type
        if not inner.options.map_entry
    ]
    for field in message.field:
        field.json_name = field.name
    twins = (
        [field for field in responses[name].fields if has_twin(field)] if name in responses else []
    )
    for field in twins:
        # A oneof of its own, as `optional` makes: without presence the transcoder would print the
        # twin's default, null, beside a field that is set.
        message.oneof_decl.add(name=f"_{field.name}_is_null")
        message.field.add(
            name=f"{field.name}_is_null",
            json_name=field.name,
            number=field.number + TWIN_OFFSET,
            label=FieldDescriptorProto.LABEL_OPTIONAL,
            type=FieldDescriptorProto.TYPE_ENUM,
            type_name=".google.protobuf.NullValue",
            oneof_index=len(message.oneof_decl) - 1,
            proto3_optional=True,
        )
    if twins:
        # Without it a pool refuses two fields of one JSON name.
        message.options.deprecated_legacy_json_field_conflicts = True
    return bool(twins) or any(nested)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:  # noqa: PLR2004  # seven bits a byte
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


@cache
def _plan(descriptor: Descriptor) -> tuple[list[tuple[str, bytes]], list[tuple[str, bool]]]:
    """Nullable fields with their twins' bytes, and the fields to go down into (repeated or not)."""
    twins = [
        (field.name, _varint((field.number + TWIN_OFFSET) << 3 | _VARINT) + b"\0")
        for field in descriptor.fields
        if has_twin(field)
    ]
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


def add_nulls(message: Message) -> None:
    """Mark every unset nullable field of a response, nested messages included, in place."""
    twins, children = _plan(message.DESCRIPTOR)
    missing = [twin for name, twin in twins if not message.HasField(name)]
    if missing:
        message.MergeFromString(b"".join(missing))
    for child in _children(message, children):
        add_nulls(child)
