"""What the queues are like, read at most a few times a second."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from quantcloud.aio import offload
from quantcloud.domain.account import Tier, TierLimits
from quantcloud.domain.job import Job, JobStatus
from quantcloud.domain.outlook import Wait, WaitReason, full_accounts, starts
from quantcloud.domain.value_object import value_object
from quantcloud.engine.base import WorkerEngine
from quantcloud.routing.explanation import predicted_memory
from quantcloud.scheduling.scheduler import Scheduler
from quantcloud.storage import Store
from quantcloud.telemetry import metrics

T = TypeVar("T")

FIGURES_SECONDS = 0.25
"""How old the figures for the router may be. Its predictions are not precise enough for newer."""
_ESTIMATE_SECONDS = 1.0


class Recent(Generic[T]):
    """What `read` returned at most `seconds` ago. Callers that come meanwhile share one read."""

    def __init__(self, read: Callable[[], Awaitable[T]], seconds: float) -> None:
        self._read = read
        self._seconds = seconds
        self._read_at = -seconds
        self._reading: asyncio.Future[T] | None = None

    async def get(self) -> T:
        if self._reading is None or time.monotonic() - self._read_at >= self._seconds:
            self._read_at = time.monotonic()
            self._reading = asyncio.ensure_future(self._read())
        reading = self._reading
        try:
            # A caller that is cancelled must not cancel the read of the others.
            return await asyncio.shield(reading)
        except Exception:
            if self._reading is reading:
                self._reading = None
            raise


@value_object
class _Outlook:
    """When waiting jobs are likely to start, by id, and the accounts that run all they may."""

    starts: Mapping[str, datetime]
    full: frozenset[str]


class Waits:
    """Tells why jobs wait, and estimates when they start.

    The estimate follows from the jobs ahead, their predicted times, and the memory that runs on
    this server hold.
    """

    def __init__(
        self,
        store: Store,
        engine: WorkerEngine,
        scheduler: Scheduler,
        clock: Callable[[], datetime],
        limits: Callable[[Tier], TierLimits],
    ) -> None:
        self._store = store
        self._engine = engine
        self._scheduler = scheduler
        self._clock = clock
        self._limits = limits
        self._recent = Recent(self._read, _ESTIMATE_SECONDS)

    async def of(self, jobs: Sequence[Job]) -> Mapping[str, Wait]:
        """Return why the queued ones of `jobs` wait, by id, where it can tell."""
        queued = [job for job in jobs if job.status is JobStatus.QUEUED]
        if not queued or (outlook := await self._recent.get()) is None:
            return {}
        return {job.id: self._wait(job, outlook) for job in queued}

    def _wait(self, job: Job, outlook: _Outlook) -> Wait:
        start = outlook.starts.get(job.id)
        if job.account_id in outlook.full:
            return Wait(WaitReason.ACCOUNT, start)
        seconds = self._scheduler.seconds_to_memory(predicted_memory(job))
        if seconds is not None:
            if start is None or math.isinf(seconds):
                return Wait(WaitReason.MEMORY)
            return Wait(WaitReason.MEMORY, max(start, self._clock() + timedelta(seconds=seconds)))
        return Wait(WaitReason.TURN if self._scheduler.has_worker else WaitReason.WORKERS, start)

    async def _read(self) -> _Outlook | None:
        if self._engine.trouble is not None:
            return None
        now = self._clock()
        outlook = await self._store.jobs.outlook(now)
        if outlook is None:
            return None
        slots = self._engine.slots * outlook.servers

        def concurrency(tier: Tier) -> int:
            return self._limits(tier).max_concurrent_jobs

        # Thousands of jobs take tens of milliseconds.
        found = await offload.run(offload.UNKNOWN, starts, outlook, slots, concurrency)
        at = {job_id: now + timedelta(seconds=after) for job_id, after in found.items()}
        return _Outlook(at, full_accounts(outlook, concurrency))


async def measure_queues(store: Store, clock: Callable[[], datetime]) -> None:
    """Set the metrics of the queues, which all servers share, from the database."""
    depths = await store.jobs.queue_depths()
    oldest = await store.jobs.queued_since()
    now = clock()
    for gauge in (metrics.QUEUE_DEPTH, metrics.QUEUE_OLDEST_SECONDS):
        gauge.clear()
    for backend, depth in depths.items():
        metrics.QUEUE_DEPTH.labels(backend).set(depth)
    for backend, since in oldest.items():
        metrics.QUEUE_OLDEST_SECONDS.labels(backend).set((now - since).total_seconds())
