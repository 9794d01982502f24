"""Waits for jobs, across broken connections and restarts of the server."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Any

from quantcloud.client import errors
from quantcloud.client.messages.results import Result
from quantcloud.client.messages.sweeps import append
from quantcloud.client.messages.views import (
    TERMINAL,
    Event,
    Progress,
    event_of,
    status_name,
    unsuccessful,
)
from quantcloud.client.network.calls import Caller, Deadline
from quantcloud.client.network.transport import Metadata
from thequantcloud.v1 import circuit_pb2, job_pb2, sweep_pb2

_HISTORY_REMOVED = "HISTORY_REMOVED"


class JobWatch:
    """The events of one job, each once. It submits the job first if `request` is given.

    `job` is the job as the last message had it.
    """

    def __init__(
        self,
        caller: Caller,
        deadline: Deadline,
        *,
        job: job_pb2.Job | None = None,
        request: circuit_pb2.RunCircuitRequest | None = None,
        key: str = "",
        after_sequence: int | None = None,
    ) -> None:
        self.job = job or job_pb2.Job()
        self._caller = caller
        self._deadline = deadline
        self._request = request
        self._key = key
        self._after = after_sequence

    def _connect(self) -> tuple[Any, Any, Metadata]:
        if not self.job.job_id:
            method = self._caller.circuits.RunAndWatch
            return method, self._request, self._caller.metadata(self._key)
        request = job_pb2.WatchJobRequest(
            id=self.job.job_id, after_sequence=self._after, with_result=True
        )
        return self._caller.jobs.WatchJob, request, self._caller.metadata()

    async def events(self) -> AsyncGenerator[Event]:
        """Yield the events up to the last one. Raises `QuantCloudError`."""
        while True:
            try:
                async with aclosing(self._caller.stream(self._connect, self._deadline)) as messages:
                    async for message in messages:
                        self._after = message.sequence
                        self.job = message.job
                        yield event_of(message)
                        if status_name(message.job) in TERMINAL:
                            return
            except errors.NotPossible as error:
                if error.reason != _HISTORY_REMOVED or self._after is None:
                    raise
                self._after = None  # the latest event is still there
            except TimeoutError as error:
                raise errors.WaitTimeout(self.job.job_id, self._deadline.seconds or 0) from error

    async def result(self, progress: Progress | None) -> Result:
        """Wait for the job's end and return its result. Raises `JobEnded` if it has none."""
        async with aclosing(self.events()) as events:
            async for event in events:
                if progress is not None:
                    progress(event)
                if event.is_last:
                    return await finished(self._caller, event.message)
        raise errors.ServerFault("the watch ended before the job")


async def finished(caller: Caller, event: job_pb2.JobEvent) -> Result:
    """Return the result of a job from its last event. Raises `JobEnded` if it has none."""
    if event.job.status != job_pb2.Job.completed:
        raise unsuccessful(event.job)
    result = event.result if event.HasField("result") else None
    return await whole_result(caller, event.job.job_id, result)


async def whole_result(
    caller: Caller, job_id: str, result: job_pb2.JobResult | None = None
) -> Result:
    """Return the result with all its points that are done. `result` is its first page."""
    first = await _page(caller, job_id, 0) if result is None else result
    pages: list[sweep_pb2.SweepResult] = []
    have, done = len(first.sweep.points), first.sweep.points_done
    while have < done:
        page = (await _page(caller, job_id, have)).sweep
        pages.append(page)
        have, done = have + len(page.points), page.points_done
    append(first.sweep, pages)
    return Result(first)


async def _page(caller: Caller, job_id: str, offset: int) -> job_pb2.JobResult:
    request = job_pb2.GetJobResultRequest(id=job_id, point_offset=offset or None)
    return await caller.call(caller.jobs.GetJobResult, request)


async def all_events(
    caller: Caller, deadline: Deadline, *, batch_id: str | None = None, cursor: str | None = None
) -> AsyncGenerator[Event]:
    """Yield the events of the account's jobs, or of one batch, after a cursor or from now on."""

    def connect() -> tuple[Any, Any, Metadata]:
        request = job_pb2.WatchJobsRequest(
            after_cursor=cursor, batch_id=batch_id, with_result=batch_id is not None
        )
        return caller.jobs.WatchJobs, request, caller.metadata()

    async with aclosing(caller.stream(connect, deadline)) as messages:
        async for message in messages:
            cursor = message.cursor
            for event in message.events:
                yield event_of(event)


async def last_events(
    caller: Caller, deadline: Deadline, batches: Iterable[circuit_pb2.RunCircuitsResponse]
) -> AsyncGenerator[Event]:
    """Yield the events of batches, one after the other, until each of their jobs has ended.

    Raises `WaitTimeout`.
    """
    for batch in batches:
        waiting = {job.job_id for job in batch.jobs}
        following = all_events(caller, deadline, batch_id=batch.batch_id, cursor=batch.cursor)
        try:
            async with aclosing(following) as events:
                async for event in events:
                    if event.is_last:
                        waiting.discard(event.job_id)
                    yield event
                    if not waiting:
                        break
        except TimeoutError as error:
            raise errors.WaitTimeout(min(waiting), deadline.seconds or 0) from error
