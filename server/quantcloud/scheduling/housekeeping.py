"""Removes data that is older than its retention, slowly, so that other work goes on."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from quantcloud.domain.errors import Damaged, Unavailable
from quantcloud.storage import Store
from quantcloud.telemetry import metrics

_EVERY_SECONDS = 600.0
# After each transaction comes a pause of at least this long, and of at least this many times as
# long as the transaction took. A busy database is thus left to other work.
_PAUSE_SECONDS = 0.04
_PAUSE_FACTOR = 2

log = structlog.stdlib.get_logger(__name__)


class Housekeeping:
    """Removes old idempotency keys, the history of jobs that ended over `history` ago, and jobs
    that ended over `jobs` ago.

    What is None is kept forever.
    """

    def __init__(
        self,
        store: Store,
        clock: Callable[[], datetime],
        history: timedelta | None,
        jobs: timedelta | None = None,
    ) -> None:
        self._retention = store.retention
        self._clock = clock
        self._history, self._jobs = history, jobs
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._tidy_forever(), name="housekeeping")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def tidy(self) -> int:
        """Remove everything that is due. Return of how many jobs the history was removed."""
        now = self._clock()
        await self._repeat("idempotency keys", lambda: self._retention.forget_keys(now))
        if self._jobs is not None:
            ended = now - self._jobs
            removed = await self._repeat("jobs", lambda: self._retention.remove_jobs(ended))
            if removed:
                log.info("jobs removed", jobs=removed)
        if self._history is None:
            return 0
        before = now - self._history
        return await self._repeat("histories", lambda: self._retention.remove(before))

    async def _repeat(self, kind: str, remove: Callable[[], Awaitable[int]]) -> int:
        """Call `remove` until it removes nothing, with pauses. Return how many it removed."""
        removed = 0
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            number = await remove()
            if not number:
                return removed
            removed += number
            took = loop.time() - began
            metrics.RETENTION_REMOVED.labels(kind).inc(number)
            metrics.RETENTION_SECONDS.inc(took)
            await asyncio.sleep(max(_PAUSE_SECONDS, _PAUSE_FACTOR * took))

    async def _tidy_forever(self) -> None:
        while True:
            try:
                if removed := await self.tidy():
                    log.info("history removed", jobs=removed)
            except (Unavailable, Damaged) as error:
                log.warning("nothing could be removed", error=error.message)
            except Exception:
                log.exception("nothing could be removed")
            await asyncio.sleep(_EVERY_SECONDS)
