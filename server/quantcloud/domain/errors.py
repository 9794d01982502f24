"""Every way in which a request can be refused, in the project's own terms.

`transport` maps each class to a gRPC status in one table; nothing else knows statuses. Each error
carries a stable upper-snake `reason` for programs, a message for people, and `metadata` with the
values that the message speaks of.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta


class DomainError(Exception):
    """A refusal that the caller is told of.

    `reason` is stable across releases, `metadata` holds strings only (it becomes
    `google.rpc.ErrorInfo.metadata`).
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
        """Say where in a request of several parts the error is: `place` goes before its message."""
        self.message = f"{place}: {self.message}"

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process boundaries; the default would call __init__ with the message alone.
        return (_rebuild, (type(self), self.args, self.__dict__.copy()))


def _rebuild(
    cls: type[DomainError], args: tuple[object, ...], state: dict[str, object]
) -> DomainError:
    error = cls.__new__(cls)
    error.args = args
    error.__dict__.update(state)
    return error


class InvalidArgument(DomainError):
    """A field holds what it may not hold. The message names the field and what would be right."""

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
    """A circuit that cannot be read, at a 1-based line and column of its source."""

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
    """No credentials, or credentials that do not hold."""

    reason = "UNAUTHENTICATED"


class PermissionDenied(DomainError):
    """Valid credentials that do not reach this far."""

    reason = "PERMISSION_DENIED"


class QuotaExceeded(PermissionDenied):
    """A limit of the account's tier is reached.

    `subject` says whose, `limit` which one, `maximum` its value. `used` is what counts against it
    already, `requested` what was asked for on top, and `resets_at` when it starts anew, each where
    the limit has such a thing; all of them stand in `metadata`.
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
    """Too many requests within a minute: `limit` of them are let through.

    One more is after `retry_after`, which is at `reset_at`.
    """

    reason = "RATE_LIMITED"

    def __init__(
        self, message: str, *, limit: int, retry_after: timedelta, reset_at: datetime
    ) -> None:
        super().__init__(message, metadata={"limit": "requests_per_minute", "maximum": str(limit)})
        self.limit = limit
        self.retry_after = retry_after
        self.reset_at = reset_at


class TooManyStreams(DomainError):
    """As many are open at once as may be: `maximum` of `what`."""

    reason = "TOO_MANY_STREAMS"

    def __init__(self, what: str, maximum: int) -> None:
        super().__init__(
            f"too many {what}: {maximum} may be open at once; close some",
            metadata={"limit": "open_streams", "maximum": str(maximum)},
        )


class NotFound(DomainError):
    """The resource is not there, or belongs to another account: the two look the same."""

    reason = "NOT_FOUND"

    def __init__(self, resource: str, identifier: str) -> None:
        super().__init__(
            f"{resource} {identifier!r} not found",
            reason=f"{resource.upper().replace(' ', '_')}_NOT_FOUND",
            metadata={"id": identifier},
        )


class AlreadyExists(DomainError):
    """What was to be made is there already, and is something else."""

    reason = "ALREADY_EXISTS"


class OutOfRange(DomainError):
    """What was asked for lies before what is kept."""

    reason = "OUT_OF_RANGE"


class FailedPrecondition(DomainError):
    """The request is sound, but the resource's present state does not allow it."""

    reason = "FAILED_PRECONDITION"


class Damaged(DomainError):
    """What the service has stored cannot be read or written, until an operator repairs it."""

    reason = "DAMAGED"


class Unavailable(DomainError):
    """The service cannot answer now; trying again after `retry_after` may succeed."""

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
    """What an error says, with the notes on it that are for an operator."""
    return "; ".join([str(error), *getattr(error, "__notes__", ())])
