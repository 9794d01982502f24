"""Results of very many outcomes: they arrive whole, and nobody else waits meanwhile."""

import asyncio
import time
from collections.abc import Awaitable

from benchmarks.bare import Contestant
from benchmarks.figures import Finding, Target, spread
from benchmarks.http2 import Connection
from benchmarks.service import serving

OUTCOMES = 100_000
CALLS_PER_SECOND = 1000
QUIET_SECONDS = 1.0
# Of rounds there are fewer than elsewhere: each takes seconds.
ROUNDS = 4
_HEALTH = "/thequantcloud.v1.StatusService/GetHealth"


async def run(rounds: int) -> list[Finding]:
    quiet: list[float] = []
    busy: list[float] = []
    seconds: list[float] = []
    async with serving() as client:
        told = {"grpc": client.endpoints.grpc, "http": client.endpoints.http}
        async with Contestant("many_outcomes", token=client.token, outcomes=OUTCOMES,
                              **told) as fetching:  # fmt: skip
            await fetching.seconds(1)
            for _ in range(min(rounds, ROUNDS)):
                probe = await Connection.open(client.endpoints.grpc, _HEALTH, client.token)
                quiet.append(await _longest(probe, asyncio.sleep(QUIET_SECONDS)))
                taking = asyncio.ensure_future(fetching.seconds(1))
                busy.append(await _longest(probe, taking))
                seconds.append(taking.result())
                probe.close()
    return [
        Finding(
            "outcomes",
            f"a job of {OUTCOMES} distinct outcomes, from submission until its result has come "
            "by WatchJob, by GetJobResult, over REST and over SSE, each whole",
            spread(seconds, "s"),
        ),
        Finding(
            "outcomes blocked",
            f"the longest of {CALLS_PER_SECOND} calls of GetHealth a second meanwhile, "
            "which wait while the event loop is blocked (bare: while the server is idle)",
            spread(busy, "ms"),
            Target("<=", 20),
            spread(busy, "ms"),
            spread(quiet, "ms"),
        ),
    ]


async def _longest(probe: Connection, meanwhile: Awaitable[object]) -> float:
    """Milliseconds of the longest call until `meanwhile` is done."""
    done = asyncio.ensure_future(meanwhile)
    begun: dict[int, float] = {}
    due = time.monotonic()
    while not done.done():
        due = max(due + 1 / CALLS_PER_SECOND, time.monotonic() - 1)
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        begun[probe.request(b"")] = time.monotonic()
    await probe.heard(list(begun), 1)
    return max(probe.arrivals[stream][0] - at for stream, at in begun.items()) * 1e3
