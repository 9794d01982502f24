"""The errors that the client raises."""

from collections.abc import Mapping
from typing import Any


class QuantCloudError(Exception):
    """An error of the server or of the client. The text says what is wrong.

    `reason` is a stable name for programs, such as "INVALID_CIRCUIT" (docs/errors.md lists them),
    or "" if there is none. `field` is the wrong field of the request. `line` and `column` count
    from 1. `hint` says what to do, and is a note of the exception. `metadata` holds the values of
    the message as texts. `retry_after` is the number of seconds after which the server asks to try
    again.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        field: str = "",
        hint: str = "",
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        if hint:
            self.add_note(hint)
        self.message = message
        self.reason = reason
        self.field = field
        self.hint = hint
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after

    def __reduce__(self) -> Any:
        # An error comes back from another process without a call of its class's constructor.
        return _blank, (type(self),), {**vars(self), "args": self.args}

    @property
    def line(self) -> int | None:
        """The line of the circuit or program where the error is."""
        return _number(self.metadata.get("line"))

    @property
    def column(self) -> int | None:
        """The column of the circuit or program where the error is."""
        return _number(self.metadata.get("column"))


def _blank(kind: type[QuantCloudError]) -> QuantCloudError:
    return kind.__new__(kind)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None


class NotConfigured(QuantCloudError):
    """The client has no token, or a server or file that it cannot use."""


class InvalidRequest(QuantCloudError):
    """The request is wrong."""


class CircuitError(InvalidRequest):
    """The server cannot read the circuit or the program. See `line` and `column`."""


class NotPossible(QuantCloudError):
    """The request is right, but not possible in the present state."""


class Unauthenticated(QuantCloudError):
    """The server does not accept the token."""


class PermissionDenied(QuantCloudError):
    """The account may not do this."""


class QuotaExceeded(PermissionDenied):
    """A limit of the account's tier is reached. `metadata` has the limit and what is used."""


class NotFound(QuantCloudError):
    """The resource does not exist or belongs to another account."""


class AlreadyExists(QuantCloudError):
    """The idempotency key belongs to another request. `metadata` has its `job_id`."""


class RateLimited(QuantCloudError):
    """Too many requests or streams at once."""


class Unavailable(QuantCloudError):
    """The server cannot answer now, or cannot be reached."""


class ServerFault(QuantCloudError):
    """The server has a fault."""


class WaitTimeout(QuantCloudError, TimeoutError):
    """The client waited as long as `timeout` allows. The job goes on."""

    def __init__(self, job_id: str, seconds: float) -> None:
        super().__init__(
            f"job {job_id or 'without an answer yet'} has not ended within {seconds:g} s",
            hint="the job goes on: wait for it again, or cancel it",
        )
        self.job_id = job_id


class JobEnded(QuantCloudError):
    """A job ended without a result. `status` is "failed", "timeout" or "cancelled"."""

    def __init__(self, job_id: str, status: str, message: str, reason: str = "") -> None:
        super().__init__(
            f"job {job_id} ended as {status}{message and f': {message}'}", reason=reason
        )
        self.job_id = job_id
        self.status = status


class JobFailed(JobEnded):
    """The run of a job failed."""


class JobTimedOut(JobEnded):
    """A job was stopped at its time limit."""


class JobCancelled(JobEnded):
    """A job was cancelled."""
