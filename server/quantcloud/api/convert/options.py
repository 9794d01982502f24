"""The options of a run, from gRPC and from JSON.

Envoy's transcoder silently drops a JSON key that its descriptor does not know, so a typo would
change the run. In that descriptor `options` is therefore a Struct, in a field that the contract
does not have (see `.ci/transcoder.py`), and the server refuses an unknown key and names it.
"""

import math
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final, cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import ParseDict
from google.protobuf.message import DecodeError
from google.protobuf.struct_pb2 import Struct
from google.protobuf.unknown_fields import UnknownFieldSet

from quantcloud.api.convert.limits import check_value, limits_of
from quantcloud.api.convert.noise import noise_message, noise_of
from quantcloud.api.convert.values import changed, unstruct
from quantcloud.api.json_nulls import TWIN_OFFSET
from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.execution import NO_OPTIONS, RunOptions
from quantcloud.domain.job import Job
from thequantcloud.v1 import circuit_pb2, run_options_pb2

JSON_OPTIONS: Final = circuit_pb2.RunCircuitRequest.OPTIONS_FIELD_NUMBER + TWIN_OFFSET
"""The number of the field that the contract does not have."""
_FIELD: Final = "options"


def take_json_options(request: circuit_pb2.RunCircuitRequest) -> None:
    """Move options that came as JSON to the field that gRPC uses. Raises `InvalidArgument`."""
    content = b"".join(
        field.data
        for field in UnknownFieldSet(request)
        if field.field_number == JSON_OPTIONS and isinstance(field.data, bytes)
    )
    if not content:
        return
    try:
        values = unstruct(Struct.FromString(content), _FIELD)
    except DecodeError as error:
        raise InvalidArgument(_FIELD, "cannot be read") from error
    checked = check_json(values)
    request.DiscardUnknownFields()
    request.options.CopyFrom(ParseDict(checked, run_options_pb2.RunOptions()))


def run_options(request: circuit_pb2.RunCircuitRequest) -> RunOptions:
    """Return the options of a request whose limits are checked. Raises `InvalidArgument`."""
    if not request.HasField(_FIELD):
        return NO_OPTIONS
    options = request.options
    values: dict[str, Any] = {field.name: value for field, value in options.ListFields()}
    if options.HasField("noise"):
        values["noise"] = noise_of(options.noise, f"{_FIELD}.noise")
    return RunOptions(**values)


def options_of(job: Job) -> run_options_pb2.RunOptions:
    """Return the options of a job with its seed; what has no effect is left out."""
    given = job.options
    if given == NO_OPTIONS:
        return run_options_pb2.RunOptions(seed=job.seed)
    values = changed(given)
    if given.noise is not None:
        values["noise"] = noise_message(given.noise)
    values["seed"] = job.seed
    return run_options_pb2.RunOptions(**values)


def check_json(options: Mapping[str, object]) -> dict[str, Any]:
    """Options from JSON with the types of their fields. Raises `InvalidArgument` naming the key."""
    return _checked(run_options_pb2.RunOptions.DESCRIPTOR, _FIELD, options)


def _checked(message: Any, path: str, values: Mapping[str, object]) -> dict[str, Any]:
    fields = message.fields_by_name
    for key in values:
        if key not in fields:
            near = get_close_matches(key, list(fields), n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            known = ", ".join(fields)
            raise InvalidArgument(f"{path}.{key}", f"is unknown; known are {known}{hint}")
    # The descriptors' stubs name two types for the same thing, so they are `Any` here.
    return {
        key: _value(fields[key], f"{path}.{key}", value)
        for key, value in values.items()
        if value is not None
    }


def _value(field: Any, path: str, value: object) -> object:
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        if field.message_type.GetOptions().map_entry:
            return _entries(field, path, value)
        if field.is_repeated:
            # A list of lists, which is checked when its message is read.
            return _lists(path, value)
        if not isinstance(value, dict):
            known = ", ".join(field.message_type.fields_by_name)
            raise InvalidArgument(path, f"must be an object with any of {known}")
        return _checked(field.message_type, path, cast("dict[str, object]", value))
    if field.type == FieldDescriptor.TYPE_BOOL:
        if not isinstance(value, bool):
            raise InvalidArgument(path, "must be true or false")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidArgument(path, "must be a number")
    whole = field.type == FieldDescriptor.TYPE_INT64
    if whole and math.isfinite(value) and not float(value).is_integer():
        raise InvalidArgument(path, f"must be an integer, is {value}")
    check_value(limits_of(field), path, value)
    return int(value) if whole else float(value)


def _entries(field: Any, path: str, value: object) -> dict[str, object]:
    """Check the entries of a map."""
    if not isinstance(value, dict):
        raise InvalidArgument(path, "must be an object")
    inner = field.message_type.fields_by_name["value"]
    return {
        key: _value(inner, f"{path}.{key}", each)
        for key, each in cast("dict[str, object]", value).items()
        if each is not None
    }


def _lists(path: str, value: object) -> list[object]:
    if not isinstance(value, list) or not all(
        isinstance(row, list) for row in cast("list[object]", value)
    ):
        raise InvalidArgument(path, "must be a list of lists of numbers")
    return cast("list[object]", value)
