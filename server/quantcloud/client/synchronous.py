"""The client for programs without asyncio. It runs the code of `AsyncClient`; see `transport`."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self, Unpack

from quantcloud.client.asynchronous import AsyncClient
from quantcloud.client.calls import RETRY_SECONDS, OnWait
from quantcloud.client.connection import Connection
from quantcloud.client.jobs import AsyncBatch, AsyncJob
from quantcloud.client.requests import Circuit, JobFilters, RunFields
from quantcloud.client.results import Result
from quantcloud.client.run_stream import AsyncRunStream
from quantcloud.client.transport import Blocking, blocking, drive, iterate
from quantcloud.client.views import Event, JobView
from thequantcloud.v1 import circuit_pb2, job_pb2


class Job(JobView):
    """A job of a `Client`. Its methods are those of `AsyncJob`."""

    def __init__(self, job: AsyncJob) -> None:
        self._async = job

    @property
    def message(self) -> job_pb2.Job:  # pyright: ignore[reportIncompatibleVariableOverride]  # read only
        return self._async.message

    def refresh(self) -> "Job":
        """Ask the server for the job as it is now, and return this job."""
        drive(self._async.refresh())
        return self

    def rerun(self, *, idempotency_key: str | None = None) -> "Job":
        """Submit the circuit again, for the same counts; see `AsyncJob.rerun`."""
        return Job(drive(self._async.rerun(idempotency_key=idempotency_key)))

    def events(self, *, after_sequence: int = 0, timeout: float | None = None) -> Iterator[Event]:
        """Yield each event up to the last, as it happens; see `AsyncJob.events`."""
        return iterate(self._async.events(after_sequence=after_sequence, timeout=timeout))

    result = blocking(AsyncJob.result)
    partial_result = blocking(AsyncJob.partial_result)
    cancel = blocking(AsyncJob.cancel)
    circuit = blocking(AsyncJob.circuit)


class Batch(Sequence[Job]):
    """The jobs of a batch, in the order of the circuits; see `AsyncBatch`."""

    def __init__(self, batch: AsyncBatch) -> None:
        self._async = batch
        self.id, self.ids = batch.id, batch.ids
        self._jobs = [Job(each) for each in batch]

    def __getitem__(self, index: int) -> Job:  # pyright: ignore[reportIncompatibleMethodOverride]  # no slices
        return self._jobs[index]

    def __len__(self) -> int:
        return len(self._jobs)

    results = blocking(AsyncBatch.results)
    outcomes = blocking(AsyncBatch.outcomes)


class RunStream:
    """A stream of circuits; see `AsyncRunStream`."""

    def __init__(self, stream: AsyncRunStream) -> None:
        self._async = stream

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def map(self, circuits: Iterable[Circuit], **fields: Unpack[RunFields]) -> Iterator[Result]:
        """Run circuits, many at a time, and yield their results in order."""
        return iterate(self._async.map(circuits, **fields))

    close = blocking(AsyncRunStream.close)
    send = blocking(AsyncRunStream.send)
    receive = blocking(AsyncRunStream.receive)
    run = blocking(AsyncRunStream.run)


class Client:
    """A client of one server and account, for any number of threads.

    Its arguments and methods are those of `AsyncClient`.
    """

    def __init__(
        self,
        server: str | None = None,
        token: str | None = None,
        *,
        ca_file: str | os.PathLike[str] | None = None,
        cert_file: str | os.PathLike[str] | None = None,
        key_file: str | os.PathLike[str] | None = None,
        retry_seconds: float = RETRY_SECONDS,
        on_wait: OnWait | None = None,
    ) -> None:
        self._async = AsyncClient(
            server,
            token,
            ca_file=ca_file,
            cert_file=cert_file,
            key_file=key_file,
            retry_seconds=retry_seconds,
            on_wait=on_wait,
            transport=Blocking,
        )

    @property
    def connection(self) -> Connection:
        """The server and the credentials that the client uses."""
        return self._async.connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(
        self, circuit: Circuit, *, idempotency_key: str | None = None, **fields: Unpack[RunFields]
    ) -> Job:
        """Submit a circuit and return its job as soon as it is stored."""
        return Job(drive(self._async.submit(circuit, idempotency_key=idempotency_key, **fields)))

    def batch(
        self,
        circuits: Iterable[Circuit | Mapping[str, Any]],
        *,
        idempotency_key: str | None = None,
        **fields: Unpack[RunFields],
    ) -> Batch:
        """Submit any number of circuits at once; see `AsyncClient.batch`."""
        work = self._async.batch(circuits, idempotency_key=idempotency_key, **fields)
        return Batch(drive(work))

    def stream(self, **fields: Unpack[RunFields]) -> RunStream:
        """Return a stream for many small circuits; use it with `with`."""
        return RunStream(self._async.stream(**fields))

    def job(self, job_id: str) -> Job:
        """Return a job by its id."""
        return Job(drive(self._async.job(job_id)))

    def jobs(
        self,
        *,
        status: str | Sequence[str] = (),
        limit: int | None = None,
        **filters: Unpack[JobFilters],
    ) -> Iterator[Job]:
        """Yield the account's jobs that fit all filters, newest first, at most `limit`."""
        return map(Job, iterate(self._async.jobs(status=status, limit=limit, **filters)))

    def events(self) -> Iterator[Event]:
        """Yield the events of all jobs of the account from now on, without end."""
        return iterate(self._async.events())

    def circuits(self, *, limit: int | None = None) -> Iterator[circuit_pb2.Circuit]:
        """Yield the saved circuits, newest first, at most `limit`."""
        return iterate(self._async.circuits(limit=limit))

    close = blocking(AsyncClient.close)
    run = blocking(AsyncClient.run)
    sweep = blocking(AsyncClient.sweep)
    estimate = blocking(AsyncClient.estimate)
    plan = blocking(AsyncClient.plan)
    draw = blocking(AsyncClient.draw)
    backends = blocking(AsyncClient.backends)
    status = blocking(AsyncClient.status)
    health = blocking(AsyncClient.health)
    usage = blocking(AsyncClient.usage)
    circuit = blocking(AsyncClient.circuit)
    save_circuit = blocking(AsyncClient.save_circuit)
    update_circuit = blocking(AsyncClient.update_circuit)
    delete_circuit = blocking(AsyncClient.delete_circuit)
    keys = blocking(AsyncClient.keys)
    create_key = blocking(AsyncClient.create_key)
    revoke_key = blocking(AsyncClient.revoke_key)
