"""The batch window: how long a transaction waits for more units of work.

A commit of many units costs little more than a commit of one. So after a transaction of several
units, the next one waits a little, until about as many units have arrived.
"""

import asyncio
from collections import deque

# The longest wait: for each unit of the last transaction, and in all.
_SECONDS_PER_UNIT = 0.0005
_MAX_SECONDS = 0.01
# How many callers of `join` resume before the event loop runs other tasks.
_RELEASE_BATCH = 16


class BatchWindow:
    """Decides when the next transaction runs. Belongs to one event loop."""

    def __init__(self) -> None:
        # How many units the last transaction had, and how many have arrived since it began.
        self._last = self._arrived = 0
        # Done when enough units have arrived; None while nothing waits for them.
        self._complete: asyncio.Future[None] | None = None
        self._joined: deque[asyncio.Future[None]] = deque()

    def begin(self, units: int) -> None:
        """Note that a transaction of `units` units is about to run."""
        self._last, self._arrived = units, 0

    async def wait(self) -> None:
        """After a transaction of several units, wait for as many, to a limit; then release all."""
        if 1 < self._last > self._arrived:
            loop = asyncio.get_running_loop()
            self._complete = loop.create_future()
            timer = loop.call_later(min(self._last * _SECONDS_PER_UNIT, _MAX_SECONDS), self._end)
            try:
                await self._complete
            finally:
                timer.cancel()
                self._complete = None
        while self._joined:
            self._release(_RELEASE_BATCH)
            if self._joined:
                await asyncio.sleep(0)

    def arrive(self) -> None:
        """Count one more unit."""
        self._arrived += 1
        if self._arrived >= self._last:
            self._end()

    async def join(self) -> None:
        """Count one more unit; if the window is open, wait until it closes.

        Callers that prepare their units one right after the other find the code and data in the
        processor's caches, so they take two thirds of the time.
        """
        if self._complete is None or self._complete.done():
            return
        joined: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._joined.append(joined)
        self.arrive()
        await joined

    def close(self) -> None:
        """Release every caller of `join`."""
        self._release(len(self._joined))

    def _release(self, most: int) -> None:
        for _ in range(min(most, len(self._joined))):
            joined = self._joined.popleft()
            if not joined.done():
                joined.set_result(None)

    def _end(self) -> None:
        if self._complete is not None and not self._complete.done():
            self._complete.set_result(None)
