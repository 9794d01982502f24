"""A job's life: its statuses, the transitions between them, and its events."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, fields
from datetime import datetime
from enum import StrEnum
from itertools import accumulate
from operator import attrgetter
from typing import Final, cast

from quantcloud.domain.execution import RunOptions, Statevector
from quantcloud.domain.points import Points
from quantcloud.domain.sweep import Sweep
from quantcloud.domain.value_object import value_object


class JobStatus(StrEnum):
    """A job's status, in the documented words and order."""

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

    def __init__(self, word: str) -> None:
        # Read for every event, so it is not looked up each time.
        self.is_terminal = word in {"completed", "failed", "timeout", "cancelled"}


class OptimizationTarget(StrEnum):
    """What the router optimizes for if the request names no backend."""

    BALANCED = "balanced"
    SPEED = "speed"
    ACCURACY = "accuracy"
    COST = "cost"


_S = JobStatus
TERMINAL = frozenset(status for status in JobStatus if status.is_terminal)
UNROUTED = frozenset({_S.SUBMITTED, _S.ANALYZING, _S.ROUTING})
LEASED = frozenset({_S.DISPATCHED, _S.RUNNING})

# Forward in the documented order; to `failed` or `cancelled` from any status; back to `queued` when
# a lease ends. A terminal status is final.
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
    """A job's status does not allow a change. The job is unchanged."""

    def __init__(self, job_id: str, present: JobStatus, wanted: JobStatus) -> None:
        super().__init__(f"job {job_id} cannot go from {present} to {wanted}")
        self.present = present
        self.wanted = wanted


class StaleLeaseError(Exception):
    """A write names a lease that the job no longer has. Nothing was written."""


@value_object
class Lease:
    """The right to write a run. Each attempt has its own `token`; `attempt` counts from 1."""

    owner: str
    attempt: int
    token: str


@value_object
class Change:
    """One step of a job. A field that is None leaves the job's value unchanged.

    `at` is the time of the server that made the change. `Job.advance` keeps times in order. With
    `is_progress`, a running job stays so: more of its points are done.
    """

    status: JobStatus
    at: datetime
    backend: str | None = None
    method: str | None = None
    error_message: str | None = None
    metadata: Mapping[str, object] | None = None
    is_progress: bool = False


@value_object
class Job:
    """One submitted circuit and its status, without the circuit's text.

    `requested_backend` is the user's choice, `backend` the router's. `sequence` and `changed_at`
    are the number and time of its latest event, which may be its submission. `reserved_qpu_tasks`
    (1 for a job on quantum hardware) and `reserved_cost_usd` count in the month of its submission,
    from the submission on. `predicted_seconds` is the predicted run time, or None if there is no
    prediction. The jobs of one batch share a `batch_id`. `name` and `tags` are the user's, to find
    the job by. `points` is the number of points of a sweep, and None for an ordinary job. `shots`
    are those of each point.
    """

    id: str
    account_id: str
    status: JobStatus
    shots: int
    optimize_for: OptimizationTarget
    submitted_at: datetime
    changed_at: datetime
    seed: int
    requested_backend: str | None = None
    max_cost_usd: float | None = None
    min_fidelity: float | None = None
    options: RunOptions = field(default_factory=RunOptions)
    name: str | None = None
    tags: tuple[str, ...] = ()
    reserved_qpu_tasks: int = 0
    reserved_cost_usd: float = 0.0
    predicted_seconds: float | None = None
    batch_id: str | None = None
    points: int | None = None
    backend: str | None = None
    method: str | None = None
    queued_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    error_message: str | None = None
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])
    attempt: int = 0
    sequence: int = 1

    def advance(self, change: Change) -> "Job":
        """Return the job after `change`. Raises `InvalidTransitionError`.

        The times of a job's events never go back: a change whose time is before the latest event
        gets the time of that event. Clocks are set back and differ between servers, and events that
        are written together may be recorded out of order.
        """
        status = change.status
        progresses = change.is_progress and status is self.status is _S.RUNNING
        if status not in TRANSITIONS[self.status] and not progresses:
            raise InvalidTransitionError(self.id, self.status, status)
        # By position, because `dataclasses.replace` takes three times as long.
        values = [*_values(self)]
        values[_STATUS] = status
        values[_SEQUENCE] += 1
        at = values[_CHANGED] = max(change.at, self.changed_at)
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
        elif not progresses and (time := _TIMES.get(status)) is not None:
            values[time] = at
        elif status is _S.DISPATCHED:
            values[_ATTEMPT] += 1
        return Job(*values)

    def after_each(self, changes: Iterable[Change]) -> list["Job"]:
        """Return the job after each of `changes`. Raises `InvalidTransitionError`."""
        return list(accumulate(changes, Job.advance, initial=self))[1:]


_PLACES = {each.name: place for place, each in enumerate(fields(Job))}
_values = attrgetter(*_PLACES)
_STATUS, _SEQUENCE, _BACKEND, _METHOD, _ERROR, _METADATA, _STARTED, _ATTEMPT, _CHANGED = (
    _PLACES[name]
    for name in (
        "status", "sequence", "backend", "method", "error_message", "metadata", "started_at",
        "attempt", "changed_at",
    )
)  # fmt: skip
# The field that takes the time of a change to a status.
_TIMES: Mapping[JobStatus, int] = {
    _S.QUEUED: _PLACES["queued_at"],
    _S.RUNNING: _STARTED,
    **dict.fromkeys(TERMINAL, _PLACES["completed_at"]),
}


WORKER_LOST: Final = "WORKER_LOST"
OUT_OF_MEMORY: Final = "OUT_OF_MEMORY"
"""The `reason` in the metadata of a failed job."""

SERVER_VERSION: Final = "server_version"
SIMULATOR_VERSION: Final = "simulator_version"
"""Where the metadata of a result says what completed the run."""


# A value of a point has about as many bytes.
_VALUE_BYTES = 12


@value_object
class SweepPage:
    """A page of the points of a sweep. `done` of `total` points are done: the first ones.

    `seconds` is the time that the run of these points took; 0 in a page that was read.
    """

    total: int
    done: int
    points: Points
    seconds: float = 0.0


@value_object
class JobResult:
    """The result of a completed job. `counts` add up to the job's shots.

    A sweep has its results in `sweep`, and empty `counts`.
    """

    job_id: str
    backend: str
    counts: Mapping[str, int]
    execution_time_ms: float
    statevector: Statevector | None = None
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])
    sweep: SweepPage | None = None

    @property
    def size(self) -> int:
        """The number of outcomes, amplitudes and single shots, a measure of the cost to process."""
        memory = self.metadata.get("memory")
        shots = len(cast("Sequence[str]", memory)) if isinstance(memory, list | tuple) else 0
        amplitudes = len(self.statevector.real) if self.statevector else 0
        points = self.sweep.points.size // _VALUE_BYTES if self.sweep else 0
        return len(self.counts) + shots + amplitudes + points


@value_object
class JobCircuit:
    """A job with its circuit as OpenQASM, and the versions of what completed its run.

    Both versions are None until then. The simulator's lists packages, such as "qiskit-aer 0.17.2".
    """

    job: Job
    qasm: str
    server_version: str | None = None
    simulator_version: str | None = None
    sweep: Sweep | None = None


@value_object
class JobEvent:
    """One change of a job, with the whole job after it. `cursor` orders the events of all jobs.

    `result` is the run's result if this event completes the job and was committed just now. An
    event that is read from the log has none.
    """

    sequence: int
    cursor: int
    occurred_at: datetime
    job: Job
    result: JobResult | None = field(default=None, compare=False, repr=False)
