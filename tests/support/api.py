"""A client of one account, over REST and gRPC."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import grpc
import httpx
from google.protobuf.json_format import ParseDict
from google.rpc import error_details_pb2  # noqa: F401  # the details of an event's error

from thequantcloud.v1 import (
    account_pb2_grpc,
    api_key_pb2_grpc,
    backend_pb2_grpc,
    circuit_pb2,
    circuit_pb2_grpc,
    job_pb2,
    job_pb2_grpc,
    status_pb2_grpc,
)

TIMEOUT_SECONDS = 60


def error_json(detail: str) -> dict[str, str]:
    """What every error over REST says; the server's own have `details` too."""
    return {"detail": detail, "error": detail}


class WatchEndedError(Exception):
    """A stream of server-sent events ended with an error."""


class Api:
    """Calls with `credential`, a JWT or an API key, as bearer token."""

    def __init__(self, channel: grpc.Channel, rest: httpx.Client, credential: str) -> None:
        self.channel = channel
        self.credential = credential
        self.headers = {"Authorization": f"Bearer {credential}"}
        self.metadata = (("authorization", f"Bearer {credential}"),)
        self._rest = rest
        self.timeout = TIMEOUT_SECONDS
        self.status = status_pb2_grpc.StatusServiceStub(channel)
        self.backends = backend_pb2_grpc.BackendServiceStub(channel)
        self.keys = api_key_pb2_grpc.ApiKeyServiceStub(channel)
        self.circuits = circuit_pb2_grpc.CircuitServiceStub(channel)
        self.jobs = job_pb2_grpc.JobServiceStub(channel)
        self.account = account_pb2_grpc.AccountServiceStub(channel)

    def rest(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """Make a REST call through Envoy."""
        headers = {**self.headers, **options.pop("headers", {})}
        if body is not None:
            options["json"] = body
        return self._rest.request(method, path, headers=headers, **options)

    def run(self, qasm: str, **fields: Any) -> str:
        """Submit over gRPC and return the job's id."""
        request = circuit_pb2.RunCircuitRequest(qasm=qasm, **fields)
        return self.circuits.RunCircuit(request, metadata=self.metadata).job_id

    def job(self, job_id: str) -> job_pb2.Job:
        """Return a job as it is now."""
        return self.jobs.GetJob(job_pb2.GetJobRequest(id=job_id), metadata=self.metadata)

    def cancel(self, job_id: str) -> None:
        self.jobs.CancelJob(job_pb2.CancelJobRequest(id=job_id), metadata=self.metadata)

    def watch(self, job_id: str, **fields: Any) -> Iterator[job_pb2.JobEvent]:
        """Watch a job over gRPC, from its first event unless `after_sequence` is given."""
        fields.setdefault("after_sequence", 0)
        request = job_pb2.WatchJobRequest(id=job_id, **fields)
        return self.jobs.WatchJob(request, metadata=self.metadata, timeout=self.timeout)

    def watch_all(self, **fields: Any) -> Any:
        """Watch all jobs over gRPC."""
        request = job_pb2.WatchJobsRequest(**fields)
        return self.jobs.WatchJobs(request, metadata=self.metadata, timeout=self.timeout)

    def cursor(self) -> str:
        """Return the cursor of a new watch of all jobs."""
        watch = self.watch_all()
        cursor = next(watch).cursor
        watch.cancel()
        return cursor

    def until(
        self, job_id: str, status: job_pb2.Job.Status, after_sequence: int = 0
    ) -> list[job_pb2.Job.Status]:
        """Wait until a job reaches `status`; return the statuses of its events up to then."""
        seen: list[job_pb2.Job.Status] = []
        for event in self.watch(job_id, after_sequence=after_sequence):
            seen.append(event.job.status)
            if seen[-1] == status:
                break
        return seen

    def finish(self, job_id: str) -> job_pb2.JobEvent:
        """Wait for a job's end; return its last event, with the result."""
        *_, last = self.watch(job_id, with_result=True)
        return last

    def run_and_watch(self, qasm: str, key: str | None = None, **fields: Any) -> Any:
        """Submit over gRPC and watch the job in the same call."""
        named = () if key is None else (("idempotency-key", key),)
        return self.circuits.RunAndWatch(
            circuit_pb2.RunCircuitRequest(qasm=qasm, **fields),
            metadata=(*self.metadata, *named), timeout=self.timeout,
        )  # fmt: skip

    def events(
        self, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[Any]:
        """Yield server-sent events through Envoy as they come; a `body` is sent with POST.

        They are WatchJobsResponses if the path is that of WatchJobs, and JobEvents otherwise.
        Raises `WatchEndedError` if the server ends the stream with an error.
        """
        of_all = path.startswith("/v1/jobs/events")
        for content in self.event_json(path, body, headers):
            event = ParseDict(
                content, job_pb2.WatchJobsResponse() if of_all else job_pb2.JobEvent()
            )
            if event.HasField("error"):
                raise WatchEndedError(event.error.message)
            yield event

    def event_json(
        self, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the JSON of server-sent events."""
        method = "GET" if body is None else "POST"
        headers = {**self.headers, **(headers or {})}
        with self._rest.stream(method, path, headers=headers, json=body) as response:
            assert response.status_code == httpx.codes.OK, response.read()
            assert response.headers["content-type"].startswith("text/event-stream")
            for line in response.iter_lines():
                if line.startswith("data:"):
                    yield json.loads(line.removeprefix("data:"))
