"""What the router is told of the queues."""

import asyncio
import time
from collections.abc import Callable

from quantcloud.backends.fleet import QueueFigures, QueueStatistics

# Seconds for which figures are as good as new to a router, whose predictions are no better.
_FRESH = 0.25


class RecentFigures:
    """The queues' figures, read anew where they are older than a router need care about.

    However many submissions come at once, the figures are read once for all of them.
    """

    def __init__(self, queues: QueueStatistics, now: Callable[[], float] = time.monotonic) -> None:
        self._queues = queues
        self._now = now
        self._read_at = -_FRESH
        self._reading: asyncio.Task[QueueFigures] | None = None

    async def figures(self) -> QueueFigures:
        """Figures that are at most a quarter of a second old."""
        if self._reading is None or self._now() - self._read_at >= _FRESH:
            self._read_at = self._now()
            self._reading = asyncio.ensure_future(QueueFigures.read(self._queues))
        reading = self._reading
        try:
            # Whoever goes away leaves it to the others.
            return await asyncio.shield(reading)
        except Exception:
            if self._reading is reading:
                self._reading = None
            raise
