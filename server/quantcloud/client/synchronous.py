"""The client for programs without asyncio. It runs the code of `AsyncClient`; see `transport`."""

import os
from collections.abc import Iterator, Sequence
from typing import Self, Unpack

from quantcloud.client.asynchronous import AsyncClient
from quantcloud.client.jobs.run_stream import AsyncRunStream
from quantcloud.client.jobs.submitted import AsyncBatch, AsyncJob
from quantcloud.client.messages.requests import JobFilters, RunFields
from quantcloud.client.messages.views import JobView
from quantcloud.client.network.calls import RETRY_SECONDS, OnWait
from quantcloud.client.network.connection import Connection
from quantcloud.client.network.transport import (
    Blocking,
    blocking,
    drive,
    iterate,
    iterating,
    making,
)
from thequantcloud.v1 import job_pb2


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

    events = iterating(AsyncJob.events)
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

    close = blocking(AsyncRunStream.close)
    send = blocking(AsyncRunStream.send)
    receive = blocking(AsyncRunStream.receive)
    run = blocking(AsyncRunStream.run)
    map = iterating(AsyncRunStream.map)


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

    def stream(self, **fields: Unpack[RunFields]) -> RunStream:
        """Return a stream for many small circuits; use it with `with`."""
        return RunStream(self._async.stream(**fields))

    def jobs(
        self,
        *,
        status: str | Sequence[str] = (),
        limit: int | None = None,
        **filters: Unpack[JobFilters],
    ) -> Iterator[Job]:
        """Yield the account's jobs that fit all filters, newest first, at most `limit`."""
        return map(Job, iterate(self._async.jobs(status=status, limit=limit, **filters)))

    close = blocking(AsyncClient.close)
    submit = making(Job, AsyncClient.submit)
    batch = making(Batch, AsyncClient.batch)
    job = making(Job, AsyncClient.job)
    events = iterating(AsyncClient.events)
    circuits = iterating(AsyncClient.circuits)
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
