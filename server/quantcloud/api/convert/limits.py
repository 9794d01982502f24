"""The limits of request fields, which the contract states as field options."""

import math
import re
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from quantcloud.domain.errors import InvalidArgument
from thequantcloud.v1 import limits_pb2

PACKAGE: Final = "thequantcloud.v1"
_BYTES_PER_CHARACTER: Final = 4


def limits_of(field: Any) -> limits_pb2.Limits:
    """The limits of a field by its descriptor; an empty message if it has none."""
    extension: Any = limits_pb2.limits  # its stub does not say that it is an extension
    return field.GetOptions().Extensions[extension]


def check(message: Message, place: str = "") -> None:
    """Check the fields of a request, nested messages included.

    `place` stands before the names of the fields in errors. Raises `InvalidArgument`.
    """
    limited, nested = _plan(message.DESCRIPTOR)
    for name, has_presence, limits in limited:
        if not has_presence or message.HasField(name):
            check_value(limits, place + name, getattr(message, name))
    for field in nested:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            for key, each in getattr(message, field.name).items():
                check(each, f"{place}{field.name}.{key}.")
        elif field.is_repeated:
            for index, each in enumerate(getattr(message, field.name)):
                check(each, f"{place}{field.name}[{index}].")
        elif message.HasField(field.name):
            check(getattr(message, field.name), f"{place}{field.name}.")


@cache
def _plan(
    descriptor: Descriptor,
) -> tuple[list[tuple[str, bool, limits_pb2.Limits]], list[FieldDescriptor]]:
    """The fields with limits, each with whether it has presence; those whose messages have any."""
    ours = [
        field
        for field in descriptor.fields
        if field.message_type is not None and field.message_type.file.package == PACKAGE
    ]
    limited = [
        (field.name, field.has_presence, limits)
        for field in descriptor.fields
        if (limits := limits_of(field)).ListFields()
    ]
    return limited, [field for field in ours if any(_plan(field.message_type))]


def check_value(limits: limits_pb2.Limits, name: str, value: object) -> None:
    """Check the value of the field `name`. Raises `InvalidArgument`."""
    if isinstance(value, str):
        _check_text(limits, name, value)
    elif isinstance(value, int | float):
        _check_number(limits, name, value)
    elif isinstance(value, Message):
        _check_size(limits, name, value.ByteSize())
    elif isinstance(value, Sequence):
        # Repeated fields are sequences whose types protobuf keeps to itself.
        _check_items(limits, name, len(value))  # pyright: ignore[reportUnknownArgumentType]
        for index, item in enumerate(value):  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType]
            if isinstance(item, str):
                _check_text(limits, f"{name}[{index}]", item)


def _check_number(limits: limits_pb2.Limits, name: str, value: float) -> None:
    if not math.isfinite(value):
        raise InvalidArgument(name, "must be a finite number")
    low = limits.HasField("minimum") and value < limits.minimum
    strictly_low = limits.HasField("exclusive_minimum") and value <= limits.exclusive_minimum
    high = limits.HasField("maximum") and value > limits.maximum
    if low or strictly_low or high:
        raise InvalidArgument(name, f"must be {_range(limits)}, is {_figure(value)}")


def _range(limits: limits_pb2.Limits) -> str:
    if limits.HasField("exclusive_minimum"):
        return f"greater than {_figure(limits.exclusive_minimum)}"
    if not limits.HasField("maximum"):
        return f"{_figure(limits.minimum)} or more"
    return f"{_figure(limits.minimum)} to {_figure(limits.maximum)}"


def _figure(value: float) -> str:
    """A number as a person would write it."""
    return f"{value:.16g}"


def _check_text(limits: limits_pb2.Limits, name: str, value: str) -> None:
    if limits.HasField("max_bytes") and len(value) * _BYTES_PER_CHARACTER > limits.max_bytes:
        _check_size(limits, name, len(value.encode("utf-8", "surrogatepass")))
    if not fits(limits, value):
        kind = "printable " if limits.printable else ""
        most = f"{limits.min_length} to {limits.max_length} {kind}characters"
        raise InvalidArgument(name, f"must have {most}")


def fits(limits: limits_pb2.Limits, text: str) -> bool:
    """Whether the length and the characters of a text are within its limits."""
    return (
        limits.min_length <= len(text)
        and not (limits.HasField("max_length") and len(text) > limits.max_length)
        and not (limits.printable and not (text.isprintable() and text.strip()))
        and not (limits.pattern and re.fullmatch(limits.pattern, text) is None)
    )


def _check_size(limits: limits_pb2.Limits, name: str, size: int) -> None:
    if limits.HasField("max_bytes") and size > limits.max_bytes:
        raise InvalidArgument(name, f"has {size} bytes; the maximum is {limits.max_bytes}")


def _check_items(limits: limits_pb2.Limits, name: str, number: int) -> None:
    if not limits.min_items <= number <= limits.max_items:
        wanted = f"{limits.min_items} to {limits.max_items} items"
        raise InvalidArgument(name, f"must have {wanted}, has {number}")
