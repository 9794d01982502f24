"""The server's checks are the limits that the contract states."""

import math
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from quantcloud.api.convert.limits import check, fits, limits_of
from quantcloud.api.convert.values import MAXIMUM_STRUCT_BYTES
from quantcloud.domain.errors import InvalidArgument
from quantcloud.services.saved_circuits import MAXIMUM_SAVED_BYTES
from thequantcloud.v1 import circuit_pb2
from thequantcloud.v1.limits_pb2 import Limits

PROTO = Path(__file__).parents[3] / "proto"
FILES = [
    import_module(f"thequantcloud.v1.{path.stem}_pb2").DESCRIPTOR
    for path in sorted(PROTO.rglob("*.proto"))
]
LIMITED = [
    field
    for file in FILES
    for message in file.message_types_by_name.values()
    for field in message.fields
    if limits_of(field).ListFields()
]
DOUBLE = FieldDescriptor.CPPTYPE_DOUBLE
INTEGERS = {FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64}


def texts(limits: Limits) -> Iterator[tuple[str, bool]]:
    """Texts at the edges of limits, and whether they are within them."""
    if limits.HasField("max_length"):
        yield "x" * limits.max_length, True
        yield "x" * (limits.max_length + 1), False
        yield "x" * limits.min_length, True
    if limits.min_length:
        yield "", False
    if limits.max_bytes:
        yield "ä" * (limits.max_bytes // 2), True
        yield "ä" * (limits.max_bytes // 2) + "x", False
    if limits.printable:
        yield from ((" ", False), ("a\n", False), ("a\u00a0", False), ("a b ü", True))
    if limits.pattern:
        yield "é", False


def numbers(field: FieldDescriptor, limits: Limits) -> Iterator[tuple[float, bool]]:
    """Numbers at the edges of limits, and whether they are within them."""
    whole = field.cpp_type in INTEGERS

    def step(edge: float, towards: float) -> float:
        return edge + math.copysign(1, towards) if whole else math.nextafter(edge, towards)

    if limits.HasField("minimum"):
        yield from ((limits.minimum, True), (step(limits.minimum, -math.inf), False))
    if limits.HasField("exclusive_minimum"):
        edge = limits.exclusive_minimum
        yield from ((edge, False), (step(edge, math.inf), True))
    if limits.HasField("maximum"):
        yield from ((limits.maximum, True), (step(limits.maximum, math.inf), False))
    if not whole:
        yield from ((math.nan, False), (math.inf, False))


def acceptable(field: FieldDescriptor) -> Message:
    """A message of the field whose other fields are within their limits."""
    message = GetMessageClass(field.containing_type)()
    for other in field.containing_type.fields:
        if limits_of(other).min_length and not other.is_repeated:
            setattr(message, other.name, "x")
    return message


def samples(field: FieldDescriptor) -> Iterator[tuple[Message, bool]]:
    limits = limits_of(field)
    if field.is_repeated:
        for count in (
            max(0, limits.min_items - 1),
            limits.min_items,
            limits.max_items,
            limits.max_items + 1,
        ):
            message = acceptable(field)
            of_texts = field.message_type is None
            for _ in range(count):
                values = getattr(message, field.name)
                _ = values.append("x") if of_texts else values.add(**INNER.get(field.name, {}))
            yield message, limits.min_items <= count <= limits.max_items
        for value, right in texts(limits):
            message = acceptable(field)
            getattr(message, field.name).append(value)
            yield message, right
        return
    if field.message_type is not None:
        return
    values = numbers(field, limits) if field.cpp_type in {DOUBLE, *INTEGERS} else texts(limits)
    for value, right in values:
        message = acceptable(field)
        whole = field.cpp_type in INTEGERS
        setattr(message, field.name, int(value) if whole else value)
        yield message, right


# What an item of a list needs to be within its own limits.
INNER: Mapping[str, Any] = {"observables": {"terms": [{}]}}


@pytest.mark.parametrize("field", LIMITED, ids=lambda field: field.full_name)
def test_values_at_the_limits_are_accepted_and_values_beyond_them_are_refused(
    field: FieldDescriptor,
):
    for message, right in samples(field):
        if right:
            check(message)
        else:
            with pytest.raises(InvalidArgument) as refused:
                check(message)
            assert refused.value.field in (field.name, f"{field.name}[0]")


def test_requests_have_limits():
    assert len(LIMITED) > 30


def test_limits_that_services_check_are_those_of_the_contract():
    fields = circuit_pb2.CreateCircuitRequest.DESCRIPTOR.fields_by_name
    assert limits_of(fields["qasm"]).max_bytes == MAXIMUM_SAVED_BYTES
    assert limits_of(fields["code"]).max_bytes == MAXIMUM_SAVED_BYTES
    assert limits_of(fields["metadata"]).max_bytes == MAXIMUM_STRUCT_BYTES


def test_an_idempotency_key_is_printable_ascii():
    key = limits_of(circuit_pb2.RunStreamRequest.DESCRIPTOR.fields_by_name["idempotency_key"])
    assert fits(key, "~ !" * 85)
    assert not any(fits(key, bad) for bad in ("x" * 256, "é", "a\tb", "a\n", "\x7f"))
