"""The client for programs without asyncio. It runs the code of `AsyncClient`; see `transport`."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, Unpack

from quantcloud.client.asynchronous import AsyncClient
from quantcloud.client.calls import RETRY_SECONDS, OnWait
from quantcloud.client.connection import Connection
from quantcloud.client.handles import Batch, Job, RunStream
from quantcloud.client.requests import Circuit, CommonFields, RunFields
from quantcloud.client.results import Drawing, Result
from quantcloud.client.sweeps import Observable, Sweep, Values
from quantcloud.client.transport import Blocking, drive, iterate
from quantcloud.client.views import Event
from quantcloud.client.watch import Progress
from thequantcloud.v1 import account_pb2, api_key_pb2, backend_pb2, circuit_pb2, status_pb2


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
        self._client = AsyncClient(
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
        return self._client.connection

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
        """Close the connection."""
        drive(self._client.close())

    def run(
        self,
        circuit: Circuit,
        *,
        timeout: float | None = None,
        progress: Progress | None = None,
        idempotency_key: str | None = None,
        **fields: Unpack[RunFields],
    ) -> Result:
        """Run a circuit, wait for its end, and return its result; see `AsyncClient.run`."""
        return drive(
            self._client.run(
                circuit,
                timeout=timeout,
                progress=progress,
                idempotency_key=idempotency_key,
                **fields,
            )
        )

    def sweep(
        self,
        circuit: Circuit,
        parameters: Mapping[str, Values],
        *,
        timeout: float | None = None,
        progress: Progress | None = None,
        idempotency_key: str | None = None,
        **fields: Unpack[CommonFields],
    ) -> Sweep:
        """Run a circuit at many points as one job; see `AsyncClient.sweep`."""
        return drive(
            self._client.sweep(
                circuit,
                parameters,
                timeout=timeout,
                progress=progress,
                idempotency_key=idempotency_key,
                **fields,
            )
        )

    def estimate(
        self,
        circuit: Circuit,
        observables: Observable | list[Observable],
        parameters: Mapping[str, Values] | None = None,
        *,
        timeout: float | None = None,
        progress: Progress | None = None,
        idempotency_key: str | None = None,
        **fields: Unpack[CommonFields],
    ) -> Sweep:
        """Return expectation values of observables; see `AsyncClient.estimate`."""
        return drive(
            self._client.estimate(
                circuit,
                observables,
                parameters,
                timeout=timeout,
                progress=progress,
                idempotency_key=idempotency_key,
                **fields,
            )
        )

    def submit(
        self, circuit: Circuit, *, idempotency_key: str | None = None, **fields: Unpack[RunFields]
    ) -> Job:
        """Submit a circuit and return its job as soon as it is stored."""
        return Job(drive(self._client.submit(circuit, idempotency_key=idempotency_key, **fields)))

    def batch(
        self,
        circuits: Iterable[Circuit | Mapping[str, Any]],
        *,
        idempotency_key: str | None = None,
        **fields: Unpack[RunFields],
    ) -> Batch:
        """Submit any number of circuits at once; see `AsyncClient.batch`."""
        work = self._client.batch(circuits, idempotency_key=idempotency_key, **fields)
        return Batch(drive(work))

    def plan(
        self, circuit: Circuit, **fields: Unpack[RunFields]
    ) -> circuit_pb2.PlanCircuitResponse:
        """Return the backend that would run the circuit, the reasons and the cost. Runs nothing."""
        return drive(self._client.plan(circuit, **fields))

    def draw(self, circuit: Circuit) -> Drawing:
        """Return a drawing of the circuit, with its analysis. Runs nothing."""
        return drive(self._client.draw(circuit))

    def stream(self, **fields: Unpack[RunFields]) -> RunStream:
        """Return a stream for many small circuits; use it with `with`."""
        return RunStream(self._client.stream(**fields))

    def job(self, job_id: str) -> Job:
        """Return a job by its id."""
        return Job(drive(self._client.job(job_id)))

    def jobs(
        self,
        *,
        status: str | Sequence[str] = (),
        backend: str | None = None,
        tag: str | None = None,
        name_prefix: str | None = None,
        submitted_after: datetime | None = None,
        submitted_before: datetime | None = None,
        limit: int | None = None,
    ) -> Iterator[Job]:
        """Yield the account's jobs that fit all filters, newest first, at most `limit`."""
        found = self._client.jobs(
            status=status,
            backend=backend,
            tag=tag,
            name_prefix=name_prefix,
            submitted_after=submitted_after,
            submitted_before=submitted_before,
            limit=limit,
        )
        return map(Job, iterate(found))

    def events(self) -> Iterator[Event]:
        """Yield the events of all jobs of the account from now on, without end."""
        return iterate(self._client.events())

    def backends(self) -> list[backend_pb2.Backend]:
        """Return all backends by name. Needs no token."""
        return drive(self._client.backends())

    def status(self) -> status_pb2.GetStatusResponse:
        """Return the status of the platform and its backends. Needs no token."""
        return drive(self._client.status())

    def health(self) -> status_pb2.GetHealthResponse:
        """Return the server's version and time. Raises `Unavailable` if it takes no jobs."""
        return drive(self._client.health())

    def usage(self) -> account_pb2.GetUsageResponse:
        """Return this month's usage and the limits of the account."""
        return drive(self._client.usage())

    def circuits(self, *, limit: int | None = None) -> Iterator[circuit_pb2.Circuit]:
        """Yield the saved circuits, newest first, at most `limit`."""
        return iterate(self._client.circuits(limit=limit))

    def circuit(self, circuit_id: str) -> circuit_pb2.Circuit:
        """Return a saved circuit by its id."""
        return drive(self._client.circuit(circuit_id))

    def save_circuit(
        self, name: str, circuit: Circuit, *, metadata: Mapping[str, Any] | None = None
    ) -> circuit_pb2.Circuit:
        """Save a circuit without running it, with any `metadata` of yours."""
        return drive(self._client.save_circuit(name, circuit, metadata=metadata))

    def update_circuit(
        self,
        circuit_id: str,
        *,
        name: str | None = None,
        circuit: Circuit | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> circuit_pb2.Circuit:
        """Change a saved circuit. The other fields stay as they are."""
        return drive(
            self._client.update_circuit(circuit_id, name=name, circuit=circuit, metadata=metadata)
        )

    def delete_circuit(self, circuit_id: str) -> None:
        """Delete a saved circuit."""
        drive(self._client.delete_circuit(circuit_id))

    def keys(self) -> list[api_key_pb2.ApiKey]:
        """Return the active API keys, newest first. Needs a JWT."""
        return drive(self._client.keys())

    def create_key(self, name: str) -> api_key_pb2.CreateApiKeyResponse:
        """Create an API key. Only this answer has the key itself. Needs a JWT."""
        return drive(self._client.create_key(name))

    def revoke_key(self, key_id: str) -> None:
        """Revoke an API key by its id. Needs a JWT."""
        drive(self._client.revoke_key(key_id))
