"""Watches that resume by themselves where the connection broke."""

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
_PATIENCE_SECONDS = 120.0
# Where gRPC carries the details of a failure, as a `google.rpc.Status`.
_DETAILS = "grpc-status-details-bin"


def job_events(
    channel: grpc.Channel, job_id: str, metadata: Metadata, *, after_sequence: int = 0
) -> Iterator[job_pb2.JobEvent]:
    """Every event of a job after `after_sequence`, to its last, with the result on that.

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
    """Every event of every job of the account from now on. Raises `Failure`."""
    stub = job_pb2_grpc.JobServiceStub(channel)
    cursor: str | None = None

    def connect() -> Iterator[job_pb2.WatchJobsResponse]:
        request = job_pb2.WatchJobsRequest(after_cursor=cursor)
        return stub.WatchJobs(request, metadata=metadata)

    for response in _resumed(connect):
        yield from response.events
        cursor = response.cursor


def _resumed(connect: Callable[[], Iterator[Message]]) -> Iterator[Message]:
    """Messages of one stream after another; `connect` opens each where the last broke off."""
    pause, heard = _FIRST_PAUSE, -_PATIENCE_SECONDS
    while True:
        try:
            for message in connect():
                pause, heard = _FIRST_PAUSE, time.monotonic()
                yield message
        except grpc.RpcError as error:
            if not _is_lost(error) or time.monotonic() - heard > _PATIENCE_SECONDS:
                raise Failure(explain(error)) from error
            time.sleep(max(pause, _asked_pause(error)))
            pause = min(2 * pause, _LONGEST_PAUSE)
        else:
            return


def _is_lost(error: grpc.RpcError) -> bool:
    """Whether the connection broke, or the server behind Envoy: that resets a stream which has
    begun, and gRPC calls it internal.
    """
    if not isinstance(error, grpc.Call):
        return False
    reset = error.code() is grpc.StatusCode.INTERNAL and "RST_STREAM" in (error.details() or "")
    return reset or error.code() is grpc.StatusCode.UNAVAILABLE


def _asked_pause(error: grpc.RpcError) -> float:
    """How many seconds the server asks to wait before another try."""
    if not isinstance(error, grpc.Call):
        return 0.0
    trailers = dict(cast("tuple[tuple[str, bytes], ...]", error.trailing_metadata() or ()))
    for detail in status_pb2.Status.FromString(trailers.get(_DETAILS, b"")).details:
        retry = error_details_pb2.RetryInfo()
        if detail.Unpack(retry):
            return min(retry.retry_delay.ToTimedelta().total_seconds(), _LONGEST_PAUSE)
    return 0.0


def explain(error: grpc.RpcError) -> str:
    """An RPC's failure in one line for a person."""
    if not isinstance(error, grpc.Call):
        return str(error)
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return f"no server answers: {error.details()}"
    return f"{error.details()}"
