"""REST through Envoy compared with gRPC, and with an HTTP server as users write one."""

import asyncio
import json
import os
import sys
import time
from functools import partial

from benchmarks.bare import program
from benchmarks.clients import wrk
from benchmarks.clients.http1 import Connection as Http1
from benchmarks.clients.http2 import Connection as Http2
from benchmarks.figures import Finding, Target, percentile, ratio
from benchmarks.rounds import interleaved
from benchmarks.service import Client, milliseconds, serving
from benchmarks.workloads import BELL, SHOTS
from support.processes import command, descendants
from thequantcloud.v1 import job_pb2

BACKEND = "local_simulator"
JOBS = 50
IN_FLIGHT = 16
CALLS = 640
CONNECTIONS = 64
SECONDS = 1
_POLL_SECONDS = 0.1
# A calibration does not go on for so long after a job.
_PAUSED_SECONDS = 1.0
_RUN = "/v1/circuits/run-and-watch"
_GET = "/thequantcloud.v1.JobService/GetJob"
_REQUEST = {"qasm": BELL, "backend": BACKEND, "shots": SHOTS}


async def run(rounds: int) -> list[Finding]:
    async with serving() as client:
        findings = [
            await _latency(client, rounds),
            await _rate(client, rounds),
            await _calibrating(client, rounds),
        ]
        if wrk.is_installed():
            return [*findings, *await _against_handler(client, rounds)]
    sys.stderr.write("rest: not compared with FastAPI, because wrk is not installed\n")
    return findings


async def _latency(client: Client, rounds: int) -> Finding:
    rest = await Http1.open(client.endpoints.http, client.token)

    async def ours() -> float:
        return percentile([await _job(rest) for _ in range(JOBS)], 50)

    async def bare() -> float:
        jobs = [await client.run_and_watch(BELL, BACKEND) for _ in range(JOBS)]
        return percentile(milliseconds(jobs), 50)

    medians = await interleaved({"ours": ours, "bare": bare}, rounds)
    rest.close()
    return ratio(
        "rest latency",
        f"Bell job on {BACKEND} by RunAndWatch, one at a time on one connection: p50 from "
        "submission to the result at the watcher, over REST through Envoy / over gRPC",
        ours=medians["ours"],
        bare=medians["bare"],
        unit="ms",
        target=Target("<=", 1.15),
    )


async def _job(rest: Http1) -> float:
    """Return the milliseconds of one job, to the event with its result."""
    began, arrived, last = time.perf_counter(), 0.0, b""
    async for event in rest.events(_RUN, _REQUEST):
        arrived, last = time.perf_counter(), event
    if sum(json.loads(last)["result"]["counts"].values()) != SHOTS:
        raise AssertionError(last)
    return (arrived - began) * 1e3


async def _calibrating(client: Client, rounds: int) -> Finding:
    """Compare a server whose first calibration runs with one that has none to do."""
    ours, bare = list[float](), list[float]()
    async with serving(QUANTCLOUD_ROUTER_CALIBRATE="true") as other:
        one = await Http1.open(other.endpoints.http, other.token)
        two = await Http1.open(client.endpoints.http, client.token)
        while not _calibrates():  # noqa: ASYNC110  # a process, not a task
            await asyncio.sleep(_POLL_SECONDS)
        for _ in range(rounds):
            # The calibration goes on a second after a job. So it runs when a round begins, and not
            # while the other server has its turn.
            await asyncio.sleep(2 * _PAUSED_SECONDS)
            ours.append(percentile([await _job(one) for _ in range(6 * JOBS)], 50))
            began = time.perf_counter()
            bare.append(percentile([await _job(two) for _ in range(JOBS)], 50))
            if time.perf_counter() - began > _PAUSED_SECONDS or not _calibrates():
                raise AssertionError("the calibration did not pause, or has ended")
        one.close()
        two.close()
    return ratio(
        "rest calibrating",
        f"Bell job on {BACKEND} over REST, one at a time while the calibration of the first start "
        "is under way: p50 / on a server without one",
        ours=ours,
        bare=bare,
        unit="ms",
        target=Target("<=", 1.05),
    )


def _calibrates() -> bool:
    """Return whether a server that this process started has a calibration."""
    return any(" calibrate" in command(pid) for pid in descendants(os.getpid()))


async def _against_handler(client: Client, rounds: int) -> list[Finding]:
    """Compare with FastAPI. The client is in C, so that it takes little of the cores."""
    body = {"qasm": BELL, "shots": SHOTS}
    what = f"Bell job on {BACKEND} over REST, by RunAndWatch to the end of its events"
    other = "the same circuit run on Aer by a FastAPI handler in its event loop, nothing stored"
    async with program("benchmarks.programs.handler") as url:
        sides = {
            "ours": (client.endpoints.http + _RUN, _REQUEST),
            "bare": (url, body),
        }

        async def rate(side: str) -> float:
            load = await wrk.load(
                *sides[side], client.token, connections=CONNECTIONS, seconds=SECONDS
            )
            return load.rate

        async def p50(side: str) -> float:
            load = await wrk.load(*sides[side], client.token, connections=1, seconds=SECONDS)
            return load.p50

        rates = await interleaved({side: partial(rate, side) for side in sides}, rounds)
        medians = await interleaved({side: partial(p50, side) for side in sides}, rounds)
    return [
        ratio(
            "rest handler rate",
            f"{what}, {CONNECTIONS} connections: jobs a second / {other}",
            **rates,
            unit="/s",
            target=Target(">=", 2),
        ),
        ratio(
            "rest handler latency",
            f"{what}, one connection: p50 / {other}",
            **medians,
            unit="ms",
            target=Target("<=", 1.5),
        ),
    ]


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
