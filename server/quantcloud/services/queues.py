"""The figures about queues that the router uses."""

import asyncio
import time
from collections.abc import Callable

from quantcloud.backends.fleet import QueueFigures, QueueStatistics

# The router's predictions are not precise enough to need newer figures.
_MAXIMUM_AGE_SECONDS = 0.25


class RecentFigures:
    """A short-lived cache of the queues' figures.

    Submissions that arrive at the same time share one read.
    """

    def __init__(self, queues: QueueStatistics, now: Callable[[], float] = time.monotonic) -> None:
        self._queues = queues
        self._now = now
        self._read_at = -_MAXIMUM_AGE_SECONDS
        self._reading: asyncio.Task[QueueFigures] | None = None

    async def figures(self) -> QueueFigures:
        """Return figures that are at most a quarter of a second old."""
        if self._reading is None or self._now() - self._read_at >= _MAXIMUM_AGE_SECONDS:
            self._read_at = self._now()
            self._reading = asyncio.ensure_future(QueueFigures.read(self._queues))
        reading = self._reading
        try:
            # A caller that is cancelled must not cancel the read of the others.
            return await asyncio.shield(reading)
        except Exception:
            if self._reading is reading:
                self._reading = None
            raise
