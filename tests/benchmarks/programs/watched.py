"""A server without scheduler and engine, whose jobs change when a benchmark requests it.

The process prints its addresses and a token, and then answers each line of standard input. Both
are JSON. Times are of `time.monotonic`, which all processes share.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import jwt

from benchmarks.workloads import BELL, SHOTS
from quantcloud.api.access import AccessControl
from quantcloud.api.server import GrpcServer, UseCases
from quantcloud.auth.authenticator import Authenticator
from quantcloud.auth.limits.open_streams import OpenStreams
from quantcloud.auth.limits.rate_limits import Counter, RequestLimits
from quantcloud.auth.limits.turns import Turns
from quantcloud.auth.tokens.jwt import Issuer, JwtVerifier
from quantcloud.auth.tokens.tickets import Tickets
from quantcloud.domain.account import Tier
from quantcloud.domain.job import Change, Job, JobEvent, JobStatus, OptimizationTarget
from quantcloud.openqasm import examine
from quantcloud.process import tune_garbage_collection
from quantcloud.proxy.process import EnvoyProcess, Upstream
from quantcloud.services.jobs import JobUseCases
from quantcloud.settings import DEFAULT_TIERS, Settings
from quantcloud.storage import NewJob, Store
from quantcloud.storage.database.epoch import epoch_of
from quantcloud.storage.database.sqlite import SqliteDatabase
from quantcloud.telemetry import logs
from quantcloud.watching.feed import EventFeed
from quantcloud.watching.queues import QueueMonitor

ACCOUNT = "watched"
SECRET = "a-secret-for-benchmarks-that-is-long-enough"
_AT_ONCE = 500


def _now() -> datetime:
    return datetime.now(UTC)


class Watched:
    """The server, with the commands for a benchmark."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._committed_at = 0.0
        # The commit time of each job's change.
        self._commits: dict[str, float] = {}

    async def start(self) -> dict[str, str]:
        database = await SqliteDatabase.open(self._folder / "quantcloud.db")
        self._time_commits(database)
        self._store = store = Store(database, await epoch_of(database))
        store.subscribe(self._record)
        queues = QueueMonitor(store.jobs, 0.5)
        # No checkpoints, so each message is a change.
        feed = EventFeed(store.events, queues, checkpoint_seconds=3600.0)
        store.subscribe(feed.publish)
        await store.accounts.ensure(ACCOUNT, email=None, name=None, at=_now(), tier=Tier.ENTERPRISE)
        nobody = cast("Any", None)
        streams = OpenStreams(of_account=1_000_000)
        limits, tickets = DEFAULT_TIERS.__getitem__, Tickets(SECRET, _now)
        jobs = JobUseCases(store, feed, streams, _now, limits, tickets=tickets)
        use_cases = UseCases(nobody, nobody, nobody, nobody, jobs)
        verifier = JwtVerifier(Issuer(SECRET, "authenticated"))
        gate = AccessControl(
            Authenticator(verifier, store.accounts, store.api_keys, tickets, _now),
            RequestLimits(Counter(_now), limits, anonymous=0, failed_logins=0),
            streams,
            "p" * 32,
            Turns(jobs.is_unfinished),
        )
        self._server = GrpcServer(use_cases, gate)
        port = await self._server.start("127.0.0.1", 0)
        self._envoy = EnvoyProcess(
            Settings(data_dir=self._folder, http_port=0), Upstream("p" * 32, port)
        )
        await self._envoy.start()
        claims = {"sub": ACCOUNT, "aud": "authenticated", "exp": int(time.time()) + 3600}
        return {
            "grpc": f"127.0.0.1:{port}",
            "http": f"127.0.0.1:{self._envoy.http_port}",
            "token": jwt.encode(claims, SECRET, "HS256"),
        }

    async def stop(self) -> None:
        await self._envoy.stop()
        await self._server.stop(0)
        await self._store.close()

    async def make(self, number: int) -> list[str]:
        """Submit `number` jobs; return their ids."""
        analysis = examine(BELL)
        made: list[str] = []
        while len(made) < number:
            new = [
                NewJob(
                    Job(
                        id=str(uuid.uuid4()), account_id=ACCOUNT, status=JobStatus.SUBMITTED,
                        shots=SHOTS, optimize_for=OptimizationTarget.BALANCED,
                        submitted_at=_now(), changed_at=_now(), seed=1, metadata={"num_qubits": 2},
                    ),
                    BELL,
                    analysis,
                )
                for _ in range(min(_AT_ONCE, number - len(made)))
            ]  # fmt: skip
            await self._store.jobs.create_all(new, max_waiting=None)
            made += [each.job.id for each in new]
        return made

    async def advance(self, jobs: Sequence[str], status: str, per_second: float) -> list[float]:
        """Change each job at the given rate; return the time of each commit."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.TaskGroup() as changes:
            for number, job in enumerate(jobs):
                await asyncio.sleep(began + number / per_second - loop.time())
                change = Change(JobStatus(status), _now())
                changes.create_task(self._store.jobs.advance(job, [change]))
        return [self._commits.pop(job) for job in jobs]

    def _time_commits(self, database: SqliteDatabase) -> None:
        connection = database._writer.prepared
        commit = connection.commit

        def timed() -> float:
            seconds = commit()
            self._committed_at = time.monotonic()
            return seconds

        connection.commit = timed  # type: ignore[method-assign]

    def _record(self, events: Sequence[JobEvent]) -> None:
        for event in events:
            self._commits[event.job.id] = self._committed_at


async def _serve() -> None:
    # Output of libraries goes to standard error, so that it does not mix with the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    logs.configure("info")
    loop = asyncio.get_running_loop()
    with tempfile.TemporaryDirectory(prefix="quantcloud-bench-") as folder, answers:
        watched = Watched(Path(folder))

        def answer(value: object) -> None:
            answers.write(json.dumps(value) + "\n")
            answers.flush()

        answer(await watched.start())
        tune_garbage_collection()
        try:
            while line := await loop.run_in_executor(None, sys.stdin.readline):
                what, *arguments = json.loads(line)
                answer(await getattr(watched, what)(*arguments))
        finally:
            await watched.stop()


if __name__ == "__main__":
    asyncio.run(_serve())
