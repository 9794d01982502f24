"""Jobs and batches for programs that use asyncio."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any
from uuid import uuid4

from google.protobuf.json_format import MessageToDict, ParseDict

from quantcloud.client.errors import JobEnded
from quantcloud.client.jobs.watch import JobWatch, finished, last_events, whole_result
from quantcloud.client.messages.results import Result
from quantcloud.client.messages.views import Event, JobView, Progress
from quantcloud.client.network.calls import Caller, Deadline
from thequantcloud.v1 import circuit_pb2, job_pb2, limits_pb2

_LIMITS: Any = limits_pb2.limits  # its stub does not say that it is an extension
_MOST_CIRCUITS: int = (
    circuit_pb2.RunCircuitsRequest.DESCRIPTOR.fields_by_name["circuits"]
    .GetOptions()
    .Extensions[_LIMITS]
    .max_items
)


class AsyncJob(JobView):
    """A job of an `AsyncClient`."""

    def __init__(self, caller: Caller, message: job_pb2.Job) -> None:
        self._caller = caller
        self.message = message
        self._last: job_pb2.JobEvent | None = None

    async def refresh(self) -> "AsyncJob":
        """Ask the server for the job as it is now, and return this job."""
        request = job_pb2.GetJobRequest(id=self.id)
        self.message = await self._caller.call(self._caller.jobs.GetJob, request)
        return self

    async def result(
        self, *, timeout: float | None = None, progress: Progress | None = None
    ) -> Result:
        """Wait for the job's end and return its result.

        `timeout` is in seconds; the job goes on after it. `progress` is called with each event.
        Raises `JobEnded` if the job has no result, `WaitTimeout`, and `QuantCloudError`.
        """
        if self._last is not None and progress is None:
            return await finished(self._caller, self._last)
        watch = JobWatch(self._caller, Deadline(timeout), job=self.message)
        try:
            return await watch.result(progress)
        finally:
            self.message = watch.job

    async def events(
        self, *, after_sequence: int = 0, timeout: float | None = None
    ) -> AsyncGenerator[Event]:
        """Yield each event of the job after a sequence, as it happens, up to the last.

        Events of the past are left out if the server no longer has them. An event with a known
        sequence is a new place in the queue. Raises `WaitTimeout` and `QuantCloudError`.
        """
        watch = JobWatch(
            self._caller, Deadline(timeout), job=self.message, after_sequence=after_sequence
        )
        async with aclosing(watch.events()) as events:
            async for event in events:
                self.message = watch.job
                if event.is_last:
                    self._last = event.message
                yield event

    async def partial_result(self) -> Result:
        """Return the points of a sweep that are done by now, also if it was stopped."""
        return await whole_result(self._caller, self.id)

    async def cancel(self) -> None:
        """Cancel the job. Raises `NotPossible` if it has ended otherwise."""
        request = job_pb2.CancelJobRequest(id=self.id)
        await self._caller.call(self._caller.jobs.CancelJob, request)
        await self.refresh()

    async def circuit(self) -> job_pb2.JobCircuit:
        """Return the job's circuit, and everything that is needed to run it again."""
        request = job_pb2.GetJobCircuitRequest(id=self.id)
        return await self._caller.call(self._caller.jobs.GetJobCircuit, request)

    async def rerun(self, *, idempotency_key: str | None = None) -> "AsyncJob":
        """Submit the circuit again: same backend, options and seed, so the same counts.

        The counts may differ if another method or version of the simulator runs it: compare the
        `circuit()` of both jobs.
        """
        first = MessageToDict(await self.circuit(), preserving_proto_field_name=True)
        # Fields that these messages and the request share have the same names and types.
        content = {"backend": first.get("requested_backend"), **first, **first.get("sweep", {})}
        if "precision" in content:
            content.pop("shots", None)  # a precision stands for shots
        request = ParseDict(content, circuit_pb2.RunCircuitRequest(), ignore_unknown_fields=True)
        return await submit(self._caller, request, idempotency_key)


class AsyncBatch(Sequence[AsyncJob]):
    """The jobs of a batch, in the order of the circuits.

    `ids` are the server's ids of the batch, one for each 1,000 jobs. `id` is the first of them.
    """

    def __init__(self, caller: Caller, answers: Sequence[circuit_pb2.RunCircuitsResponse]) -> None:
        self._caller = caller
        self._answers = answers
        self.ids = [each.batch_id for each in answers]
        self.id = self.ids[0]
        self._jobs = [AsyncJob(caller, _submitted(job)) for each in answers for job in each.jobs]

    def __getitem__(self, index: int) -> AsyncJob:  # pyright: ignore[reportIncompatibleMethodOverride]  # no slices
        return self._jobs[index]

    def __len__(self) -> int:
        return len(self._jobs)

    async def outcomes(
        self, *, timeout: float | None = None, progress: Progress | None = None
    ) -> list[Result | JobEnded]:
        """Wait until all jobs have ended. Return the result of each, or why it has none."""
        found: dict[str, Result | JobEnded] = {}
        jobs = {job.id: job for job in self._jobs}
        waiting = last_events(self._caller, Deadline(timeout), self._answers)
        async with aclosing(waiting) as events:
            async for event in events:
                jobs[event.job_id].message = event.message.job
                if progress is not None:
                    progress(event)
                if event.is_last:
                    try:
                        found[event.job_id] = await finished(self._caller, event.message)
                    except JobEnded as error:
                        found[event.job_id] = error
        return [found[job_id] for job_id in jobs]

    async def results(
        self, *, timeout: float | None = None, progress: Progress | None = None
    ) -> list[Result]:
        """Wait until all jobs have ended, and return their results.

        Raises the `JobEnded` of the first job without a result.
        """
        outcomes = await self.outcomes(timeout=timeout, progress=progress)
        for each in outcomes:
            if isinstance(each, JobEnded):
                raise each
        return [each for each in outcomes if isinstance(each, Result)]


async def submit(
    caller: Caller, request: circuit_pb2.RunCircuitRequest, key: str | None
) -> AsyncJob:
    """Submit a circuit once, even if the request has to be repeated."""
    answer = await caller.call(caller.circuits.RunCircuit, request, key=key or new_key())
    return AsyncJob(caller, _submitted(answer))


async def submit_all(
    caller: Caller, requests: Sequence[circuit_pb2.RunCircuitRequest], key: str | None
) -> AsyncBatch:
    """Submit circuits, each once. A request has as many of them as the contract allows.

    The server refuses an empty batch.
    """
    key = key or new_key()
    answers: list[circuit_pb2.RunCircuitsResponse] = []
    for first in range(0, len(requests) or 1, _MOST_CIRCUITS):
        request = circuit_pb2.RunCircuitsRequest(circuits=requests[first : first + _MOST_CIRCUITS])
        own = f"{key}-{first}" if first else key
        answers.append(await caller.call(caller.circuits.RunCircuits, request, key=own))
    return AsyncBatch(caller, answers)


def new_key() -> str:
    """Return a new idempotency key."""
    return str(uuid4())


def _submitted(answer: circuit_pb2.RunCircuitResponse) -> job_pb2.Job:
    return job_pb2.Job(
        job_id=answer.job_id,
        status=answer.status,
        shots=answer.shots,
        optimize_for=answer.optimize_for,
        submitted_at=answer.submitted_at,
    )
