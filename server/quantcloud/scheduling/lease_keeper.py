"""Keeps this server's leases alive, and ends those of servers that have died.

Whether another is dead can be told by one who is in touch with the database himself: after an
outage all leases look old, though their runs go on. So nobody sweeps before it has been in touch
for as long as a lease lasts, which gives every other time for a sign of life.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import structlog

from quantcloud.aio.retry import RETRY_SECONDS
from quantcloud.domain.errors import Damaged, Unavailable
from quantcloud.domain.job import JobEvent
from quantcloud.storage import Store

LEASE_SECONDS = 30.0
HEARTBEAT_SECONDS = 10.0
SWEEP_SECONDS = 5.0

log = structlog.stdlib.get_logger(__name__)


class LeaseKeeper:
    """The leases of `owner`, and the sweep of all others. `clock` is what they are timed by."""

    def __init__(
        self,
        store: Store,
        *,
        owner: str,
        clock: Callable[[], datetime],
        lease_seconds: float = LEASE_SECONDS,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        sweep_seconds: float = SWEEP_SECONDS,
    ) -> None:
        self._leases = store.leases
        self._owner = owner
        self._clock = clock
        self._lease = timedelta(seconds=lease_seconds)
        self._heartbeat_seconds = heartbeat_seconds
        self._sweep_seconds = sweep_seconds
        # In touch without a break since then, and heard of last then.
        self._since: datetime | None = None
        self._beaten: datetime | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Give the first sign of life, without which no claim would last. Raises `Unavailable`."""
        await self.beat()
        self._tasks = [
            asyncio.create_task(self._repeat(self.beat, self._heartbeat_seconds)),
            asyncio.create_task(self._repeat(self.sweep, self._sweep_seconds)),
        ]

    async def stop(self) -> None:
        """Give no more signs of life; safe to call twice."""
        if not self._tasks:
            return
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        try:
            await self._leases.release(self._owner)
        except Unavailable as error:
            log.warning("the leases could not be released", error=error.message)

    async def beat(self) -> None:
        """Give a sign of life: the leases hold for their full time from now on."""
        now = self._clock()
        try:
            await self._leases.heartbeat(self._owner, now + self._lease)
        except Unavailable:
            self._since = None
            raise
        if self._since is None or not self._in_touch(now):
            self._since = now
        self._beaten = now

    async def sweep(self) -> Sequence[JobEvent]:
        """End the leases of dead servers, if it can be told who is dead."""
        now = self._clock()
        if self._since is None or not self._in_touch(now) or now - self._since < self._lease:
            return ()
        events = await self._leases.sweep(self._owner, now)
        for event in events:
            log.warning(
                "lease expired", job_id=event.job.id, attempt=event.job.attempt,
                status=str(event.job.status),
            )  # fmt: skip
        return events

    def _in_touch(self, now: datetime) -> bool:
        return self._beaten is not None and now - self._beaten < self._lease

    async def _repeat(self, work: Callable[[], Awaitable[object]], seconds: float) -> None:
        delay = seconds
        while True:
            await asyncio.sleep(delay)
            delay = seconds
            try:
                await work()
            except (Unavailable, Damaged) as error:
                delay = min(seconds, RETRY_SECONDS)
                log.warning("the leases could not be looked after", error=error.message)
            except Exception:
                log.exception("the leases could not be looked after")
