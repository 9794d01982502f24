"""Requests that are refused early, before they cost anything or break a later reader."""

import pytest
from google.protobuf.struct_pb2 import Struct

from quantcloud.api.convert.jobs import event_filter
from quantcloud.api.convert.limits import check
from quantcloud.api.convert.options import JSON_OPTIONS, take_json_options
from quantcloud.api.convert.values import MAXIMUM_DEPTH, unstruct
from quantcloud.api.encoding import VARINT, tag, varint
from quantcloud.domain.errors import InvalidArgument
from thequantcloud.v1 import circuit_pb2, job_pb2

JOB = "0190f7a0-0000-7000-8000-000000000000"


def _nested(depth: int) -> dict[str, object]:
    value: object = None
    for _ in range(depth - 1):
        value = [value]
    return {"a": value}


def _struct(values: dict[str, object]) -> Struct:
    message = Struct()
    message.update(values)
    return message


def test_the_size_of_a_batch_is_checked_before_its_circuits():
    bad = circuit_pb2.RunCircuitRequest(shots=-1)
    request = circuit_pb2.RunCircuitsRequest(circuits=[bad] * 1001)
    with pytest.raises(InvalidArgument, match=r"^circuits: must have 1 to 1000 items, has 1001$"):
        check(request)
    del request.circuits[1000:]
    with pytest.raises(InvalidArgument, match=r"^circuits\[0\].shots: must be 1 or more, is -1$"):
        check(request)


def test_a_value_that_is_nested_too_deep_is_refused_and_named():
    assert unstruct(_struct(_nested(MAXIMUM_DEPTH)), "metadata") == _nested(MAXIMUM_DEPTH)
    with pytest.raises(InvalidArgument) as caught:
        unstruct(_struct(_nested(MAXIMUM_DEPTH + 1)), "metadata")
    assert caught.value.field == "metadata.a" + "[0]" * MAXIMUM_DEPTH
    assert "deeper than 24 levels" in caught.value.description


def test_an_accepted_value_can_be_read_in_every_answer():
    metadata = _struct(_nested(MAXIMUM_DEPTH))
    listed = circuit_pb2.ListCircuitsResponse(circuits=[circuit_pb2.Circuit(metadata=metadata)])
    assert circuit_pb2.ListCircuitsResponse.FromString(listed.SerializeToString()) == listed


@pytest.mark.parametrize(
    "content", [varint(2) + b"\xff\xff", varint(3) + b"\x0a\x01\xff", varint(2) + b"\x0a\x05"]
)
def test_invalid_bytes_of_json_options_are_refused(content: bytes):
    request = circuit_pb2.RunCircuitRequest.FromString(tag(JSON_OPTIONS) + content)
    with pytest.raises(InvalidArgument, match="options: cannot be read"):
        take_json_options(request)


def test_an_options_field_of_another_type_is_ignored():
    number = tag(JSON_OPTIONS, VARINT) + varint(7)
    request = circuit_pb2.RunCircuitRequest.FromString(number)
    take_json_options(request)
    assert not request.HasField("options")


@pytest.mark.parametrize("batch_id", ["a\0b", "x" * 10_000, "'; --", JOB.upper()])
def test_an_impossible_batch_id_is_refused(batch_id):
    with pytest.raises(InvalidArgument) as caught:
        event_filter(job_pb2.WatchJobsRequest(batch_id=batch_id))
    assert caught.value.field == "batch_id"
    assert event_filter(job_pb2.WatchJobsRequest(batch_id=JOB)).batch_id == JOB
