"""Maps domain errors to gRPC statuses and builds the statuses' details and headers."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from random import uniform
from typing import Any

import grpc
from google.protobuf import any as proto_any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from quantcloud.auth import api_keys
from quantcloud.auth.limits.rate_limits import RateAllowance
from quantcloud.domain import errors
from thequantcloud.v1 import job_pb2
from thequantcloud.v1.error_reason_pb2 import ErrorReason

ERROR_DOMAIN = "thequantcloud.com"
_REASON = ErrorReason.Name
_WATCH_JOBS = "/thequantcloud.v1.JobService/WatchJobs"
DETAILS_KEY = "grpc-status-details-bin"
# The most bytes of one text of a status. A status travels in headers: gRPC clients accept 8 KiB of
# them, and Envoy closes a connection with more than its limit, which other callers share.
_MAX_TEXT_BYTES = 1000

# The first matching class decides.
_STATUSES: Sequence[tuple[type[errors.DomainError], grpc.StatusCode]] = (
    (errors.InvalidArgument, grpc.StatusCode.INVALID_ARGUMENT),
    (errors.FailedPrecondition, grpc.StatusCode.FAILED_PRECONDITION),
    (errors.Unauthenticated, grpc.StatusCode.UNAUTHENTICATED),
    (errors.PermissionDenied, grpc.StatusCode.PERMISSION_DENIED),
    (errors.NotFound, grpc.StatusCode.NOT_FOUND),
    (errors.AlreadyExists, grpc.StatusCode.ALREADY_EXISTS),
    (errors.OutOfRange, grpc.StatusCode.OUT_OF_RANGE),
    (errors.RateLimited, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (errors.TooManyStreams, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (errors.Unavailable, grpc.StatusCode.UNAVAILABLE),
)

# The longest wait of RetryInfo, as a multiple of the shortest, which is that of Retry-After.
_LATEST_RETRY = 1.5

# The same HTTP statuses as Envoy's transcoder uses.
_HTTP_STATUSES = {
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}

# A key that a caller put in the wrong place must not appear in an answer, which others may log.
_KEY = re.compile(rf"({api_keys.PREFIX})[\w-]+")


class Refusal(Exception):  # a status, not a fault
    """An end of a call other than OK. `status` holds its code, message and details."""

    def __init__(
        self,
        code: grpc.StatusCode,
        message: str,
        details: Sequence[Message],
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = _status(code, message, details)
        self.headers = headers

    @property
    def metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """The headers, and the status with its details."""
        return (*self.headers, (DETAILS_KEY, self.status.SerializeToString()))

    def last_message(self, path: str) -> Message:
        """Return the error as the last message of a watch by the method at `path`."""
        if path == _WATCH_JOBS:
            return job_pb2.WatchJobsResponse(error=self.status)
        return job_pb2.JobEvent(error=self.status)


def refuse(error: errors.DomainError) -> Refusal:
    """Return the refusal that the caller gets for a domain error."""
    code = next(
        (status for kind, status in _STATUSES if isinstance(error, kind)),
        grpc.StatusCode.INTERNAL,
    )
    metadata = {name: _shown(value) for name, value in error.metadata.items()}
    details: list[Message] = [_info(error.reason, metadata)]
    message = _shown(error.message)
    headers: list[tuple[str, str]] = []
    if isinstance(error, errors.InvalidArgument):
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=_shown(error.field),
            description=_shown(error.description),
            reason=error.reason,
        )
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    elif isinstance(error, errors.QuotaExceeded):
        violation = error_details_pb2.QuotaFailure.Violation(
            subject=_shown(error.subject), description=message
        )
        details.append(error_details_pb2.QuotaFailure(violations=[violation]))
    elif isinstance(error, errors.Unavailable | errors.RateLimited):
        delay = Duration()
        # Clients that were refused together must not come back together.
        delay.FromTimedelta(error.retry_after * uniform(1, _LATEST_RETRY))  # noqa: S311
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
        headers.append(("retry-after", str(max(1, math.ceil(error.retry_after.total_seconds())))))
    elif isinstance(error, errors.Unauthenticated):
        # RFC 6750, section 3: a request without credentials gets no error code.
        missing = error.reason == "CREDENTIALS_MISSING"
        headers.append(
            ("www-authenticate", "Bearer" if missing else 'Bearer error="invalid_token"')
        )
    return Refusal(code, message, details, headers)


def http_status(refusal: Refusal) -> int:
    """Return the HTTP status of a refusal of admission."""
    return _HTTP_STATUSES.get(refusal.code, 500)


def json_body(refusal: Refusal) -> bytes:
    """Return a refusal as the body of an HTTP answer."""
    status: dict[str, Any] = MessageToDict(
        refusal.status, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return json.dumps({"detail": status["message"], "details": status["details"]}).encode()


def rate_limit_headers(allowance: RateAllowance) -> tuple[tuple[str, str], ...]:
    """Return the rate limit headers: requests per minute, how many are left, and when one more
    will be allowed (seconds since 1970, rounded up).
    """
    return (
        ("x-ratelimit-limit", str(allowance.limit)),
        ("x-ratelimit-remaining", str(allowance.remaining)),
        ("x-ratelimit-reset", str(math.ceil(allowance.reset_at.timestamp()))),
    )


def _shown(text: str) -> str:
    """Mask API keys in a text that may contain a caller's input, and shorten it."""
    # Cut before the search too: searching megabytes takes longer than the rest of the call.
    masked = _KEY.sub(r"\1...", text[: 4 * _MAX_TEXT_BYTES])
    encoded = masked.encode("utf-8", "replace")
    if len(encoded) <= _MAX_TEXT_BYTES and len(text) <= 4 * _MAX_TEXT_BYTES:
        return masked
    return encoded[:_MAX_TEXT_BYTES].decode("utf-8", "ignore") + "..."


def request_timeout() -> Refusal:
    """Return the refusal of a request that did not arrive in time."""
    return Refusal(
        grpc.StatusCode.DEADLINE_EXCEEDED,
        "request: took too long to arrive",
        [_info(_REASON.Name(ErrorReason.REQUEST_TIMEOUT))],
    )


def internal(request_id: str, error: errors.Damaged | None = None) -> Refusal:
    """Return the refusal for damaged data or for an unexpected exception. Of an exception, the
    caller learns only the request id.
    """
    message, reason = "internal error", _REASON.Name(ErrorReason.INTERNAL)
    if error:
        message, reason = error.message, error.reason
    return Refusal(
        grpc.StatusCode.INTERNAL,
        f"{message}; request id {request_id}",
        [_info(reason, {"request_id": request_id})],
    )


def _info(reason: str, metadata: Mapping[str, str] | None = None) -> Message:
    """`reason` is a name of the contract's `ErrorReason`; a test checks this."""
    return error_details_pb2.ErrorInfo(reason=reason, domain=ERROR_DOMAIN, metadata=metadata)


def _status(code: grpc.StatusCode, message: str, details: Sequence[Message]) -> status_pb2.Status:
    number: int = code.value[0]
    return status_pb2.Status(code=number, message=message, details=map(proto_any.pack, details))
