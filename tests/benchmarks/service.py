"""A real server for benchmarks, and a client of it over gRPC."""

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import grpc.aio

from benchmarks.workloads import BELL, SHOTS
from quantcloud.backends.base import installed_backends
from quantcloud.endpoints import Endpoints
from support.server import Server
from thequantcloud.v1 import circuit_pb2, circuit_pb2_grpc, job_pb2, job_pb2_grpc

WORKERS = 2
TIMEOUT_SECONDS = 60
TESTS = Path(__file__).parents[1]


class Watched(NamedTuple):
    """A job that was watched to its end. Times are of `time.time`, in seconds."""

    id: str
    submitting: float
    result: float

    @property
    def seconds(self) -> float:
        """The time from the submission to the result at the watcher."""
        return self.result - self.submitting


class Client:
    """A client of one account; `endpoints` are the server's addresses."""

    def __init__(self, channel: grpc.aio.Channel, token: str, endpoints: Endpoints) -> None:
        self.token = token
        self.endpoints = endpoints
        self.metadata = (("authorization", f"Bearer {token}"),)
        self.circuits = circuit_pb2_grpc.CircuitServiceStub(channel)
        self.jobs = job_pb2_grpc.JobServiceStub(channel)

    async def submit(self, qasm: str, backend: str | None, shots: int = SHOTS) -> str:
        """Submit a circuit and return the job's id. Without a backend, the router chooses."""
        request = circuit_pb2.RunCircuitRequest(qasm=qasm, backend=backend, shots=shots)
        return (await self.circuits.RunCircuit(request, metadata=self.metadata)).job_id

    async def run_and_watch(
        self, qasm: str, backend: str | None = None, shots: int = SHOTS
    ) -> Watched:
        """Submit a circuit and watch its job to its result in one call, and check the result."""
        submitting = time.time()
        request = circuit_pb2.RunCircuitRequest(qasm=qasm, backend=backend, shots=shots)
        call = self.circuits.RunAndWatch(request, metadata=self.metadata, timeout=TIMEOUT_SECONDS)
        return await _watched(call, shots, submitting)

    async def run_stream(self, qasm: str, backend: str, number: int, in_flight: int) -> None:
        """Submit a circuit `number` times on one stream, with `in_flight` jobs at a time.

        Each job is watched to its result, which is checked.
        """
        circuit = circuit_pb2.RunCircuitRequest(qasm=qasm, backend=backend, shots=SHOTS)
        call = self.circuits.RunStream(metadata=self.metadata, timeout=TIMEOUT_SECONDS)
        for _ in range(min(in_flight, number)):
            await call.write(circuit_pb2.RunStreamRequest(circuit=circuit))
        sent, ended = min(in_flight, number), set[int]()
        async for response in call:
            for answer in response.answers:
                if not answer.event.HasField("result"):
                    continue
                if sum(answer.event.result.counts.values()) != SHOTS:
                    raise AssertionError(answer)
                ended.add(answer.request)
                if sent < number:
                    await call.write(circuit_pb2.RunStreamRequest(circuit=circuit))
                    sent += 1
            if len(ended) == number:
                await call.done_writing()
        if ended != {*range(1, number + 1)}:
            raise AssertionError(f"{number - len(ended)} jobs have no result")

    async def run(self, qasm: str, backend: str | None = None, shots: int = SHOTS) -> Watched:
        """Do the same as `run_and_watch` in two calls, RunCircuit and WatchJob."""
        submitting = time.time()
        job = await self.submit(qasm, backend, shots)
        watch = job_pb2.WatchJobRequest(id=job, with_result=True)
        call = self.jobs.WatchJob(watch, metadata=self.metadata, timeout=TIMEOUT_SECONDS)
        return await _watched(call, shots, submitting)

    async def times(self, job: str) -> dict[str, float]:
        """Return the times of a finished job's changes, in seconds since 1970, by status."""
        watch = job_pb2.WatchJobRequest(id=job, after_sequence=0)
        events = self.jobs.WatchJob(watch, metadata=self.metadata, timeout=TIMEOUT_SECONDS)
        return {
            job_pb2.Job.Status.Name(event.job.status): event.occurred_at.ToNanoseconds() / 1e9
            async for event in events
        }


async def _watched(call: AsyncIterable[job_pb2.JobEvent], shots: int, submitting: float) -> Watched:
    last, result = None, 0.0
    async for event in call:
        last = event
        if event.HasField("result"):
            result = time.time()
    if last is None or sum(last.result.counts.values()) != shots:
        raise AssertionError(f"a job has no result: {last}")
    return Watched(last.job.job_id, submitting, result)


async def many(call: Callable[[], Awaitable[object]], number: int, in_flight: int) -> None:
    """Make `number` calls, with `in_flight` at a time."""
    left = iter(range(number))

    async def user() -> None:
        for _ in left:
            await call()

    async with asyncio.TaskGroup() as users:
        for _ in range(in_flight):
            users.create_task(user())


@asynccontextmanager
async def serving(
    *options: str, program: Sequence[str] = Server.program, **environment: str
) -> AsyncGenerator[Client]:
    """Start a server with `WORKERS` workers and an empty database, and warm it up.

    Yields a client on the highest tier. `options` are added to `quantcloud serve`, and
    `environment` adds settings; `program` runs instead of `quantcloud`.
    """
    with tempfile.TemporaryDirectory(prefix="quantcloud-bench-") as folder:
        server = Server(
            Path(folder) / "data", "--workers", str(WORKERS), *options,
            PYTHONPATH=str(TESTS), **environment,
        )  # fmt: skip
        server.program = program
        with server:
            async with grpc.aio.insecure_channel(server.endpoints.grpc) as channel:
                client = Client(channel, server.token(tier="enterprise"), server.endpoints)
                await warm_up(client)
                yield client


async def warm_up(client: Client) -> None:
    """Run a job on each backend, so that all simulators are imported."""
    for name, backend in installed_backends().items():
        if backend.offline_reason() is None:
            await client.run(BELL, name)


def bare_arguments(backend: str) -> dict[str, object]:
    """Return the arguments of a contestant that runs a Bell circuit as a worker does."""
    return {"backend": backend, "method": "statevector", "qasm": BELL, "shots": SHOTS}


def milliseconds(jobs: Sequence[Watched]) -> list[float]:
    """Return each job's milliseconds from submission to the result at the watcher."""
    return [job.seconds * 1e3 for job in jobs]
