"""What the client shows of a job and of its events."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from quantcloud.client import errors
from quantcloud.client.messages.plain import as_dict, struct
from thequantcloud.v1 import job_pb2

_KINDS: Mapping[str, type[errors.JobEnded]] = {
    "failed": errors.JobFailed,
    "timeout": errors.JobTimedOut,
    "cancelled": errors.JobCancelled,
}
TERMINAL = frozenset({"completed", *_KINDS})


def status_name(message: job_pb2.Job) -> str:
    """Return the name of a job's status."""
    return job_pb2.Job.Status.Name(message.status)


@dataclass(frozen=True)
class Event:
    """One change of a job, or a new place in the queue.

    `sequence` counts from 1. `position` in the backend's queue is 1 for the next job, and None
    unless the job is queued. `message` is what the server sent.
    """

    job_id: str
    sequence: int
    status: str
    backend: str | None
    at: datetime
    position: int | None
    message: job_pb2.JobEvent = field(repr=False)

    @property
    def is_last(self) -> bool:
        """Whether the job has ended."""
        return self.status in TERMINAL


Progress = Callable[[Event], None]
"""Called with each event of a job."""


def event_of(message: job_pb2.JobEvent) -> Event:
    """Return what the client shows of an event."""
    job = message.job
    return Event(
        job.job_id,
        message.sequence,
        status_name(job),
        job.backend if job.HasField("backend") else None,
        message.occurred_at.ToDatetime(UTC),
        message.queue_position if message.HasField("queue_position") else None,
        message,
    )


class JobView:
    """A job as the client last heard of it. `message` is what the server sent."""

    message: job_pb2.Job

    @property
    def id(self) -> str:
        return self.message.job_id

    @property
    def status(self) -> str:
        """The status, such as "running"."""
        return status_name(self.message)

    @property
    def is_done(self) -> bool:
        """Whether the job has ended."""
        return self.status in TERMINAL

    @property
    def backend(self) -> str | None:
        """The assigned backend, or None until there is one."""
        return self._get("backend")

    @property
    def shots(self) -> int:
        return self.message.shots

    @property
    def name(self) -> str | None:
        return self._get("name")

    @property
    def tags(self) -> list[str]:
        return list(self.message.tags)

    @property
    def batch_id(self) -> str | None:
        return self._get("batch_id")

    @property
    def submitted_at(self) -> datetime:
        return self.message.submitted_at.ToDatetime(UTC)

    @property
    def started_at(self) -> datetime | None:
        return self._time("started_at")

    @property
    def completed_at(self) -> datetime | None:
        return self._time("completed_at")

    @property
    def estimated_start_at(self) -> datetime | None:
        """When a queued job is likely to start, or None if the server cannot tell."""
        return self._time("estimated_start_at")

    @property
    def wait_reason(self) -> str | None:
        """Why a queued job has not started, such as "memory"; None if the server cannot tell."""
        found = self._get("wait_reason")
        return None if found is None else job_pb2.Wait.Reason.Name(found)

    @property
    def error_message(self) -> str | None:
        """Why the job has no result, or None."""
        return self._get("error_message")

    @property
    def metadata(self) -> dict[str, Any]:
        """More information, such as `routing`: why QuantRouter chose the backend."""
        return struct(self.message.metadata)

    def to_dict(self) -> dict[str, Any]:
        """Return the job in the form that REST has."""
        return as_dict(self.message)

    def _get(self, name: str) -> Any:
        return getattr(self.message, name) if self.message.HasField(name) else None  # pyright: ignore[reportArgumentType]  # a name of the contract

    def _time(self, name: str) -> datetime | None:
        found = self._get(name)
        return None if found is None else found.ToDatetime(UTC)

    def __repr__(self) -> str:
        on = f" on {self.backend}" if self.backend else ""
        return f"<{type(self).__name__} {self.id}: {self.status}{on}>"


def unsuccessful(message: job_pb2.Job) -> errors.JobEnded:
    """Return the error for a job that ended without a result."""
    reason = struct(message.metadata).get("reason", "")
    status = status_name(message)
    kind = _KINDS.get(status, errors.JobEnded)
    return kind(message.job_id, status, message.error_message, str(reason))
