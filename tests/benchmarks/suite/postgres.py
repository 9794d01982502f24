"""Jobs on PostgreSQL, near and 1 ms away, and what a server pays for the jobs of another."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import grpc.aio

from benchmarks.bare import program
from benchmarks.figures import Finding, Target, spread
from benchmarks.rounds import interleaved
from benchmarks.service import TESTS, WORKERS, Client, many, warm_up
from benchmarks.workloads import BELL
from support.external.postgres import Postgres, installations
from support.server import Server

BACKEND = "local_simulator"
IN_FLIGHT = 64
JOBS = 1280
# On the way to the database, and on the way back.
DELAY_SECONDS = 0.001
JOBS_ARE = f"Bell jobs a second on {BACKEND} and PostgreSQL, {IN_FLIGHT} in flight"
LISTENERS_ROUNDS = 3
_SAMPLE_SECONDS = 0.005
_HELD = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = "
_OWN = "(SELECT oid FROM pg_database WHERE datname = current_database())"


async def run(rounds: int) -> list[Finding]:
    async with AsyncExitStack() as stack:
        postgres = stack.enter_context(Postgres([*installations().values()][-1], durable=True))
        port = await stack.enter_async_context(
            program("benchmarks.programs.distant", str(postgres.port), str(DELAY_SECONDS))
        )
        near = postgres.url(await postgres.create_database())
        far = postgres.url(await postgres.create_database())
        through = far.replace(str(postgres.port), port)
        client, _ = await stack.enter_async_context(_serving(near))
        distant, _ = await stack.enter_async_context(_serving(through))
        rates = await interleaved(
            {"near": lambda: _rate(client), "far": lambda: _rate(distant)}, rounds
        )
        held = await _held(far, distant)
        _, listener = await stack.enter_async_context(_serving(near))
        costs = [await _listening(client, listener) for _ in range(min(rounds, LISTENERS_ROUNDS))]
    return [
        Finding("postgres near", JOBS_ARE, spread(rates["near"], "/s")),
        Finding(
            "postgres far",
            f"{JOBS_ARE}; each way to it takes {DELAY_SECONDS * 1e3:g} ms more",
            spread(rates["far"], "/s"),
            Target(">=", 600),
        ),
        Finding("postgres lock", "the share of that time in which the write lock is held",
                spread([held], "")),
        Finding(
            "postgres listener",
            "processor time of a server without watchers for a job of another server",
            spread(costs, "ms"),
            Target("<=", 0.05),
        ),
    ]  # fmt: skip


@asynccontextmanager
async def _serving(url: str) -> AsyncGenerator[tuple[Client, Server]]:
    """Start a server on the database at `url`; yield a client of it."""
    with tempfile.TemporaryDirectory(prefix="quantcloud-bench-") as folder:
        options = ("--workers", str(WORKERS), "--no-envoy")
        environment = {"PYTHONPATH": str(TESTS), "QUANTCLOUD_DATABASE_URL": url}
        with Server(Path(folder) / "data", *options, **environment) as server:
            async with grpc.aio.insecure_channel(server.endpoints.grpc) as channel:
                client = Client(channel, server.token(tier="enterprise"), server.endpoints)
                await warm_up(client)
                yield client, server


async def _rate(client: Client) -> float:
    began = time.perf_counter()
    await many(lambda: client.run_and_watch(BELL, BACKEND), JOBS, IN_FLIGHT)
    return JOBS / (time.perf_counter() - began)


async def _held(url: str, client: Client) -> float:
    """Return the share of the time of some jobs in which a transaction holds the write lock."""
    samples: list[int] = []
    connection = await asyncpg.connect(url)

    async def sample() -> None:
        while True:
            samples.append(await connection.fetchval(_HELD + _OWN))
            await asyncio.sleep(_SAMPLE_SECONDS)

    sampling = asyncio.create_task(sample())
    await _rate(client)
    sampling.cancel()
    with suppress(asyncio.CancelledError):
        await sampling
    await connection.close()
    return statistics.mean(min(1, number) for number in samples)


async def _listening(client: Client, listener: Server) -> float:
    """Return the milliseconds of processor time of `listener` for each job of another server."""
    idle_from, idle_spent = time.monotonic(), _processor_seconds(listener.process.pid)
    await asyncio.sleep(1)
    began, spent = time.monotonic(), _processor_seconds(listener.process.pid)
    idle = (spent - idle_spent) / (began - idle_from)
    await _rate(client)
    # The listener may have a poll to go.
    await asyncio.sleep(1)
    passed, taken = time.monotonic() - began, _processor_seconds(listener.process.pid) - spent
    return (taken - idle * passed) / JOBS * 1e3


def _processor_seconds(pid: int) -> float:
    """Return the processor time of a process so far, exact to a nanosecond."""
    stats = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(stat.read_text().split()[0]) for stat in stats) / 1e9
