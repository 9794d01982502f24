"""A real gRPC server with jobs to watch. The jobs change only when a test changes them."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import jwt

from quantcloud.api.access import AccessControl
from quantcloud.api.server import GrpcServer, UseCases
from quantcloud.auth.authenticator import Authenticator
from quantcloud.auth.limits.open_streams import OpenStreams
from quantcloud.auth.limits.rate_limits import Counter, RequestLimits
from quantcloud.auth.limits.turns import Turns
from quantcloud.auth.tokens.jwt import Issuer, JwtVerifier
from quantcloud.auth.tokens.tickets import Tickets
from quantcloud.domain.account import Tier
from quantcloud.domain.job import Change, Job, JobStatus, OptimizationTarget
from quantcloud.openqasm import examine
from quantcloud.services.jobs import JobUseCases
from quantcloud.settings import DEFAULT_TIERS
from quantcloud.storage import NewJob, Store
from quantcloud.watching.feed import EventFeed
from quantcloud.watching.queues import QueueMonitor
from quantcloud.watching.update import JobUpdate
from support.circuits import BELL

ADA, SECRET = "ada", "a-secret-for-tests-that-is-long-enough-for-hs256"
ANALYSIS = examine(BELL)
# Longer than any test takes, and short enough to notice a hanging one.
PATIENCE_SECONDS = 30
# How many streams an account, or an address without credentials, may have open.
MOST = 4
# Longer than any test: if a watch ends, the keepalive is not the cause.
NEVER = 3600.0


def now() -> datetime:
    return datetime.now(UTC)


class CountedJobs(JobUseCases):
    """Reports each end of a watch that had begun."""

    def __init__(self, *parts: Any, **named: Any) -> None:
        super().__init__(*parts, **named)
        self.ended: asyncio.Queue[None] = asyncio.Queue()

    def watch(self, *arguments: Any, **options: Any) -> AsyncGenerator[JobUpdate]:
        return self._counted(super().watch(*arguments, **options))

    async def _counted(self, watch: AsyncGenerator[JobUpdate]) -> AsyncGenerator[JobUpdate]:
        try:
            async with aclosing(watch):
                async for update in watch:
                    yield update
        finally:
            self.ended.put_nowait(None)


class Service:
    """Store, feed and gRPC server. Jobs change only when a test changes them. `circuits` runs
    circuits. `counter` counts requests.
    """

    def __init__(
        self,
        store: Store,
        circuits: Any = None,
        *,
        counter: Counter | None = None,
        turns: Callable[[Any], Turns] = Turns,
        **settings: float,
    ) -> None:
        self.store = store
        self.feed = EventFeed(store.events, QueueMonitor(store.jobs, 0.0), NEVER)
        store.subscribe(self.feed.publish)
        streams = OpenStreams(MOST, of_circuits=MOST, of_address=MOST)
        limits, tickets = DEFAULT_TIERS.__getitem__, Tickets(SECRET, now)
        self.jobs = CountedJobs(store, self.feed, streams, now, limits, tickets=tickets)
        verifier = JwtVerifier(Issuer(SECRET, "authenticated"))
        gate = AccessControl(
            Authenticator(verifier, store.accounts, store.api_keys, tickets, now),
            RequestLimits(counter or Counter(now), limits, anonymous=0, failed_logins=0),
            streams,
            "p" * 32,
            turns(self.jobs.is_unfinished),
        )
        unused = cast("Any", None)
        use_cases = UseCases(unused, unused, circuits, unused, self.jobs)
        self.server = GrpcServer(use_cases, gate, **{"keepalive_seconds": NEVER, **settings})
        claims = {"sub": ADA, "aud": "authenticated", "exp": int(time.time()) + 3600}
        self.token = jwt.encode(claims, SECRET, "HS256")
        self.metadata = (("authorization", f"Bearer {self.token}"),)

    async def submit(self, number: int = 1) -> list[str]:
        new = [
            NewJob(
                Job(
                    id=str(uuid.uuid4()), account_id=ADA, status=JobStatus.SUBMITTED, shots=1,
                    optimize_for=OptimizationTarget.BALANCED, submitted_at=now(),
                    changed_at=now(), seed=1,
                ),
                BELL,
                ANALYSIS,
                [Change(JobStatus.ANALYZING, now()), Change(JobStatus.ROUTING, now())],
            )
            for _ in range(number)
        ]  # fmt: skip
        await self.store.jobs.create_all(new, max_waiting=None)
        return [each.job.id for each in new]


Start = Callable[..., AbstractAsyncContextManager[tuple[Service, int]]]


@asynccontextmanager
async def serving(
    folder: Path, circuits: Any = None, **settings: Any
) -> AsyncGenerator[tuple[Service, int]]:
    """Yield a service with its data in `folder`, and its port; `settings` are of `Service` and of
    `GrpcServer`.
    """
    store = await Store.open(folder / "quantcloud.db")
    await store.accounts.ensure(ADA, email=None, name=None, at=now(), tier=Tier.ENTERPRISE)
    service = Service(store, circuits, **settings)
    port = await service.server.start("127.0.0.1", 0)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            yield service, port
    finally:
        await service.server.stop(0)
        await store.close()
