"""Jobs, batches and streams of the client without asyncio."""

from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self, Unpack

from quantcloud.client.errors import JobEnded
from quantcloud.client.jobs import AsyncBatch, AsyncJob
from quantcloud.client.requests import Circuit, RunFields
from quantcloud.client.results import Result
from quantcloud.client.run_stream import Answer, AsyncRunStream
from quantcloud.client.transport import drive, iterate
from quantcloud.client.views import Event, JobView
from quantcloud.client.watch import Progress
from thequantcloud.v1 import job_pb2


class Job(JobView):
    """A job of a `Client`. Its methods are those of `AsyncJob`."""

    def __init__(self, job: AsyncJob) -> None:
        self._job = job

    @property
    def message(self) -> job_pb2.Job:  # pyright: ignore[reportIncompatibleVariableOverride]  # read only
        return self._job.message

    def refresh(self) -> "Job":
        """Ask the server for the job as it is now, and return this job."""
        drive(self._job.refresh())
        return self

    def result(self, *, timeout: float | None = None, progress: Progress | None = None) -> Result:
        """Wait for the job's end and return its result; see `AsyncJob.result`."""
        return drive(self._job.result(timeout=timeout, progress=progress))

    def events(self, *, after_sequence: int = 0, timeout: float | None = None) -> Iterator[Event]:
        """Yield each event up to the last, as it happens; see `AsyncJob.events`."""
        return iterate(self._job.events(after_sequence=after_sequence, timeout=timeout))

    def partial_result(self) -> Result:
        """Return the points of a sweep that are done by now, also if it was stopped."""
        return drive(self._job.partial_result())

    def cancel(self) -> None:
        """Cancel the job. Raises `NotPossible` if it has ended otherwise."""
        drive(self._job.cancel())

    def circuit(self) -> job_pb2.JobCircuit:
        """Return the job's circuit, and everything that is needed to run it again."""
        return drive(self._job.circuit())

    def rerun(self, *, idempotency_key: str | None = None) -> "Job":
        """Submit the circuit again, for the same counts; see `AsyncJob.rerun`."""
        return Job(drive(self._job.rerun(idempotency_key=idempotency_key)))


class Batch(Sequence[Job]):
    """The jobs of a batch, in the order of the circuits; see `AsyncBatch`."""

    def __init__(self, batch: AsyncBatch) -> None:
        self._batch = batch
        self.id, self.ids = batch.id, batch.ids
        self._jobs = [Job(each) for each in batch]

    def __getitem__(self, index: int) -> Job:  # pyright: ignore[reportIncompatibleMethodOverride]  # no slices
        return self._jobs[index]

    def __len__(self) -> int:
        return len(self._jobs)

    def results(
        self, *, timeout: float | None = None, progress: Progress | None = None
    ) -> list[Result]:
        """Wait until all jobs have ended, and return their results.

        Raises the `JobEnded` of the first job without a result.
        """
        return drive(self._batch.results(timeout=timeout, progress=progress))

    def outcomes(
        self, *, timeout: float | None = None, progress: Progress | None = None
    ) -> list[Result | JobEnded]:
        """Wait until all jobs have ended. Return the result of each, or why it has none."""
        return drive(self._batch.outcomes(timeout=timeout, progress=progress))


class RunStream:
    """A stream of circuits; see `AsyncRunStream`."""

    def __init__(self, stream: AsyncRunStream) -> None:
        self._stream = stream

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the stream. Jobs that are submitted go on."""
        drive(self._stream.close())

    def send(self, circuit: Circuit, **fields: Unpack[RunFields]) -> int:
        """Send a circuit and return its number, from 1."""
        return drive(self._stream.send(circuit, **fields))

    def receive(self) -> Answer:
        """Return the answer that comes next."""
        return drive(self._stream.receive())

    def run(self, circuit: Circuit, **fields: Unpack[RunFields]) -> Result:
        """Run a circuit and return its result."""
        return drive(self._stream.run(circuit, **fields))

    def map(self, circuits: Iterable[Circuit], **fields: Unpack[RunFields]) -> Iterator[Result]:
        """Run circuits, many at a time, and yield their results in order."""
        return iterate(self._stream.map(circuits, **fields))
