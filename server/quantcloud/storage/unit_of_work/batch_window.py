"""How long what is to be written gathers, where many write at once.

What is done for many together, the commit above all, takes less time than for each. So a
transaction of many shows that the next one had better wait for as many.
"""

import asyncio
from collections import deque

# From so many units on; in seconds for each of the units, and in all.
_MANY = 4
_SECONDS = 0.0005
_LONGEST = 0.01
# How many of those who were held go on before others have a turn.
_SMALLEST_CROWD = 16


def is_many(units: int) -> bool:
    """Whether a transaction of so many units shows that many write at once."""
    return units >= _MANY


class Gathering:
    """Says when the next transaction is carried out. Belongs to one event loop."""

    def __init__(self) -> None:
        # How many the last transaction had, and how many have come since it began.
        self._last = self._come = 0
        # Done when as many have come; None where nobody waits for that.
        self._complete: asyncio.Future[None] | None = None
        self._held: deque[asyncio.Future[None]] = deque()

    def begin(self, units: int) -> None:
        """A transaction of so many units is about to be carried out."""
        self._last, self._come = units, 0

    async def wait(self) -> None:
        """Wait for as many as the transaction had, for a while at most, where that was many."""
        if is_many(self._last) and self._come < self._last:
            loop = asyncio.get_running_loop()
            self._complete = loop.create_future()
            timer = loop.call_later(min(self._last * _SECONDS, _LONGEST), self._end)
            try:
                await self._complete
            finally:
                timer.cancel()
                self._complete = None
        while self._held:
            self._let_go(_SMALLEST_CROWD)
            if self._held:
                await asyncio.sleep(0)

    def come(self) -> None:
        """Another one has come."""
        self._come += 1
        if self._come >= self._last:
            self._end()

    async def over(self) -> None:
        """Come, and while others are waited for wait with them.

        What many do to prepare their units they then do one right after the other, and so it takes
        two thirds of the time: the processor's caches have it.
        """
        if self._complete is None or self._complete.done():
            return
        held: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._held.append(held)
        self.come()
        await held

    def close(self) -> None:
        """Hold nobody up."""
        self._let_go(len(self._held))

    def _let_go(self, most: int) -> None:
        for _ in range(min(most, len(self._held))):
            held = self._held.popleft()
            if not held.done():
                held.set_result(None)

    def _end(self) -> None:
        if self._complete is not None and not self._complete.done():
            self._complete.set_result(None)
