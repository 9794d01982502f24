"""The client for programs that use asyncio."""

import os
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from typing import Any, Self, Unpack

from quantcloud.client.jobs.run_stream import AsyncRunStream
from quantcloud.client.jobs.submitted import AsyncBatch, AsyncJob, new_key, submit, submit_all
from quantcloud.client.jobs.watch import JobWatch, all_events
from quantcloud.client.messages.parsing import parse
from quantcloud.client.messages.requests import (
    Circuit,
    JobFilters,
    RunFields,
    SweepFields,
    run_request,
)
from quantcloud.client.messages.results import Drawing, Result
from quantcloud.client.messages.sweeps import Observable, Sweep, Values
from quantcloud.client.messages.views import Event, Progress
from quantcloud.client.network.calls import RETRY_SECONDS, Caller, Deadline, OnWait
from quantcloud.client.network.connection import Connection, resolve
from quantcloud.client.network.transport import Concurrent, Transport
from thequantcloud.v1 import account_pb2, api_key_pb2, backend_pb2, circuit_pb2, job_pb2, status_pb2

_PAGE = 100


class AsyncClient:
    """A client of one server and account.

    `server` is HOST:PORT for the gRPC port, or the `https://` or `http://` address of Envoy.
    `token` is a JWT or an API key. Missing ones come from QUANTCLOUD_SERVER and
    QUANTCLOUD_TOKEN, or else from the profile that `quantcloud login` saves. `ca_file` has the
    certificates that may sign that of the server. `cert_file` and `key_file` are a certificate of
    this client.

    A call that fails because of the network, a restart or the rate limit is repeated for up to
    `retry_seconds`, if the server can get it twice without harm; `on_wait` is called before each
    pause, with the error and the seconds. Raises `NotConfigured`; each method raises
    `QuantCloudError`.
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
        transport: Callable[[Connection], Transport] = Concurrent,
    ) -> None:
        self.connection = resolve(server, token, ca_file, cert_file, key_file)
        self._caller = Caller(self.connection, transport(self.connection), retry_seconds, on_wait)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection."""
        await self._caller.transport.close()

    async def run(
        self,
        circuit: Circuit,
        *,
        timeout: float | None = None,
        progress: Progress | None = None,
        idempotency_key: str | None = None,
        **fields: Unpack[RunFields],
    ) -> Result:
        """Run a circuit, wait for its end, and return its result.

        `timeout` is in seconds; the job goes on after it. `progress` is called with each event.
        Raises `JobEnded` if the job has no result, and `WaitTimeout`.
        """
        request = run_request(circuit, fields)
        key = idempotency_key or new_key()
        return await JobWatch(self._caller, Deadline(timeout), request=request, key=key).result(
            progress
        )

    async def sweep(
        self,
        circuit: Circuit,
        parameters: Mapping[str, Values],
        **fields: Unpack[SweepFields],
    ) -> Sweep:
        """Run a circuit at many points as one job, and return the results at all of them.

        `parameters` has for each input of the circuit its values, one for each point. An input with
        one value, or one row, has it at all points. Otherwise like `run`.
        """
        result = await self.run(circuit, parameters=parameters, **fields)
        return Sweep(result.message.sweep)

    async def estimate(
        self,
        circuit: Circuit,
        observables: Observable | list[Observable],
        parameters: Mapping[str, Values] | None = None,
        **fields: Unpack[SweepFields],
    ) -> Sweep:
        """Return expectation values of observables, at every point of `parameters` if given.

        They are exact where a backend can compute them so, unless `shots` or `precision` is given.
        `gradient` and `variances` ask for these, too. Otherwise like `sweep`.
        """
        listed = observables if isinstance(observables, list) else [observables]
        result = await self.run(circuit, observables=listed, parameters=parameters or {}, **fields)
        return Sweep(result.message.sweep)

    async def submit(
        self, circuit: Circuit, *, idempotency_key: str | None = None, **fields: Unpack[RunFields]
    ) -> AsyncJob:
        """Submit a circuit and return its job as soon as it is stored."""
        return await submit(self._caller, run_request(circuit, fields), idempotency_key)

    async def batch(
        self,
        circuits: Iterable[Circuit | Mapping[str, Any]],
        *,
        idempotency_key: str | None = None,
        **fields: Unpack[RunFields],
    ) -> AsyncBatch:
        """Submit any number of circuits: all or none of each 1,000, which are one request.

        An item is a circuit, or a mapping with `circuit` and arguments that replace `fields`. The
        `field` of an error counts the circuits of its request. The requests after the first have
        keys of their own, made of `idempotency_key` and the number of circuits before.
        """
        if isinstance(circuits, str):
            raise TypeError("a batch is a list of circuits, is one text")
        requests = [_request(each, fields) for each in circuits]
        return await submit_all(self._caller, requests, idempotency_key)

    async def plan(
        self, circuit: Circuit, **fields: Unpack[RunFields]
    ) -> circuit_pb2.PlanCircuitResponse:
        """Return the backend that would run the circuit, the reasons and the cost. Runs nothing."""
        return await self._caller.call(
            self._caller.circuits.PlanCircuit, run_request(circuit, fields)
        )

    async def draw(self, circuit: Circuit) -> Drawing:
        """Return a drawing of the circuit, with its analysis. Runs nothing."""
        request = circuit_pb2.DrawCircuitRequest(qasm=run_request(circuit, {}).qasm)
        return Drawing(await self._caller.call(self._caller.circuits.DrawCircuit, request))

    def stream(self, **fields: Unpack[RunFields]) -> AsyncRunStream:
        """Return a stream for many small circuits; use it with `async with`.

        `fields` are the arguments of each run that does not give its own.
        """
        return AsyncRunStream(self._caller, fields)

    async def job(self, job_id: str) -> AsyncJob:
        """Return a job by its id."""
        return await AsyncJob(self._caller, job_pb2.Job(job_id=job_id)).refresh()

    async def jobs(
        self,
        *,
        status: str | Sequence[str] = (),
        limit: int | None = None,
        **filters: Unpack[JobFilters],
    ) -> AsyncGenerator[AsyncJob]:
        """Yield the account's jobs that fit all filters, newest first, at most `limit`."""
        statuses = [status] if isinstance(status, str) else [*status]
        request = job_pb2.ListJobsRequest(limit=min(limit or _PAGE, _PAGE), **filters)
        parse({"status": statuses}, request)
        async for each in self._pages(self._caller.jobs.ListJobs, request, "jobs", limit):
            yield AsyncJob(self._caller, each)

    async def events(self) -> AsyncGenerator[Event]:
        """Yield the events of all jobs of the account from now on, without end."""
        async for event in all_events(self._caller, Deadline(None)):
            yield event

    async def backends(self) -> list[backend_pb2.Backend]:
        """Return all backends by name. Needs no token."""
        request = backend_pb2.ListBackendsRequest()
        answer = await self._caller.call(self._caller.backends.ListBackends, request, anyone=True)
        return list(answer.backends)

    async def status(self) -> status_pb2.GetStatusResponse:
        """Return the status of the platform and its backends. Needs no token."""
        request = status_pb2.GetStatusRequest()
        return await self._caller.call(self._caller.platform.GetStatus, request, anyone=True)

    async def health(self) -> status_pb2.GetHealthResponse:
        """Return the server's version and time. Raises `Unavailable` if it takes no jobs."""
        request = status_pb2.GetHealthRequest()
        return await self._caller.call(self._caller.platform.GetHealth, request, anyone=True)

    async def usage(self) -> account_pb2.GetUsageResponse:
        """Return this month's usage and the limits of the account."""
        request = account_pb2.GetUsageRequest()
        return await self._caller.call(self._caller.accounts.GetUsage, request)

    async def circuits(self, *, limit: int | None = None) -> AsyncGenerator[circuit_pb2.Circuit]:
        """Yield the saved circuits, newest first, at most `limit`."""
        request = circuit_pb2.ListCircuitsRequest(limit=min(limit or _PAGE, _PAGE))
        call = self._caller.circuits.ListCircuits
        async for each in self._pages(call, request, "circuits", limit):
            yield each

    async def circuit(self, circuit_id: str) -> circuit_pb2.Circuit:
        """Return a saved circuit by its id."""
        request = circuit_pb2.GetCircuitRequest(id=circuit_id)
        return await self._caller.call(self._caller.circuits.GetCircuit, request)

    async def save_circuit(
        self, name: str, circuit: Circuit, *, metadata: Mapping[str, Any] | None = None
    ) -> circuit_pb2.Circuit:
        """Save a circuit without running it, with any `metadata` of yours."""
        qasm = run_request(circuit, {}).qasm
        content = {"name": name, "qasm": qasm, "metadata": dict(metadata or {})}
        request = parse(content, circuit_pb2.CreateCircuitRequest())
        call = self._caller.circuits.CreateCircuit
        return await self._caller.call(call, request, again=False)

    async def update_circuit(
        self,
        circuit_id: str,
        *,
        name: str | None = None,
        circuit: Circuit | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> circuit_pb2.Circuit:
        """Change a saved circuit. The other fields stay as they are."""
        qasm = None if circuit is None else run_request(circuit, {}).qasm
        fields = {"name": name, "qasm": qasm, "metadata": metadata and dict(metadata)}
        content = {key: value for key, value in fields.items() if value is not None}
        request = parse({"id": circuit_id, **content}, circuit_pb2.UpdateCircuitRequest())
        return await self._caller.call(self._caller.circuits.UpdateCircuit, request)

    async def delete_circuit(self, circuit_id: str) -> None:
        """Delete a saved circuit."""
        request = circuit_pb2.DeleteCircuitRequest(id=circuit_id)
        await self._caller.call(self._caller.circuits.DeleteCircuit, request, again=False)

    async def keys(self) -> list[api_key_pb2.ApiKey]:
        """Return the active API keys, newest first. Needs a JWT."""
        request = api_key_pb2.ListApiKeysRequest()
        answer = await self._caller.call(self._caller.keys.ListApiKeys, request)
        return list(answer.api_keys)

    async def create_key(self, name: str) -> api_key_pb2.CreateApiKeyResponse:
        """Create an API key. Only this answer has the key itself. Needs a JWT."""
        request = api_key_pb2.CreateApiKeyRequest(name=name)
        return await self._caller.call(self._caller.keys.CreateApiKey, request, again=False)

    async def revoke_key(self, key_id: str) -> None:
        """Revoke an API key by its id. Needs a JWT."""
        request = api_key_pb2.RevokeApiKeyRequest(id=key_id)
        await self._caller.call(self._caller.keys.RevokeApiKey, request, again=False)

    async def _pages(
        self, method: Any, request: Any, field: str, limit: int | None
    ) -> AsyncGenerator[Any]:
        """Yield the items of all pages, at most `limit`."""
        left = limit
        while left is None or left > 0:
            answer = await self._caller.call(method, request)
            for item in list(getattr(answer, field))[:left]:
                yield item
            if not answer.next_page_token:
                return
            if left is not None:
                left -= answer.count
            request.page_token = answer.next_page_token


def _request(
    item: Circuit | Mapping[str, Any], fields: Mapping[str, Any]
) -> circuit_pb2.RunCircuitRequest:
    if not isinstance(item, Mapping):
        return run_request(item, fields)
    own = dict(item)
    if "circuit" not in own:
        raise TypeError("an item of a batch needs a `circuit`")
    return run_request(own.pop("circuit"), {**fields, **own})
