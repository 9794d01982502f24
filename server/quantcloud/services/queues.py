"""What the queues are like, read at most a few times a second."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from quantcloud.aio import offload
from quantcloud.domain.account import Tier, TierLimits
from quantcloud.domain.outlook import starts
from quantcloud.engine.base import WorkerEngine
from quantcloud.storage import Store

T = TypeVar("T")

FIGURES_SECONDS = 0.25
"""How old the figures for the router may be. Its predictions are not precise enough for newer."""
_ESTIMATE_SECONDS = 1.0


class Recent(Generic[T]):
    """What `read` returned at most `seconds` ago. Callers that come meanwhile share one read."""

    def __init__(
        self,
        read: Callable[[], Awaitable[T]],
        seconds: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._seconds = seconds
        self._now = now
        self._read_at = -seconds
        self._reading: asyncio.Future[T] | None = None

    async def get(self) -> T:
        if self._reading is None or self._now() - self._read_at >= self._seconds:
            self._read_at = self._now()
            self._reading = asyncio.ensure_future(self._read())
        reading = self._reading
        try:
            # A caller that is cancelled must not cancel the read of the others.
            return await asyncio.shield(reading)
        except Exception:
            if self._reading is reading:
                self._reading = None
            raise


class StartEstimates:
    """Estimates when waiting jobs start, from the jobs ahead and their predicted times."""

    def __init__(
        self,
        store: Store,
        engine: WorkerEngine,
        clock: Callable[[], datetime],
        limits: Callable[[Tier], TierLimits],
    ) -> None:
        self._store = store
        self._engine = engine
        self._clock = clock
        self._limits = limits
        self._recent = Recent(self._estimate, _ESTIMATE_SECONDS)

    async def get(self) -> Mapping[str, datetime]:
        """Return when jobs are likely to start, by id; those that it cannot tell are left out."""
        return await self._recent.get()

    async def _estimate(self) -> Mapping[str, datetime]:
        if self._engine.trouble is not None:
            return {}
        now = self._clock()
        outlook = await self._store.jobs.outlook(now)
        if outlook is None:
            return {}
        slots = self._engine.slots * outlook.servers

        def concurrency(tier: Tier) -> int:
            return self._limits(tier).max_concurrent_jobs

        # Thousands of jobs take tens of milliseconds.
        found = await offload.run(offload.UNKNOWN, starts, outlook, slots, concurrency)
        return {job_id: now + timedelta(seconds=after) for job_id, after in found.items()}
