"""Reads the options of a run, which differ in gRPC and JSON.

Envoy's transcoder silently drops a JSON key that its descriptor does not know, so a typo would
change what runs. So in that descriptor, `options` is a Struct in a field that the contract does not
have (see `transcoder`). The server refuses an unknown key and names it.
"""

from typing import Final

from google.protobuf.json_format import ParseDict
from google.protobuf.message import DecodeError, Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.unknown_fields import UnknownFieldSet

from quantcloud.api.convert.values import unstruct
from quantcloud.api.json_nulls import TWIN_OFFSET
from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.execution import NO_OPTIONS, RunOptions
from quantcloud.services.options import parse_options
from thequantcloud.v1 import circuit_pb2

JSON_OPTIONS: Final = circuit_pb2.RunCircuitRequest.OPTIONS_FIELD_NUMBER + TWIN_OFFSET
"""The number of the field that the contract does not have."""
_FIELD: Final = "options"


def take_json_options(request: circuit_pb2.RunCircuitRequest) -> None:
    """Move JSON options to the field of gRPC options.

    Raises `InvalidArgument` if an option is unknown or not valid.
    """
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
    parse_options(values)
    request.DiscardUnknownFields()
    request.options.CopyFrom(ParseDict(values, circuit_pb2.RunOptions()))


def run_options(request: circuit_pb2.RunCircuitRequest) -> RunOptions:
    """Return the options of a request. Raises `InvalidArgument`."""
    return parse_options(_values(request.options)) if request.HasField(_FIELD) else NO_OPTIONS


def _values(message: Message) -> dict[str, object]:
    """Return the fields that are set, by name."""
    return {
        field.name: _values(value) if isinstance(value, Message) else value
        for field, value in message.ListFields()
    }
