"""Derives the descriptor that Envoy's gRPC-JSON transcoder reads from the contract's descriptor.

On the wire it equals the contract, except for the options of a run. It differs in JSON: see
`transcoder_descriptor`.
"""

import re
from typing import Any

from comments import pool_of, services
from google.api import annotations_pb2
from google.protobuf.descriptor import Descriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

from quantcloud.api.json_nulls import PACKAGE, RUN_OPTIONS, TWIN_OFFSET, has_twin

_PATH_SUFFIX = "_from_path"
# The type of a run's options in the contract, and for the transcoder.
_OPTIONS = f".{RUN_OPTIONS}"
_ANY_OPTIONS = ".google.protobuf.Struct"
# The file of NullValue, and the package of error details.
_STRUCT = "google/protobuf/struct.proto"
_ERROR_DETAILS = "google.rpc"
_HTTP: Any = annotations_pb2.http
_VARIABLE = re.compile(r"{(\w+)}")


def transcoder_descriptor(contract: FileDescriptorSet) -> FileDescriptorSet:
    """Return the descriptor set that Envoy reads.

    - Every field's JSON name is its own name, in error details too.
    - Each nullable field of a response has its twin (see `json_nulls`).
    - A repeated query parameter is an error, unless it is a list.
    - The options of a run are a Struct (see `convert.options` and `json_nulls`).
    - A field that a path binds is renamed, so that body and query cannot set it. Otherwise they
      would override the path, which names the resource.
    """
    # Parsed again, because the option `google.api.http` is registered here.
    contract = FileDescriptorSet.FromString(contract.SerializeToString())
    responses = _responses(contract)
    # Envoy reads the files in order, so a file's imports must come before it.
    derived = FileDescriptorSet(file=sorted(contract.file, key=lambda file: file.name != _STRUCT))
    for file in derived.file:
        if file.package not in (PACKAGE, _ERROR_DETAILS):
            continue
        _rename_path_fields(file)
        _take_any_options(file)
        twins = [_add_twins(message, file.package, responses) for message in file.message_type]
        if any(twins) and _STRUCT not in file.dependency:
            file.dependency.append(_STRUCT)
    return derived


def _responses(contract: FileDescriptorSet) -> dict[str, Descriptor]:
    """Return every message of the contract that an answer may contain, by full name."""
    found: dict[str, Descriptor] = {}

    def walk(descriptor: Descriptor) -> None:
        ours = descriptor.file.package == PACKAGE and descriptor.full_name != RUN_OPTIONS
        if ours and descriptor.full_name not in found:
            found[descriptor.full_name] = descriptor
            for field in descriptor.fields:
                if field.message_type is not None:
                    walk(field.message_type)

    for service in services(contract, pool_of(contract)):
        for method in service.methods:
            walk(method.output_type)
    return found


def _rename_path_fields(file: FileDescriptorProto) -> None:
    messages = {f".{file.package}.{message.name}": message for message in file.message_type}
    for service in file.service:
        for method in service.method:
            rule: Any = method.options.Extensions[_HTTP]
            verb: str | None = rule.WhichOneof("pattern")
            if verb is None:  # the method has no HTTP path
                continue
            path: str = getattr(rule, verb)
            names = set(_VARIABLE.findall(path))
            setattr(rule, verb, _VARIABLE.sub(rf"{{\1{_PATH_SUFFIX}}}", path))
            for field in messages[method.input_type].field:
                if field.name in names:
                    field.name += _PATH_SUFFIX
                elif verb == "get":
                    _refuse_twice(messages[method.input_type], field)


def _take_any_options(file: FileDescriptorProto) -> None:
    for message in file.message_type:
        for field in message.field:
            if field.type_name == _OPTIONS:
                field.number += TWIN_OFFSET
                field.type_name = _ANY_OPTIONS


def _refuse_twice(message: DescriptorProto, field: FieldDescriptorProto) -> None:
    """Give a query parameter presence. Without it, the transcoder accepts the last value."""
    if field.label != FieldDescriptorProto.LABEL_REPEATED and not field.HasField("oneof_index"):
        message.oneof_decl.add(name=f"_{field.name}")
        field.oneof_index = len(message.oneof_decl) - 1
        field.proto3_optional = True


def _add_twins(message: DescriptorProto, scope: str, responses: dict[str, Descriptor]) -> bool:
    """Set JSON names and add twins, also in nested messages. Return whether there are twins."""
    name = f"{scope}.{message.name}"
    nested = [
        _add_twins(inner, name, responses)
        for inner in message.nested_type
        if not inner.options.map_entry
    ]
    for field in message.field:
        field.json_name = field.name
    nullable = [f for f in responses[name].fields if has_twin(f)] if name in responses else []
    for field in nullable:
        # A separate oneof, as `optional` creates. Without presence, the transcoder would print the
        # twin's default, null, next to a field that is set.
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
    if nullable:
        # Without it, a pool refuses two fields with the same JSON name.
        message.options.deprecated_legacy_json_field_conflicts = True
    return bool(nullable) or any(nested)
