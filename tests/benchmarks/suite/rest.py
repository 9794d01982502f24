"""REST through Envoy compared with gRPC: the time of a job, and responses per second."""

import asyncio
import json
import time

from benchmarks.clients.http1 import Connection as Http1
from benchmarks.clients.http2 import Connection as Http2
from benchmarks.figures import Finding, Target, percentile, ratio, spread
from benchmarks.rounds import interleaved
from benchmarks.service import Client, milliseconds, serving
from benchmarks.workloads import BELL, SHOTS
from thequantcloud.v1 import job_pb2

BACKEND = "local_simulator"
JOBS = 50
IN_FLIGHT = 16
CALLS = 640
_GET = "/thequantcloud.v1.JobService/GetJob"


async def run(rounds: int) -> list[Finding]:
    async with serving() as client:
        return [await _latency(client, rounds), await _rate(client, rounds)]


async def _latency(client: Client, rounds: int) -> Finding:
    rest = await Http1.open(client.endpoints.http, client.token)

    async def ours() -> float:
        return percentile([await _job(rest) for _ in range(JOBS)], 50)

    async def bare() -> float:
        jobs = [await client.run(BELL, BACKEND) for _ in range(JOBS)]
        return percentile(milliseconds(jobs), 50)

    medians = await interleaved({"ours": ours, "bare": bare}, rounds)
    rest.close()
    more = [ours - bare for ours, bare in zip(medians["ours"], medians["bare"], strict=True)]
    return Finding(
        "rest latency",
        f"Bell job on {BACKEND}, one at a time: p50 from submission to the result at the watcher, "
        "over REST and SSE through Envoy - over gRPC",
        spread(more, "ms"),
        Target("<=", 1.5),
        spread(medians["ours"], "ms"),
        spread(medians["bare"], "ms"),
    )


async def _job(rest: Http1) -> float:
    """Return the milliseconds of one job."""
    began = time.perf_counter()
    request = {"qasm": BELL, "backend": BACKEND, "shots": SHOTS}
    job = (await rest.post("/v1/circuits/run", request))["job_id"]
    last = b""
    async for event in rest.events(f"/v1/jobs/{job}/events?with_result=true"):
        last = event
    took = (time.perf_counter() - began) * 1e3
    if sum(json.loads(last)["result"]["counts"].values()) != SHOTS:
        raise AssertionError(last)
    return took


async def _rate(client: Client, rounds: int) -> Finding:
    """Compare request rates. Both clients only write requests and wait for the response."""
    job = await client.submit(BELL, BACKEND)
    over_rest = [await Http1.open(client.endpoints.http, client.token) for _ in range(IN_FLIGHT)]
    over_grpc = await Http2.open(client.endpoints.grpc, _GET, client.token)
    message = job_pb2.GetJobRequest(id=job).SerializeToString()

    async def rest_user(connection: Http1) -> None:
        for _ in range(CALLS // IN_FLIGHT):
            await connection.get(f"/v1/jobs/{job}")

    async def grpc_user() -> None:
        for _ in range(CALLS // IN_FLIGHT):
            await over_grpc.received([over_grpc.request(message)], 1)

    async def ours() -> float:
        began = time.perf_counter()
        await asyncio.gather(*map(rest_user, over_rest))
        return CALLS / (time.perf_counter() - began)

    async def bare() -> float:
        began = time.perf_counter()
        await asyncio.gather(*(grpc_user() for _ in range(IN_FLIGHT)))
        return CALLS / (time.perf_counter() - began)

    rates = await interleaved({"ours": ours, "bare": bare}, rounds)
    for connection in (*over_rest, over_grpc):
        connection.close()
    return ratio(
        "rest rate",
        f"GET /v1/jobs/{{id}} a second, {IN_FLIGHT} in flight: through Envoy / GetJob over gRPC",
        ours=rates["ours"],
        bare=rates["bare"],
        unit="/s",
        target=Target(">=", 0.6),
    )
