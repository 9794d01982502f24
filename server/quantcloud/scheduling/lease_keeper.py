"""Renews this server's leases, and ends the leases of servers that have died.

After a database outage all leases look expired, though their runs go on. So a server ends leases
only after it has been in touch with the database for one lease period. By then every other live
server has had time to renew its own leases.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import structlog

from quantcloud.aio.retry import RETRY_SECONDS
from quantcloud.domain.errors import Damaged, Unavailable
from quantcloud.domain.job import JobEvent
from quantcloud.storage import Store
from quantcloud.telemetry import metrics

log = structlog.stdlib.get_logger(__name__)


class LeaseKeeper:
    """Renews the leases of `owner`, and ends those of dead servers. `clock` times the leases."""

    def __init__(
        self,
        store: Store,
        *,
        owner: str,
        clock: Callable[[], datetime],
        lease_seconds: float,
        heartbeat_seconds: float,
        lease_check_seconds: float,
    ) -> None:
        self._leases = store.leases
        self._owner = owner
        self._clock = clock
        self._lease = timedelta(seconds=lease_seconds)
        self._heartbeat_seconds = heartbeat_seconds
        self._check_seconds = lease_check_seconds
        # When the unbroken contact with the store began, and when the last heartbeat succeeded.
        self._since: datetime | None = None
        self._last_beat: datetime | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Send the first heartbeat, which claims need to last. Raises `Unavailable`."""
        await self.beat()
        self._tasks = [
            asyncio.create_task(self._repeat(self.beat, self._heartbeat_seconds)),
            asyncio.create_task(self._repeat(self.take_back, self._check_seconds)),
        ]

    async def stop(self) -> None:
        """Send no more heartbeats, and release the leases. Safe to call twice."""
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
        """Send a heartbeat: the leases last their full time from now on. Raises `Unavailable`."""
        now = self._clock()
        try:
            await self._leases.heartbeat(self._owner, now + self._lease)
        except Unavailable:
            self._since = None
            raise
        if self._since is None or not self._in_touch(now):
            self._since = now
        self._last_beat = now

    async def take_back(self) -> Sequence[JobEvent]:
        """End the leases of dead servers, if this server can tell which are dead."""
        now = self._clock()
        if self._since is None or not self._in_touch(now) or now - self._since < self._lease:
            return ()
        events = await self._leases.take_back(self._owner, now)
        metrics.LEASES_EXPIRED.inc(len(events))
        for event in events:
            log.warning(
                "lease expired", job_id=event.job.id, attempt=event.job.attempt,
                status=str(event.job.status),
            )  # fmt: skip
        return events

    def _in_touch(self, now: datetime) -> bool:
        return self._last_beat is not None and now - self._last_beat < self._lease

    async def _repeat(self, work: Callable[[], Awaitable[object]], seconds: float) -> None:
        delay = seconds
        failing = False
        while True:
            await asyncio.sleep(delay)
            delay = seconds
            try:
                await work()
            except (Unavailable, Damaged) as error:
                delay = min(seconds, RETRY_SECONDS)
                # Once for each outage: `Health` logs when it ends.
                if not failing:
                    log.warning("the leases could not be maintained", error=error.message)
                failing = True
            except Exception:
                log.exception("the leases could not be maintained")
            else:
                failing = False
