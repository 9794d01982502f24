"""The options of a run, as gRPC and as JSON has them.

Envoy's transcoder drops a JSON key that its descriptor does not know, without a word: a typo would
change what runs. So in that descriptor `options` is a Struct, in a field that the contract does not
have (see `transcoder`), and the server refuses an unknown key by its name.
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
    """Move options that came as JSON to where those of gRPC are.

    Raises `InvalidArgument` for what may not be in them.
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
    """The options that a request asks for. Raises `InvalidArgument`."""
    return parse_options(_values(request.options)) if request.HasField(_FIELD) else NO_OPTIONS


def _values(message: Message) -> dict[str, object]:
    """What is set, by its name."""
    return {
        field.name: _values(value) if isinstance(value, Message) else value
        for field, value in message.ListFields()
    }
