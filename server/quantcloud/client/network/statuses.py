"""Reads the errors of gRPC calls."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, cast

import grpc
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.rpc import error_details_pb2, status_pb2

from quantcloud.client import errors
from quantcloud.client.messages.contract import descriptor_set

# The metadata in which gRPC carries a failure's details, as a `google.rpc.Status`.
_DETAILS = "grpc-status-details-bin"
_REASONS = "thequantcloud/v1/error_reason.proto"
# The path of a value of ErrorReason.Name in its file's descriptor: message 0, enum 0, value.
_VALUE_PATH = [4, 0, 4, 0, 2]
# What comes before the cause in gRPC's text about a connection, or about a name without an address.
_PLACE = re.compile(
    r".*last error: \w+: (?:ipv[46]:\S+: )?(?:Failed to connect to remote host: )?"
    r"|errors resolving .*address lookup failed for \S+: "
)
_NO_CONNECTION = ("failed to connect", "resolution failed", "errors resolving")

# The message of a wrong value says what is right, that of a limit what is allowed and when.
_SAYS_REMEDY = ("INVALID_ARGUMENT", "QUOTA_EXCEEDED", "RATE_LIMITED")

_Code = grpc.StatusCode
_KINDS: Mapping[_Code, type[errors.QuantCloudError]] = {
    _Code.INVALID_ARGUMENT: errors.InvalidRequest,
    _Code.FAILED_PRECONDITION: errors.NotPossible,
    _Code.OUT_OF_RANGE: errors.NotPossible,
    _Code.UNAUTHENTICATED: errors.Unauthenticated,
    _Code.PERMISSION_DENIED: errors.PermissionDenied,
    _Code.NOT_FOUND: errors.NotFound,
    _Code.ALREADY_EXISTS: errors.AlreadyExists,
    _Code.RESOURCE_EXHAUSTED: errors.RateLimited,
    _Code.UNAVAILABLE: errors.Unavailable,
    _Code.DEADLINE_EXCEEDED: errors.Unavailable,
}
_CODES = {each.value[0]: each for each in _Code}


def from_call(error: grpc.RpcError) -> errors.QuantCloudError:
    """Return the typed error of a failed call."""
    call = cast("Any", error)  # a grpc.Call or an AioRpcError, which share no class with a code
    trailers: Mapping[str, Any] = dict(call.trailing_metadata() or ())
    details = trailers.get(_DETAILS)
    if details:
        return from_status(status_pb2.Status.FromString(details))
    code, text = call.code(), call.details() or ""
    if is_lost(error):
        return errors.Unavailable(f"the connection broke, or no server answers: {text}")
    return _KINDS.get(code, errors.ServerFault)(text or code.name)


def from_status(status: status_pb2.Status) -> errors.QuantCloudError:
    """Return the typed error of a status with its details."""
    info = error_details_pb2.ErrorInfo()
    field, retry_after = "", None
    for detail in status.details:
        request, retry = error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        if detail.Unpack(request) and request.field_violations:
            field = request.field_violations[0].field
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToTimedelta().total_seconds()
        else:
            detail.Unpack(info)
    kind = _KINDS.get(_CODES.get(status.code, _Code.UNKNOWN), errors.ServerFault)
    if "line" in info.metadata:
        kind = errors.CircuitError
    elif info.reason == "QUOTA_EXCEEDED":
        kind = errors.QuotaExceeded
    return kind(
        status.message,
        reason=info.reason,
        field=field,
        hint="" if kind is errors.CircuitError else _hint(info.reason, status.message),
        metadata=dict(info.metadata),
        retry_after=retry_after,
    )


def _hint(reason: str, message: str) -> str:
    """Return what to do, as far as the message does not say it."""
    if reason in _SAYS_REMEDY:
        return ""
    sentences = _remedies().get(reason, "").rstrip(".").split(". ")
    said = message.lower()
    return "".join(f"{each}. " for each in sentences if each and each.lower() not in said).rstrip()


def is_lost(error: grpc.RpcError) -> bool:
    """Return whether a call failed because its connection broke, was silent or cannot be made.

    Envoy resets the open streams of a server that stopped, which gRPC reports as INTERNAL.
    """
    call = cast("Any", error)
    if _DETAILS in dict(call.trailing_metadata() or ()):
        return False  # the server answered
    text = call.details() or ""
    if call.code() in (_Code.INTERNAL, _Code.UNKNOWN):
        return "RST_STREAM" in text or "Stream removed" in text
    return call.code() in (_Code.UNAVAILABLE, _Code.DEADLINE_EXCEEDED)


def never_connected(error: grpc.RpcError) -> bool:
    """Return whether a call failed because no connection could be made."""
    text = (cast("Any", error).details() or "").lower()
    return is_lost(error) and any(each in text for each in _NO_CONNECTION)


def unreachable(error: grpc.RpcError, address: str) -> errors.Unavailable:
    """Return the error for a server to which no connection can be made."""
    text: str = cast("Any", error).details() or ""
    cause = _PLACE.sub("", text.removesuffix(": OK")).rstrip("]")
    if "CERTIFICATE_VERIFY_FAILED" in text:
        hint = "name the certificate of its authority with `ca_file` or QUANTCLOUD_CA_FILE"
    elif "WRONG_VERSION_NUMBER" in text:
        cause = "it does not use TLS"
        hint = "name it as HOST:PORT"
    elif "Failed parsing HTTP/2" in text:
        cause = "it does not speak gRPC"
        hint = "name the port of gRPC, or Envoy's"
    elif cause == "Socket closed":
        hint = "if the server uses TLS, name it as https://HOST:PORT"
    else:
        hint = "start one with `quantcloud serve`, or name another with QUANTCLOUD_SERVER"
    return errors.Unavailable(f"no server answers at {address}: {cause}", hint=hint)


@cache
def _remedies() -> Mapping[str, str]:
    """Return what to do about each reason, from the comments of the contract."""
    contract = FileDescriptorSet.FromString(descriptor_set().read_bytes())
    (file,) = (each for each in contract.file if each.name == _REASONS)
    names = [each.name for each in file.message_type[0].enum_type[0].value]
    return {
        names[each.path[-1]]: " ".join(each.leading_comments.split("\n\n")[-1].split())
        for each in file.source_code_info.location
        if [*each.path][:-1] == _VALUE_PATH
        and len(each.path) == len(_VALUE_PATH) + 1
        and "\n\n" in each.leading_comments
    }
