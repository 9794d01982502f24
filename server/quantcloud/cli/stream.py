"""Watches that reconnect and resume if the connection breaks."""

import time
from collections.abc import Callable, Iterator
from typing import TypeVar, cast

import grpc
from google.rpc import (  # pyright: ignore[reportMissingTypeStubs]  # typed inline
    error_details_pb2,
    status_pb2,
)

from quantcloud.cli.failure import Failure
from thequantcloud.v1 import job_pb2, job_pb2_grpc

Message = TypeVar("Message")
Metadata = tuple[tuple[str, str], ...]

TERMINAL = frozenset(
    {job_pb2.Job.completed, job_pb2.Job.failed, job_pb2.Job.timeout, job_pb2.Job.cancelled}
)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
# How long to reconnect after the last message.
_RECONNECT_SECONDS = 120.0
# The metadata in which gRPC carries a failure's details, as a `google.rpc.Status`.
_DETAILS = "grpc-status-details-bin"


def job_events(
    channel: grpc.Channel, job_id: str, metadata: Metadata, *, after_sequence: int = 0
) -> Iterator[job_pb2.JobEvent]:
    """Yield each event of a job after `after_sequence`, up to its last, which has the result.

    Raises `Failure`.
    """
    stub = job_pb2_grpc.JobServiceStub(channel)
    sequence = after_sequence

    def connect() -> Iterator[job_pb2.JobEvent]:
        request = job_pb2.WatchJobRequest(id=job_id, after_sequence=sequence, with_result=True)
        return stub.WatchJob(request, metadata=metadata)

    for event in _resumed(connect):
        sequence = event.sequence
        yield event
        if event.job.status in TERMINAL:
            return


def account_events(channel: grpc.Channel, metadata: Metadata) -> Iterator[job_pb2.JobEvent]:
    """Yield each event of all jobs of the account from now on. Raises `Failure`."""
    stub = job_pb2_grpc.JobServiceStub(channel)
    cursor: str | None = None

    def connect() -> Iterator[job_pb2.WatchJobsResponse]:
        request = job_pb2.WatchJobsRequest(after_cursor=cursor)
        return stub.WatchJobs(request, metadata=metadata)

    for response in _resumed(connect):
        yield from response.events
        cursor = response.cursor


def _resumed(connect: Callable[[], Iterator[Message]]) -> Iterator[Message]:
    """Yield the messages of one stream after another. `connect` resumes after the last message."""
    pause, last_message_at = _FIRST_PAUSE, -_RECONNECT_SECONDS
    while True:
        try:
            for message in connect():
                pause, last_message_at = _FIRST_PAUSE, time.monotonic()
                yield message
        except grpc.RpcError as error:
            silence = time.monotonic() - last_message_at
            if not _is_lost(error) or silence > _RECONNECT_SECONDS:
                raise Failure(explain(error)) from error
            time.sleep(max(pause, _asked_pause(error)))
            pause = min(2 * pause, _LONGEST_PAUSE)
        else:
            return


def _is_lost(error: grpc.RpcError) -> bool:
    """Return whether the connection broke, or the server behind Envoy stopped.

    Envoy then resets the open streams, which gRPC reports as INTERNAL.
    """
    if not isinstance(error, grpc.Call):
        return False
    reset = error.code() is grpc.StatusCode.INTERNAL and "RST_STREAM" in (error.details() or "")
    return reset or error.code() is grpc.StatusCode.UNAVAILABLE


def _asked_pause(error: grpc.RpcError) -> float:
    """Return the number of seconds that the server asks to wait before a retry."""
    if not isinstance(error, grpc.Call):
        return 0.0
    trailers = dict(cast("tuple[tuple[str, bytes], ...]", error.trailing_metadata() or ()))
    for detail in status_pb2.Status.FromString(trailers.get(_DETAILS, b"")).details:
        retry = error_details_pb2.RetryInfo()
        if detail.Unpack(retry):
            return min(retry.retry_delay.ToTimedelta().total_seconds(), _LONGEST_PAUSE)
    return 0.0


def explain(error: grpc.RpcError) -> str:
    """Return one readable line about an RPC's failure."""
    if not isinstance(error, grpc.Call):
        return str(error)
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return f"no server answers: {error.details()}"
    return f"{error.details()}"
