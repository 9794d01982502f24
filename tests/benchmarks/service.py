"""A real server for benchmarks, and a client of it over gRPC."""

import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import grpc.aio

from benchmarks.workloads import BELL, SHOTS
from quantcloud.backends.base import installed_backends
from support.server import Server
from thequantcloud.v1 import circuit_pb2, circuit_pb2_grpc, job_pb2, job_pb2_grpc

WORKERS = 2
PATIENCE_SECONDS = 60


class Watched(NamedTuple):
    """A job seen to its end. Times are of `time.time`, in seconds.

    `events` are the job's own times of its changes, by status.
    """

    submitting: float
    answered: float
    result: float
    events: dict[str, float]

    @property
    def seconds(self) -> float:
        """From submission to the result at the watcher."""
        return self.result - self.submitting


class Client:
    """One account on a server."""

    def __init__(self, channel: grpc.aio.Channel, token: str) -> None:
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._circuits = circuit_pb2_grpc.CircuitServiceStub(channel)
        self._jobs = job_pb2_grpc.JobServiceStub(channel)

    async def run(
        self, qasm: str, backend: str, shots: int = SHOTS, *, story: bool = False
    ) -> Watched:
        """Submit a circuit and watch its job to its result, which is checked.

        With `story` the watch tells of every change, else of those from where it finds the job.
        """
        request = circuit_pb2.RunCircuitRequest(qasm=qasm, backend=backend, shots=shots)
        submitting = time.time()
        job = await self._circuits.RunCircuit(request, metadata=self._metadata)
        answered = time.time()
        watch = job_pb2.WatchJobRequest(
            id=job.job_id, after_sequence=0 if story else None, with_result=True
        )
        events: dict[str, float] = {}
        last = None
        async for event in self._jobs.WatchJob(
            watch, metadata=self._metadata, timeout=PATIENCE_SECONDS
        ):
            status = job_pb2.Job.Status.Name(event.job.status)
            events[status] = event.occurred_at.ToNanoseconds() / 1e9
            last = event
        result = time.time()
        if last is None or sum(last.result.counts.values()) != shots:
            raise AssertionError(f"job {job.job_id} has no result: {last}")
        return Watched(submitting, answered, result, events)


@asynccontextmanager
async def serving(*options: str) -> AsyncGenerator[Client]:
    """A server with `WORKERS` workers and an empty database, warm; an account of its highest tier.

    `options` are further ones of `quantcloud serve`.
    """
    with tempfile.TemporaryDirectory(prefix="quantcloud-bench-") as folder:
        server = Server(Path(folder) / "data", "--workers", str(WORKERS), *options)
        with server:
            async with grpc.aio.insecure_channel(server.endpoints.grpc) as channel:
                client = Client(channel, server.token(tier="enterprise"))
                for name, backend in installed_backends().items():
                    # The last answer shows that all simulators are imported.
                    if backend.offline_reason() is None:
                        await client.run(BELL, name)
                yield client


def bare_arguments(backend: str) -> dict[str, object]:
    """The contestant that parses, runs and counts a Bell circuit as a worker does."""
    return {"backend": backend, "method": "statevector", "qasm": BELL, "shots": SHOTS}


def milliseconds(jobs: Sequence[Watched]) -> list[float]:
    """Each job's time from submission to its result at the watcher."""
    return [job.seconds * 1e3 for job in jobs]
