"""A batch of circuits compared with single submissions, on the fastest backend."""

import asyncio
import time

from benchmarks.figures import Finding, Target, ratio
from benchmarks.rounds import interleaved
from benchmarks.service import TIMEOUT_SECONDS, Client, many, serving
from benchmarks.workloads import BELL, SHOTS
from thequantcloud.v1 import circuit_pb2, job_pb2

BACKEND = "local_simulator"
CIRCUITS = 500
SINGLE = 128
IN_FLIGHT = 64


async def run(rounds: int) -> list[Finding]:
    async with serving("--no-envoy") as client:

        async def ours() -> float:
            began = time.perf_counter()
            await _batch(client)
            return CIRCUITS / (time.perf_counter() - began)

        async def bare() -> float:
            began = time.perf_counter()
            await many(lambda: client.run(BELL, BACKEND), SINGLE, IN_FLIGHT)
            return SINGLE / (time.perf_counter() - began)

        rates = await interleaved({"ours": ours, "bare": bare}, rounds)
    return [
        ratio(
            "batch",
            f"Bell jobs a second on {BACKEND}: {CIRCUITS} by one RunCircuits and one WatchJobs "
            f"with results / by RunCircuit and WatchJob each, {IN_FLIGHT} in flight",
            ours=rates["ours"],
            bare=rates["bare"],
            unit="/s",
            target=Target(">=", 3),
        )
    ]


async def _batch(client: Client) -> None:
    circuit = circuit_pb2.RunCircuitRequest(qasm=BELL, backend=BACKEND, shots=SHOTS)
    request = circuit_pb2.RunCircuitsRequest(circuits=[circuit] * CIRCUITS)
    batch = await client.circuits.RunCircuits(request, metadata=client.metadata)
    watch = job_pb2.WatchJobsRequest(
        after_cursor=batch.cursor,
        batch_id=batch.batch_id,
        status=[job_pb2.Job.completed],
        with_result=True,
    )
    missing = {job.job_id for job in batch.jobs}
    async with asyncio.timeout(TIMEOUT_SECONDS):
        call = client.jobs.WatchJobs(watch, metadata=client.metadata)
        async for response in call:
            for event in response.events:
                if sum(event.result.counts.values()) != SHOTS:
                    raise AssertionError(event)
                missing.remove(event.job.job_id)
            if not missing:
                break
        call.cancel()
