"""The descriptor that Envoy reads, and the bytes that make it print null."""

import re

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.json_format import MessageToDict
from google.protobuf.unknown_fields import UnknownFieldSet
from hypothesis import given
from hypothesis import strategies as st

from quantcloud.api.convert.options import JSON_OPTIONS
from quantcloud.api.json_nulls import RUN_OPTIONS, TWIN_OFFSET, add_json_nulls, has_twin
from quantcloud.proxy.config import EnvoyFiles
from thequantcloud.v1.account_pb2 import GetUsageResponse
from thequantcloud.v1.circuit_pb2 import RunCircuitRequest
from thequantcloud.v1.job_pb2 import Job, JobEvent, JobResult, ListJobsResponse
from unit.proxy.upstream import METHODS, OVER_REST


@pytest.fixture(scope="module")
def files():
    return FileDescriptorSet.FromString(EnvoyFiles.find().descriptor.read_bytes())


@pytest.fixture(scope="module")
def derived(files):
    pool = DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return pool


def ours(files):
    return [file for file in files.file if file.package == "thequantcloud.v1"]


def path_of(method):
    options = method.GetOptions().ListFields()
    rule = next(value for option, value in options if option.name == "http")
    return getattr(rule, rule.WhichOneof("pattern"))


def reachable(descriptor, seen):
    """Add the messages that JSON shows by their fields; the options of a run are a Struct."""
    ours = descriptor.file.package == "thequantcloud.v1" and descriptor.full_name != RUN_OPTIONS
    if ours and descriptor.full_name not in seen:
        seen[descriptor.full_name] = descriptor
        for field in descriptor.fields:
            if field.message_type is not None:
                reachable(field.message_type, seen)
    return seen


def test_each_file_comes_after_its_imports(files):
    known = set()
    for file in files.file:
        assert set(file.dependency) <= known, file.name
        known.add(file.name)


def test_every_field_is_printed_under_its_own_name(files):
    fields = [field for file in ours(files) for m in file.message_type for field in m.field]
    assert fields
    for field in fields:
        assert field.json_name == field.name.removesuffix("_is_null")


def test_a_field_that_a_path_binds_is_renamed(derived):
    bound = 0
    for method in OVER_REST:
        here = derived.FindMethodByName(method.full_name)
        for variable in re.findall(r"{(\w+)}", path_of(here)):
            bound += 1
            name = variable.removesuffix("_from_path")
            assert path_of(method) == path_of(here).replace(variable, name)
            assert name not in here.input_type.fields_by_name
            number = here.input_type.fields_by_name[variable].number
            assert number == method.input_type.fields_by_name[name].number
    assert bound > 5


def test_error_details_are_printed_under_their_own_names(derived):
    descriptor = derived.FindMessageTypeByName("google.rpc.BadRequest")
    assert descriptor.fields_by_name["field_violations"].json_name == "field_violations"


def test_each_nullable_field_of_a_response_has_one_twin(derived):
    responses = {}
    for method in METHODS:
        reachable(method.output_type, responses)
    assert len(responses) > 10
    for name, descriptor in responses.items():
        twins = {
            field.number: field
            for field in derived.FindMessageTypeByName(name).fields
            if field.number > TWIN_OFFSET and field.name != "options"
        }
        nullable = [field for field in descriptor.fields if has_twin(field)]
        assert set(twins) == {field.number + TWIN_OFFSET for field in nullable}
        for field in nullable:
            twin = twins[field.number + TWIN_OFFSET]
            assert twin.json_name == field.name
            assert twin.enum_type.full_name == "google.protobuf.NullValue"
            assert twin.has_presence  # without presence, it is printed next to a set field


def test_a_message_that_only_clients_send_has_no_twins(derived):
    responses = {}
    for method in METHODS:
        reachable(method.output_type, responses)
    requests = {}
    for method in METHODS:
        reachable(method.input_type, requests)
    for name in requests.keys() - responses.keys():
        fields = derived.FindMessageTypeByName(name).fields
        # The only field that differs in JSON.
        beyond = {field.name for field in fields if field.number > TWIN_OFFSET}
        assert beyond == ({"options"} if name.endswith(".RunCircuitRequest") else set())
    # A message of both with a twin would have two fields with the same JSON name to parse.
    shared = requests.keys() & responses.keys()
    assert not [
        field.full_name for name in shared for field in requests[name].fields if has_twin(field)
    ]


def test_the_options_of_a_run_are_a_struct_in_a_separate_field(derived):
    message = derived.FindMessageTypeByName("thequantcloud.v1.RunCircuitRequest")
    options = message.fields_by_name["options"]
    assert (options.number, options.json_name) == (JSON_OPTIONS, "options")
    assert options.message_type.full_name == "google.protobuf.Struct"
    assert RunCircuitRequest.OPTIONS_FIELD_NUMBER not in message.fields_by_number


def json_nulls(message):
    """Return the names of the fields whose twin is among the message's unknown fields."""
    read = type(message).FromString(message.SerializeToString())
    names = {field.number: field.name for field in message.DESCRIPTOR.fields}
    marks = UnknownFieldSet(read)
    assert all(mark.data == 0 for mark in marks)
    return {names[mark.field_number - TWIN_OFFSET] for mark in marks}


@given(st.sets(st.sampled_from(["backend", "error_message"])), st.booleans())
def test_exactly_the_unset_fields_are_marked(given_fields, has_metadata):
    job = Job(job_id="j", **dict.fromkeys(given_fields, "x"))
    if has_metadata:
        job.metadata.SetInParent()
    everything = {
        "backend", "error_message", "submitted_at", "started_at", "completed_at", "metadata",
        "batch_id", "name", "estimated_start_at", "wait_reason",
    }  # fmt: skip
    add_json_nulls(job)
    expected = everything - given_fields - ({"metadata"} if has_metadata else set())
    assert json_nulls(job) == expected


def test_nested_and_repeated_messages_are_marked():
    event = JobEvent(job=Job(job_id="j"), result=JobResult(job_id="j"))
    listed = ListJobsResponse(jobs=[Job(job_id="a", backend="x"), Job(job_id="b")])
    usage = GetUsageResponse()
    usage.current_month.SetInParent()
    for message in (event, listed, usage):
        add_json_nulls(message)
    assert "backend" in json_nulls(event.job)
    assert json_nulls(event.result) == {"statevector", "metadata"}
    assert json_nulls(event) == {"occurred_at", "queue_position", "error"}
    assert "backend" not in json_nulls(listed.jobs[0])
    assert "backend" in json_nulls(listed.jobs[1])
    assert json_nulls(usage.current_month) == {"simulator_limit", "qpu_limit"}


def test_for_other_readers_the_message_is_unchanged():
    job = Job(job_id="j", shots=3)
    marked = Job.FromString(job.SerializeToString())
    add_json_nulls(marked)
    read = Job.FromString(marked.SerializeToString())
    assert MessageToDict(read) == MessageToDict(job)
    assert not read.HasField("backend")


def test_marking_twice_changes_nothing():
    job = Job(job_id="j")
    add_json_nulls(job)
    once = json_nulls(job)
    add_json_nulls(job)
    assert json_nulls(job) == once
