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
PATIENCE_SECONDS = 60
TESTS = Path(__file__).parents[1]


class Watched(NamedTuple):
    """A job seen to its end. Times are of `time.time`, in seconds."""

    id: str
    submitting: float
    result: float

    @property
    def seconds(self) -> float:
        """From submission to the result at the watcher."""
        return self.result - self.submitting


class Client:
    """One account on a server; `endpoints` are that server's."""

    def __init__(self, channel: grpc.aio.Channel, token: str, endpoints: Endpoints) -> None:
        self.token = token
        self.endpoints = endpoints
        self.metadata = (("authorization", f"Bearer {token}"),)
        self.circuits = circuit_pb2_grpc.CircuitServiceStub(channel)
        self.jobs = job_pb2_grpc.JobServiceStub(channel)

    async def submit(self, qasm: str, backend: str | None, shots: int = SHOTS) -> str:
        """Submit a circuit, to the router without a backend; the job's id."""
        request = circuit_pb2.RunCircuitRequest(qasm=qasm, backend=backend, shots=shots)
        return (await self.circuits.RunCircuit(request, metadata=self.metadata)).job_id

    async def run_and_watch(
        self, qasm: str, backend: str | None = None, shots: int = SHOTS
    ) -> Watched:
        """Submit a circuit and watch its job to its result, which is checked, in one call."""
        submitting = time.time()
        request = circuit_pb2.RunCircuitRequest(qasm=qasm, backend=backend, shots=shots)
        call = self.circuits.RunAndWatch(request, metadata=self.metadata, timeout=PATIENCE_SECONDS)
        return await _watched(call, shots, submitting)

    async def run_stream(self, qasm: str, backend: str, number: int, in_flight: int) -> None:
        """Submit a circuit as many times on one stream, so many of them at any time, each watched
        to its result, which is checked.
        """
        circuit = circuit_pb2.RunCircuitRequest(qasm=qasm, backend=backend, shots=SHOTS)
        call = self.circuits.RunStream(metadata=self.metadata, timeout=PATIENCE_SECONDS)
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
        """The same in two calls, RunCircuit and WatchJob."""
        submitting = time.time()
        job = await self.submit(qasm, backend, shots)
        watch = job_pb2.WatchJobRequest(id=job, with_result=True)
        call = self.jobs.WatchJob(watch, metadata=self.metadata, timeout=PATIENCE_SECONDS)
        return await _watched(call, shots, submitting)

    async def story(self, job: str) -> dict[str, float]:
        """The times of a finished job's changes by status, in seconds as `time.time` has them."""
        watch = job_pb2.WatchJobRequest(id=job, after_sequence=0)
        events = self.jobs.WatchJob(watch, metadata=self.metadata, timeout=PATIENCE_SECONDS)
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
    """Make as many calls, so many of them at any time."""
    left = iter(range(number))

    async def user() -> None:
        for _ in left:
            await call()

    async with asyncio.TaskGroup() as users:
        for _ in range(in_flight):
            users.create_task(user())


@asynccontextmanager
async def serving(*options: str, program: Sequence[str] = Server.program) -> AsyncGenerator[Client]:
    """A server with `WORKERS` workers and an empty database, warm; an account of its highest tier.

    `options` are further ones of `quantcloud serve`, `program` is one that is run in its place.
    """
    with tempfile.TemporaryDirectory(prefix="quantcloud-bench-") as folder:
        server = Server(
            Path(folder) / "data", "--workers", str(WORKERS), *options, PYTHONPATH=str(TESTS)
        )
        server.program = program
        with server:
            async with grpc.aio.insecure_channel(server.endpoints.grpc) as channel:
                client = Client(channel, server.token(tier="enterprise"), server.endpoints)
                await warm_up(client)
                yield client


async def warm_up(client: Client) -> None:
    """Run a job on each backend; the last answer shows that all simulators are imported."""
    for name, backend in installed_backends().items():
        if backend.offline_reason() is None:
            await client.run(BELL, name)


def bare_arguments(backend: str) -> dict[str, object]:
    """The contestant that parses, runs and counts a Bell circuit as a worker does."""
    return {"backend": backend, "method": "statevector", "qasm": BELL, "shots": SHOTS}


def milliseconds(jobs: Sequence[Watched]) -> list[float]:
    """Each job's time from submission to its result at the watcher."""
    return [job.seconds * 1e3 for job in jobs]
