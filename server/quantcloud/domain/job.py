"""A job's life: its statuses, the transitions between them, and the events that tell of them."""

from collections.abc import Mapping, Sequence
from dataclasses import field, fields
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import cast

from quantcloud.domain.execution import RunOptions, Statevector
from quantcloud.domain.value_object import value_object


class JobStatus(StrEnum):
    """Where a job stands, in the documented words and order."""

    SUBMITTED = "submitted"
    ANALYZING = "analyzing"
    ROUTING = "routing"
    QUEUED = "queued"
    DISPATCHED = "dispatched"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        return self in TERMINAL


class OptimizationTarget(StrEnum):
    """What the router looks for when the request names no backend."""

    BALANCED = "balanced"
    SPEED = "speed"
    ACCURACY = "accuracy"
    COST = "cost"


_S = JobStatus
TERMINAL = frozenset({_S.COMPLETED, _S.FAILED, _S.TIMEOUT, _S.CANCELLED})
UNROUTED = frozenset({_S.SUBMITTED, _S.ANALYZING, _S.ROUTING})
LEASED = frozenset({_S.DISPATCHED, _S.RUNNING})

# Forward along the documented order; `failed` and `cancelled` from anywhere; back to `queued` when
# a lease ends. A terminal status absorbs.
TRANSITIONS: Mapping[JobStatus, frozenset[JobStatus]] = {
    _S.SUBMITTED: frozenset({_S.ANALYZING, _S.FAILED, _S.CANCELLED}),
    _S.ANALYZING: frozenset({_S.ROUTING, _S.FAILED, _S.CANCELLED}),
    _S.ROUTING: frozenset({_S.QUEUED, _S.FAILED, _S.CANCELLED}),
    _S.QUEUED: frozenset({_S.DISPATCHED, _S.FAILED, _S.CANCELLED}),
    _S.DISPATCHED: frozenset({_S.RUNNING, _S.QUEUED, _S.FAILED, _S.CANCELLED}),
    _S.RUNNING: frozenset({_S.COMPLETED, _S.QUEUED, _S.FAILED, _S.TIMEOUT, _S.CANCELLED}),
    **{status: frozenset[JobStatus]() for status in TERMINAL},
}


class InvalidTransitionError(Exception):
    """A change that a job's present status does not allow; the job stays as it is."""

    def __init__(self, job_id: str, present: JobStatus, wanted: JobStatus) -> None:
        super().__init__(f"job {job_id} cannot go from {present} to {wanted}")
        self.present = present
        self.wanted = wanted


class StaleLeaseError(Exception):
    """A write that names a lease which the job no longer has; nothing was written."""


@value_object
class Lease:
    """The right to write a run. `token` is unique to the attempt, `attempt` counts from 1."""

    owner: str
    attempt: int
    token: str


@value_object
class Change:
    """One step of a job. A field that is None leaves the job's own as it is.

    `at` is what the clock of its maker says. `Job.advance` holds it to the job's own order.
    """

    status: JobStatus
    at: datetime
    backend: str | None = None
    method: str | None = None
    error_message: str | None = None
    metadata: Mapping[str, object] | None = None


@value_object
class Job:
    """One submitted circuit and where it stands, without the circuit's text.

    `requested_backend` is what the user named, `backend` what the router assigned. `sequence` is
    that of its latest event. `reserved_qpu_tasks` (1 for a job on quantum hardware) and
    `reserved_cost_usd` count in the month of its submission from then on. `predicted_seconds` is
    how long the router expects its run to take, None where nobody knows; `batch_id` is shared
    by the jobs of one submission of several circuits. `changed_at` is the time of its latest event.
    """

    id: str
    account_id: str
    status: JobStatus
    shots: int
    optimize_for: OptimizationTarget
    submitted_at: datetime
    seed: int
    requested_backend: str | None = None
    max_cost_usd: float | None = None
    min_fidelity: float | None = None
    options: RunOptions = field(default_factory=RunOptions)
    reserved_qpu_tasks: int = 0
    reserved_cost_usd: float = 0.0
    predicted_seconds: float | None = None
    batch_id: str | None = None
    backend: str | None = None
    method: str | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    error_message: str | None = None
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])
    attempt: int = 0
    sequence: int = 1
    changed_at: datetime | None = None

    @property
    def latest_at(self) -> datetime:
        """When its latest event happened, which may be that of its submission."""
        return self.changed_at or self.submitted_at

    def advance(self, change: Change) -> "Job":
        """The job after `change`. Raises `InvalidTransitionError`.

        The times of a job's events never go back: a change of an earlier time than the latest event
        gets the time of that event. Clocks are set back, those of several servers differ, and
        events that are written together may be noted out of order.
        """
        status = change.status
        if status not in TRANSITIONS[self.status]:
            raise InvalidTransitionError(self.id, self.status, status)
        # By places, since `dataclasses.replace` takes three times as long, and jobs change a lot.
        values = [*_values(self)]
        values[_STATUS] = status
        values[_SEQUENCE] += 1
        at = values[_CHANGED] = max(change.at, self.latest_at)
        if change.backend:
            values[_BACKEND] = change.backend
        if change.method:
            values[_METHOD] = change.method
        if change.error_message:
            values[_ERROR] = change.error_message
        if change.metadata is not None:
            values[_METADATA] = change.metadata
        # A job that returns to its queue keeps its place in it.
        if status is _S.QUEUED and self.status in LEASED:
            values[_STARTED] = None
        elif (time := _TIMES.get(status)) is not None:
            values[time] = at
        elif status is _S.DISPATCHED:
            values[_ATTEMPT] += 1
        return Job(*values)


_PLACES = {each.name: place for place, each in enumerate(fields(Job))}
_values = attrgetter(*_PLACES)
_STATUS, _SEQUENCE, _BACKEND, _METHOD, _ERROR, _METADATA, _STARTED, _ATTEMPT, _CHANGED = (
    _PLACES[name]
    for name in (
        "status", "sequence", "backend", "method", "error_message", "metadata", "started_at",
        "attempt", "changed_at",
    )
)  # fmt: skip
# Which of a job's times a change to a status is.
_TIMES: Mapping[JobStatus, int] = {
    _S.QUEUED: _PLACES["queued_at"],
    _S.RUNNING: _STARTED,
    **dict.fromkeys(TERMINAL, _PLACES["completed_at"]),
}


@value_object
class JobResult:
    """What a completed job gave; `counts` add up to the job's shots."""

    job_id: str
    backend: str
    counts: Mapping[str, int]
    execution_time_ms: float
    statevector: Statevector | None = None
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])

    @property
    def size(self) -> int:
        """How many outcomes, amplitudes and single shots it holds: what handling it costs."""
        memory = self.metadata.get("memory")
        shots = len(cast("Sequence[str]", memory)) if isinstance(memory, list | tuple) else 0
        amplitudes = len(self.statevector.real) if self.statevector else 0
        return len(self.counts) + shots + amplitudes


@value_object
class JobEvent:
    """One change of a job: the whole job as of it. `cursor` orders the events of all jobs.

    `result` is what the run gave where this is its end and the event was committed just now; an
    event that is read from the log has none.
    """

    sequence: int
    cursor: int
    occurred_at: datetime
    job: Job
    result: JobResult | None = field(default=None, compare=False, repr=False)
