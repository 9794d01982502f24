"""Bell jobs on a server that runs a wide circuit on all cores, compared with a quiet server."""

import time
from collections.abc import Awaitable, Callable

from benchmarks.figures import Finding, Target, percentile, ratio
from benchmarks.rounds import interleaved
from benchmarks.service import TIMEOUT_SECONDS, Client, milliseconds, serving
from benchmarks.workloads import BELL, measured, wide
from thequantcloud.v1 import job_pb2

JOBS = 100
QUBITS = 26
BACKENDS = (None, "aer_simulator")


async def run(rounds: int) -> list[Finding]:
    found: list[Finding] = []
    async with serving("--no-envoy") as client:
        for backend in BACKENDS:

            async def p99(backend: str | None = backend) -> float:
                jobs = [await client.run_and_watch(BELL, backend) for _ in range(JOBS)]
                return percentile(milliseconds(jobs), 99)

            async def crowded(p99: Callable[[], Awaitable[float]] = p99) -> float:
                return await _in_a_crowd(client, p99)

            times = await interleaved({"ours": crowded, "bare": p99}, rounds)
            found.append(
                ratio(
                    f"crowded {backend or 'any backend'}",
                    f"Bell jobs on {backend or 'any backend'}, one at a time: p99 while a circuit "
                    f"of {QUBITS} qubits has all cores / on the same server when it is quiet",
                    ours=times["ours"],
                    bare=times["bare"],
                    unit="ms",
                    target=Target("<=", 2),
                )
            )
    return found


async def _in_a_crowd(client: Client, jobs: Callable[[], Awaitable[float]]) -> float:
    """Return what `jobs` return while a wide circuit runs."""
    job = await client.submit(measured(QUBITS, wide(QUBITS)), None)
    watch = job_pb2.WatchJobRequest(id=job)
    events = client.jobs.WatchJob(watch, metadata=client.metadata, timeout=TIMEOUT_SECONDS)
    async for event in events:
        if event.job.status == job_pb2.Job.running:
            break
    found = await jobs()
    ended = time.time()
    async for event in events:
        if event.job.status == job_pb2.Job.completed and event.occurred_at.seconds >= int(ended):
            return found
    raise AssertionError("the wide circuit ended before the Bell jobs")
