"""Submissions while a server removes old history, compared with those while it removes none."""

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import grpc.aio

from benchmarks.figures import Finding, Target, percentile, ratio
from benchmarks.million import fill
from benchmarks.rounds import interleaved
from benchmarks.service import WORKERS, Client, many
from benchmarks.workloads import BELL
from support.server import Server

OLD_JOBS = 150_000
BACKEND = "local_simulator"
# Few rounds, because each starts a server.
ROUNDS = 3
WARM_UP, SUBMISSIONS, IN_FLIGHT = 200, 2000, 8
USER = "r"
REMOVING = {"QUANTCLOUD_RETENTION_DAYS": "1"}


async def run(rounds: int) -> list[Finding]:
    rounds = min(rounds, ROUNDS)
    with tempfile.TemporaryDirectory(prefix="quantcloud-bench-") as folder:
        data_dir = Path(folder) / "data"
        await _filled(data_dir)
        tails: dict[str, list[float]] = {"ours": [], "bare": []}
        medians: dict[str, list[float]] = {"ours": [], "bare": []}

        def side(key: str, settings: dict[str, str]) -> Callable[[], Awaitable[float]]:
            async def measure() -> float:
                rate, times = await _measured(data_dir, settings)
                tails[key].append(percentile(times, 99))
                medians[key].append(percentile(times, 50))
                return rate

            return measure

        rates = await interleaved(
            {"ours": side("ours", REMOVING), "bare": side("bare", {})}, rounds, warm_up=0
        )
        if not _history(data_dir) > IN_FLIGHT + rounds * 2 * (SUBMISSIONS + WARM_UP):
            raise AssertionError("all history was removed before the measurement was over")
    what = f"RunCircuit of a Bell circuit, {IN_FLIGHT} in flight, while {OLD_JOBS} old jobs' "
    what += "history is removed / while none is"
    return [
        ratio(
            "retention p99",
            f"{what}: p99",
            ours=tails["ours"],
            bare=tails["bare"],
            unit="ms",
            target=Target("<=", 2),
        ),
        ratio(
            "retention p50", f"{what}: p50", ours=medians["ours"], bare=medians["bare"], unit="ms"
        ),
        ratio(
            "retention rate",
            f"{what}: how many a second",
            ours=rates["ours"],
            bare=rates["bare"],
            unit="/s",
        ),
    ]


async def _filled(data_dir: Path) -> None:
    """Create a database with jobs that ended long ago."""
    with Server(data_dir, "--workers", str(WORKERS), "--no-envoy") as server:
        async with grpc.aio.insecure_channel(server.endpoints.grpc) as channel:
            await _client(server, channel).run(BELL, BACKEND)
    await asyncio.to_thread(fill, data_dir / "quantcloud.db", OLD_JOBS)


def _client(server: Server, channel: grpc.aio.Channel) -> Client:
    return Client(channel, server.token(USER, tier="enterprise"), server.endpoints)


async def _measured(data_dir: Path, settings: dict[str, str]) -> tuple[float, list[float]]:
    """Return the submissions per second, and the milliseconds of each."""
    times: list[float] = []
    server = Server(data_dir, "--workers", str(WORKERS), "--no-envoy", **settings)
    with server:
        async with grpc.aio.insecure_channel(server.endpoints.grpc) as channel:
            client = _client(server, channel)

            async def timed() -> None:
                began = time.perf_counter()
                await client.submit(BELL, BACKEND)
                times.append((time.perf_counter() - began) * 1e3)

            await many(timed, WARM_UP, IN_FLIGHT)
            times.clear()
            began = time.perf_counter()
            await many(timed, SUBMISSIONS, IN_FLIGHT)
            return SUBMISSIONS / (time.perf_counter() - began), times


def _history(data_dir: Path) -> int:
    """Return the number of jobs that still have their results."""
    with closing(sqlite3.connect(data_dir / "quantcloud.db")) as connection:
        (number,) = connection.execute("SELECT count(*) FROM job_results").fetchone()
    return int(number)
