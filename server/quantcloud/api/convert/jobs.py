"""Converts jobs, results and filters of events."""

from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from typing import Final

from quantcloud.aio.offload import Work
from quantcloud.api.encoding import VARINT, delimited, struct_bytes, tag, timestamp_bytes, varint
from quantcloud.api.json_nulls import Nullable, json_nulls, nullable
from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.event_filter import EventFilter
from quantcloud.domain.execution import Statevector
from quantcloud.domain.identifiers import is_id
from quantcloud.domain.job import Job, JobResult, JobStatus, OptimizationTarget
from thequantcloud.v1 import job_pb2

_STATUSES: Final = {job_pb2.Job.Status.Value(status): status for status in JobStatus}
_ID, _METADATA = (
    tag(number) for number in (job_pb2.Job.JOB_ID_FIELD_NUMBER, job_pb2.Job.METADATA_FIELD_NUMBER)
)
_SHOTS = tag(job_pb2.Job.SHOTS_FIELD_NUMBER, VARINT)
_STATUS_IS = {status: job_pb2.Job(status=status).SerializeToString() for status in JobStatus}
_TARGET_IS = {
    target: job_pb2.Job(optimize_for=target).SerializeToString() for target in OptimizationTarget
}
_BACKEND, _SUBMITTED, _STARTED, _COMPLETED, _ERROR, _BATCH = (
    nullable(job_pb2.Job, name)
    for name in (
        "backend", "submitted_at", "started_at", "completed_at", "error_message", "batch_id"
    )
)  # fmt: skip
_RESULT_METADATA = tag(job_pb2.JobResult.METADATA_FIELD_NUMBER)


def job_status(number: int, field: str) -> JobStatus | None:
    """Return the status, or None if unset. Raises `InvalidArgument` for an unknown number."""
    if number == job_pb2.Job.unspecified:
        return None
    if number not in _STATUSES:
        known = ", ".join(JobStatus)
        raise InvalidArgument(field, f"{number} is not a status; statuses are {known}")
    return _STATUSES[number]


def status_filter(request: job_pb2.ListJobsRequest) -> JobStatus | None:
    """Return the status filter from either of its two fields. Raises `InvalidArgument`."""
    status = job_status(request.status, "status")
    other = job_status(request.status_filter, "status_filter")
    if status and other and status is not other:
        raise InvalidArgument(
            "status_filter", "is another name for 'status'; the two differ, send one of them"
        )
    return status or other


def event_filter(request: job_pb2.WatchJobsRequest) -> EventFilter:
    """Return which events WatchJobs sends. Raises `InvalidArgument`."""
    statuses = (job_status(number, "status") for number in request.status)
    if request.batch_id and not is_id(request.batch_id):
        raise InvalidArgument("batch_id", "must be a batch_id from the answer to a batch")
    return EventFilter(
        statuses=frozenset(status for status in statuses if status is not None),
        batch_id=request.batch_id or None,
    )


def job(job: Job) -> job_pb2.Job:
    message = job_pb2.Job.FromString(job_bytes(job, struct_bytes(job.metadata)))
    message.DiscardUnknownFields()
    return message


def job_bytes(job: Job, metadata: bytes) -> bytes:
    """Return the bytes of a job's message, with its JSON nulls; `metadata` is an encoded Struct.

    Each event of a job needs them, and building a message object would take twice as long.
    """
    return b"".join(
        (
            _ID,
            delimited(job.id.encode()),
            _STATUS_IS[job.status],
            _text(_BACKEND, job.backend),
            _SHOTS,
            varint(job.shots),
            _TARGET_IS[job.optimize_for],
            _moment(_SUBMITTED, job.submitted_at),
            _moment(_STARTED, job.started_at),
            _moment(_COMPLETED, job.completed_at),
            _text(_ERROR, job.error_message),
            _text(_BATCH, job.batch_id),
            _METADATA,
            delimited(metadata),
        )
    )


def _text(field: Nullable, content: str | None) -> bytes:
    return field.null if content is None else field.tag + delimited(content.encode())


def _moment(field: Nullable, moment: datetime | None) -> bytes:
    return field.null if moment is None else field.tag + timestamp_bytes(moment)


def statevector(state: Statevector | None) -> job_pb2.Statevector | None:
    return None if state is None else job_pb2.Statevector(real=state.real, imag=state.imag)


def conversion_cost(result: JobResult) -> float:
    """Return the microseconds that it takes to convert a result."""
    return Work.CONVERT_RESULT.cost(result.size)


def result(result: JobResult) -> bytes:
    """Return the bytes of a result's message, with its JSON nulls."""
    return b"".join(_result_parts(result))


def result_field(field_tag: bytes, result: JobResult) -> bytes:
    """Return the bytes of a result field, with the field's tag.

    Joins them once with `bytes.join`: it releases the interpreter for the event loop while it
    copies megabytes, which `+` does not.
    """
    parts = _result_parts(result)
    return b"".join((field_tag, varint(sum(map(len, parts))), *parts))


def _result_parts(result: JobResult) -> Sequence[bytes]:
    """Return the bytes of a result's message, with its JSON nulls, in parts.

    While protobuf serialises a message, no other thread can run, and a large message takes long.
    So outcomes are serialised a few at a time. Concatenated messages are read as one, see
    https://protobuf.dev/programming-guides/encoding/#last-one-wins.
    """
    message = job_pb2.JobResult(
        job_id=result.job_id,
        statevector=statevector(result.statevector),
        execution_time_ms=result.execution_time_ms,
        backend=result.backend,
    )
    metadata = delimited(struct_bytes(result.metadata))
    parts = [
        message.SerializeToString(), json_nulls(message, "metadata"), _RESULT_METADATA, metadata
    ]  # fmt: skip
    shots = sum(result.counts.values())
    remaining = iter(result.counts.items())
    while some := dict(islice(remaining, Work.CONVERT_RESULT.most)):
        part = job_pb2.JobResult(
            counts=some,
            probabilities={outcome: count / shots for outcome, count in some.items()},
        )
        parts.append(part.SerializeToString())
    return parts
