"""Converts jobs, results and filters of events."""

import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Final

from quantcloud.aio import offload
from quantcloud.aio.offload import Work
from quantcloud.api.convert.options import options_of
from quantcloud.api.convert.sweeps import sweep_parts, sweep_request
from quantcloud.api.convert.values import given, given_time, message_of, timestamp_or_none
from quantcloud.api.json_nulls import add_json_nulls
from quantcloud.api.large import LargeMessage
from quantcloud.domain.errors import InvalidArgument
from quantcloud.domain.event_filter import EventFilter
from quantcloud.domain.identifiers import is_id
from quantcloud.domain.job import Job, JobCircuit, JobResult, JobStatus, SweepPage
from quantcloud.domain.job_filter import JobFilter
from quantcloud.domain.outlook import Wait
from quantcloud.routing.explanation import without_candidates
from thequantcloud.v1 import job_pb2

_STATUSES: Final = {job_pb2.Job.Status.Value(status): status for status in JobStatus}
_LARGEST_SEQUENCE: Final = 2**31 - 1
_NUMBER: Final = re.compile(r"[0-9]{1,10}")


def _statuses(numbers: Iterable[int], field: str) -> frozenset[JobStatus]:
    """Return the statuses that are set. Raises `InvalidArgument` for an unknown number."""
    found = {number for number in numbers if number != job_pb2.Job.unspecified}
    for number in found - _STATUSES.keys():
        known = ", ".join(JobStatus)
        raise InvalidArgument(field, f"{number} is not a status; statuses are {known}")
    return frozenset(_STATUSES[number] for number in found)


def job_filter(request: job_pb2.ListJobsRequest) -> JobFilter:
    """Return which jobs ListJobs returns. Raises `InvalidArgument`."""
    statuses = _statuses(request.status, "status")
    other = _statuses([request.status_filter], "status_filter")
    if statuses and other and statuses != other:
        raise InvalidArgument(
            "status_filter", "is another name for 'status'; the two differ, send one of them"
        )
    return JobFilter(
        statuses=statuses or other,
        backend=given(request, "backend"),
        tag=given(request, "tag"),
        name_prefix=given(request, "name_prefix"),
        submitted_after=given_time(request, "submitted_after"),
        submitted_before=given_time(request, "submitted_before"),
    )


def event_filter(request: job_pb2.WatchJobsRequest) -> EventFilter:
    """Return which events WatchJobs sends. Raises `InvalidArgument`."""
    if request.batch_id and not is_id(request.batch_id):
        raise InvalidArgument("batch_id", "must be a batch_id from the answer to a batch")
    return EventFilter(
        statuses=_statuses(request.status, "status"),
        batch_id=request.batch_id or None,
    )


def after_sequence(request: job_pb2.WatchJobRequest, last_event_id: str | None) -> int | None:
    """Return the sequence after which a watch resumes: the last that an `EventSource` saw, or what
    the request says. Raises `InvalidArgument`.
    """
    if not last_event_id:
        return given(request, "after_sequence")
    if not _NUMBER.fullmatch(last_event_id) or int(last_event_id) > _LARGEST_SEQUENCE:
        raise InvalidArgument(
            "Last-Event-ID", "must be the id of an event of this job, which is its sequence"
        )
    return int(last_event_id)


def job(job: Job, wait: Wait | None = None) -> job_pb2.Job:
    """The job with all that the router considered; `wait` is why it waits."""
    return _job(job, job.metadata, wait)


def listed(job: Job, wait: Wait | None = None) -> job_pb2.Job:
    """The job as in lists and events, which leave out what the router considered."""
    return _job(job, without_candidates(job.metadata), wait)


def _job(job: Job, metadata: Mapping[str, object], wait: Wait | None) -> job_pb2.Job:
    return message_of(
        job_pb2.Job,
        job,
        job_id=job.id,
        metadata=metadata,
        options=options_of(job),
        estimated_start_at=None if wait is None else timestamp_or_none(wait.start),
        wait_reason=None if wait is None else wait.reason,
    )


def circuit(found: JobCircuit) -> job_pb2.JobCircuit:
    job = found.job
    return message_of(
        job_pb2.JobCircuit,
        job,
        job_id=job.id,
        qasm=found.qasm,
        options=options_of(job),
        server_version=found.server_version,
        simulator_version=found.simulator_version,
        sweep=None if found.sweep is None else sweep_request(found.sweep),
    )


def conversion_cost(result: JobResult) -> float:
    """Return the microseconds that it takes to convert a result."""
    return Work.CONVERT_RESULT.cost(result.size)


async def result(result: JobResult) -> job_pb2.JobResult:
    """Return a result's message. Another thread converts a large one, see `large`."""
    if result.sweep is not None:
        return _sweep_result(result, result.sweep)
    if conversion_cost(result) > offload.BUDGET:
        return await offload.run(conversion_cost(result), _large_result, result)
    return small_result(result)


def small_result(result: JobResult) -> job_pb2.JobResult:
    """Return a result's message, if it is not large."""
    message = _result(result, result.counts)
    if result.sweep is not None:
        message.MergeFromString(b"".join(sweep_parts(result.sweep)))
    return message


def _sweep_result(result: JobResult, page: SweepPage) -> job_pb2.JobResult:
    """Return the message of a sweep's result. Its points are bytes of the message already."""
    if conversion_cost(result) <= offload.BUDGET:
        return small_result(result)
    head = _result(result, {})
    add_json_nulls(head)
    parts = [head.SerializeToString(), *sweep_parts(page)]
    return LargeMessage(parts).stand_for(job_pb2.JobResult)


def _large_result(result: JobResult) -> job_pb2.JobResult:
    head = _result(result, {})
    add_json_nulls(head)
    parts = [head.SerializeToString()]
    shots = sum(result.counts.values())
    remaining = iter(result.counts.items())
    while some := dict(islice(remaining, Work.CONVERT_RESULT.most)):
        part = job_pb2.JobResult(counts=some, probabilities=_probabilities(some, shots))
        parts.append(part.SerializeToString())
    return LargeMessage(parts).stand_for(job_pb2.JobResult)


def _result(result: JobResult, counts: Mapping[str, int]) -> job_pb2.JobResult:
    state = result.statevector
    return message_of(
        job_pb2.JobResult,
        result,
        counts=counts,
        probabilities=_probabilities(counts, sum(counts.values())),
        statevector=None if state is None else message_of(job_pb2.Statevector, state),
        sweep=None,
    )


def _probabilities(counts: Mapping[str, int], shots: int) -> Mapping[str, float]:
    return {outcome: count / shots for outcome, count in counts.items()}
