"""Cooperative yielding: long work lets other tasks run in between."""

import asyncio
import time

from quantcloud.aio.offload import BUDGET

# One pass of the event loop takes about 10 microseconds.
_SECONDS = BUDGET * 1e-6


class Yielder:
    """Yields to other tasks during one piece of work, which starts now."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until = time.monotonic() + _SECONDS

    async def yield_if_due(self) -> None:
        """Let other tasks run if this work has held the event loop for too long."""
        if time.monotonic() >= self._until:
            await asyncio.sleep(0)
            self._until = time.monotonic() + _SECONDS
