"""The errors with which a request can be refused.

`api/errors.py` maps each class to a gRPC status; no other module knows statuses. Each error has a
stable `reason` in upper snake case for programs, a message for people, and `metadata` with the
values in the message.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta


class DomainError(Exception):
    """An error that is sent to the caller.

    `reason` is stable across releases. `metadata` holds only strings, because it becomes
    `google.rpc.ErrorInfo.metadata`.
    """

    reason = "UNSPECIFIED"

    def __init__(
        self, message: str, *, reason: str | None = None, metadata: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or type(self).reason
        self.metadata = dict(metadata or {})

    def locate(self, place: str) -> None:
        """Put `place`, the faulty part of the request, before the message."""
        self.message = f"{place}: {self.message}"

    def __reduce__(self) -> tuple[object, ...]:
        # Errors are pickled between processes. The default calls __init__ with only the message.
        return (_rebuild, (type(self), self.args, self.__dict__.copy()))


def _rebuild(
    cls: type[DomainError], args: tuple[object, ...], state: dict[str, object]
) -> DomainError:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(state)
    return error


class InvalidArgument(DomainError):
    """A field has an invalid value. The message names the field and says what is valid."""

    reason = "INVALID_ARGUMENT"

    def __init__(
        self,
        field: str,
        message: str,
        *,
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{field}: {message}", reason=reason, metadata=metadata)
        self.field = field
        self.description = message

    def locate(self, place: str) -> None:
        self.field = f"{place}.{self.field}"
        self.message = f"{place}.{self.message}"


class CircuitError(InvalidArgument):
    """A circuit cannot be parsed. `line` and `column` count from 1."""

    reason = "INVALID_CIRCUIT"

    def __init__(self, message: str, line: int, column: int, *, field: str = "qasm") -> None:
        super().__init__(
            field,
            f"line {line}, column {column}: {message}",
            metadata={"line": str(line), "column": str(column)},
        )
        self.line = line
        self.column = column


class Unauthenticated(DomainError):
    """The credentials are missing or invalid."""

    reason = "UNAUTHENTICATED"


class PermissionDenied(DomainError):
    """The credentials are valid but do not allow this request."""

    reason = "PERMISSION_DENIED"


class QuotaExceeded(PermissionDenied):
    """A limit of the account's tier is reached.

    `subject` is the account, `limit` the limit's name and `maximum` its value. `used` is what the
    account has used, `requested` what this request adds, and `resets_at` when the count starts
    again. `used` and `resets_at` are None if the limit has no such value. All are in `metadata`.
    """

    reason = "QUOTA_EXCEEDED"

    def __init__(
        self,
        limit: str,
        message: str,
        *,
        subject: str,
        maximum: float,
        requested: float,
        used: float | None = None,
        resets_at: datetime | None = None,
    ) -> None:
        metadata = {"limit": limit, "maximum": f"{maximum:.12g}", "requested": f"{requested:.12g}"}
        if used is not None:
            metadata["used"] = f"{used:.12g}"
        if resets_at is not None:
            metadata["resets_at"] = f"{resets_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
            message = f"{message}; it resets at {metadata['resets_at']}"
        super().__init__(message, metadata=metadata)
        self.subject = subject


class RateLimited(DomainError):
    """Too many requests within a minute: `limit` are allowed.

    The next request is allowed after `retry_after`.
    """

    reason = "RATE_LIMITED"

    def __init__(self, message: str, *, limit: int, retry_after: timedelta) -> None:
        super().__init__(message, metadata={"limit": "requests_per_minute", "maximum": str(limit)})
        self.retry_after = retry_after


class TooManyStreams(DomainError):
    """The most streams that may be open at once are open: `maximum` of `what`."""

    reason = "TOO_MANY_STREAMS"

    def __init__(self, what: str, maximum: int) -> None:
        super().__init__(
            f"too many {what}: {maximum} may be open at once; close some",
            metadata={"limit": "open_streams", "maximum": str(maximum)},
        )


class NotFound(DomainError):
    """The resource does not exist or belongs to another account. Callers cannot tell which."""

    reason = "NOT_FOUND"

    def __init__(self, resource: str, identifier: str) -> None:
        super().__init__(
            f"{resource} {identifier!r} not found",
            reason=f"{resource.upper().replace(' ', '_')}_NOT_FOUND",
            metadata={"id": identifier},
        )


class AlreadyExists(DomainError):
    """The resource exists already and differs from the one to create."""

    reason = "ALREADY_EXISTS"


class OutOfRange(DomainError):
    """The requested data is older than the data that is kept."""

    reason = "OUT_OF_RANGE"


class FailedPrecondition(DomainError):
    """The request is valid, but the resource's state does not allow it."""

    reason = "FAILED_PRECONDITION"


class Damaged(DomainError):
    """Stored data cannot be read or written until an operator repairs it."""

    reason = "DAMAGED"


class Unavailable(DomainError):
    """The service cannot answer now. A retry after `retry_after` may succeed."""

    reason = "UNAVAILABLE"

    def __init__(
        self,
        message: str,
        *,
        retry_after: timedelta = timedelta(seconds=1),
        reason: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, reason=reason, metadata=metadata)
        self.retry_after = retry_after


def explained(error: Exception) -> str:
    """Return an error's message with its notes, which are for operators."""
    return "; ".join([str(error), *getattr(error, "__notes__", ())])
