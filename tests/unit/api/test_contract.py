"""Rules for the whole contract."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from thequantcloud.v1 import circuit_pb2, job_pb2, sweep_pb2

PROTO = Path(__file__).parents[3] / "proto"
FILES: list[Any] = [
    import_module(".".join(path.relative_to(PROTO).with_suffix("").parts) + "_pb2").DESCRIPTOR
    for path in sorted(PROTO.rglob("*.proto"))
]
# An answer tells the options of a job as its request gave them.
BOTH = {"RunOptions", "NoiseModel", "SweepRequest", "Observable", "Term", "ParameterValues"}
INTEGERS = {
    FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_INT64,
    FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_UINT64,
}  # fmt: skip


def messages(among: Iterable[Descriptor]) -> Iterator[Descriptor]:
    """Yield these messages and their nested messages, without the entries of maps."""
    for message in among:
        if not message.GetOptions().map_entry:
            yield message
            yield from messages(message.nested_types)


FIELDS = [
    field
    for file in FILES
    for message in messages(file.message_types_by_name.values())
    for field in message.fields
]


def behaviors(field: FieldDescriptor) -> list[int]:
    return list(field.GetOptions().Extensions[field_behavior_pb2.field_behavior])


def test_every_field_has_exactly_one_behavior():
    assert not [field.full_name for field in FIELDS if len(behaviors(field)) != 1]


def test_requests_have_no_output_only_fields_and_answers_only_those():
    taken = {field_behavior_pb2.REQUIRED, field_behavior_pb2.OPTIONAL}
    for file in FILES:
        for service in file.services_by_name.values():
            for method in service.methods:
                for message, allowed in ((method.input_type, True), (method.output_type, False)):
                    for field in fields_of(message):
                        if field.containing_type.name in BOTH:
                            continue
                        assert taken.issuperset(behaviors(field)) is allowed, field.full_name


def fields_of(message: Descriptor) -> Iterator[FieldDescriptor]:
    """Yield the fields of a message and of its inner messages."""
    for field in message.fields:
        yield field
        inner = field.message_type
        if inner is not None and inner.file in FILES and not inner.GetOptions().map_entry:
            yield from fields_of(inner)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_names_its_package_in_every_language(file: Any):
    options = file.GetOptions()
    assert options.go_package == "thequantcloud.com/gen/go/thequantcloud/v1;thequantcloudv1"
    assert (options.java_package, options.java_multiple_files) == ("com.thequantcloud.v1", True)
    assert options.csharp_namespace == "TheQuantCloud.V1"


def test_a_number_in_answers_and_requests_has_one_type():
    types = defaultdict(set)
    for field in FIELDS:
        if field.type in INTEGERS:
            types[field.name.removeprefix("after_")].add(field.type)
    assert not [name for name, each in types.items() if len(each) > 1]
    assert types["sequence"] == {FieldDescriptor.TYPE_INT32}


def test_the_circuit_of_a_job_has_what_a_rerun_sends():
    """The rest: other names of `qasm`, what became `qasm`, and what no run depends on."""
    rest = {"circuit_qasm", "code", "num_qubits"}
    known = {*job_pb2.JobCircuit.DESCRIPTOR.fields_by_name}
    known |= {*sweep_pb2.SweepRequest.DESCRIPTOR.fields_by_name}
    assert {*circuit_pb2.RunCircuitRequest.DESCRIPTOR.fields_by_name} - rest <= known
