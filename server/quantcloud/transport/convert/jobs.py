"""Jobs, their results and events."""

from itertools import islice
from typing import Final

from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.execution import Statevector
from quantcloud.domain.job import Job, JobResult, JobStatus
from quantcloud.transport.convert.values import struct, timestamp
from quantcloud.transport.nulls import nulls
from quantcloud.transport.wire import delimited, struct_bytes, tag
from quantcloud.watching.sighting import Filter
from thequantcloud.v1 import job_pb2

_STATUSES: Final = {job_pb2.Job.Status.Value(status): status for status in JobStatus}
_JOB_METADATA = tag(job_pb2.Job.METADATA_FIELD_NUMBER)
_RESULT_METADATA = tag(job_pb2.JobResult.METADATA_FIELD_NUMBER)

# Entries that take about a millisecond to convert.
_LARGE: Final = 2000


def job_status(number: int, field: str) -> JobStatus | None:
    """None where the enum is unset. Raises `InvalidArgument` for a number of no status."""
    if number == job_pb2.Job.unspecified:
        return None
    if number not in _STATUSES:
        known = ", ".join(JobStatus)
        raise InvalidArgument(field, f"{number} is no status; statuses are {known}")
    return _STATUSES[number]


def status_filter(request: job_pb2.ListJobsRequest) -> JobStatus | None:
    """The filter under either of its names."""
    status = job_status(request.status, "status")
    other = job_status(request.status_filter, "status_filter")
    if status and other and status is not other:
        raise InvalidArgument(
            "status_filter", "is another name for 'status'; the two differ, send one of them"
        )
    return status or other


def event_filter(request: job_pb2.WatchJobsRequest) -> Filter:
    """Which events WatchJobs sends. Raises `InvalidArgument`."""
    statuses = (job_status(number, "status") for number in request.status)
    return Filter(
        statuses=frozenset(status for status in statuses if status is not None),
        batch_id=request.batch_id or None,
    )


def job(job: Job) -> job_pb2.Job:
    message = _without_metadata(job)
    message.metadata.CopyFrom(struct(job.metadata))
    return message


def job_bytes(job: Job, metadata: bytes) -> bytes:
    """The bytes of a job's message, with its nulls; `metadata` are those of its Struct."""
    message = _without_metadata(job)
    marks = nulls(message, "metadata")
    return b"".join((message.SerializeToString(), marks, _JOB_METADATA, delimited(metadata)))


def _without_metadata(job: Job) -> job_pb2.Job:
    return job_pb2.Job(
        job_id=job.id,
        status=job.status,
        backend=job.backend,
        shots=job.shots,
        optimize_for=job.optimize_for,
        submitted_at=timestamp(job.submitted_at),
        started_at=timestamp(job.started_at) if job.started_at else None,
        completed_at=timestamp(job.completed_at) if job.completed_at else None,
        error_message=job.error_message,
        batch_id=job.batch_id,
    )


def statevector(state: Statevector | None) -> job_pb2.Statevector | None:
    return None if state is None else job_pb2.Statevector(real=state.real, imag=state.imag)


def is_large(result: JobResult) -> bool:
    """Whether converting a result takes so long that it should not happen on the event loop."""
    return result.size > _LARGE


def result(result: JobResult) -> bytes:
    """The bytes of a result's message, with its nulls.

    protobuf lets no other thread run while it serialises a message, which takes long for a large
    one. So outcomes are serialised a few at a time: messages put one behind the other are read as
    one, see https://protobuf.dev/programming-guides/encoding/#last-one-wins.
    """
    message = job_pb2.JobResult(
        job_id=result.job_id,
        statevector=statevector(result.statevector),
        execution_time_ms=result.execution_time_ms,
        backend=result.backend,
    )
    metadata = delimited(struct_bytes(result.metadata))
    parts = [
        message.SerializeToString(), nulls(message, "metadata"), _RESULT_METADATA, metadata
    ]  # fmt: skip
    shots = sum(result.counts.values())
    remaining = iter(result.counts.items())
    while some := dict(islice(remaining, _LARGE)):
        part = job_pb2.JobResult(
            counts=some,
            probabilities={outcome: count / shots for outcome, count in some.items()},
        )
        parts.append(part.SerializeToString())
    return b"".join(parts)
