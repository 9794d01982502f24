"""How long what is to be written gathers, where many write at once.

What is done for many together, the commit above all, takes less time than for each. So a
transaction of many shows that the next one had better wait for as many.
"""

import asyncio

# From so many units on; in seconds for each of the units, and in all.
_MANY = 4
_SECONDS = 0.0005
_LONGEST = 0.01


class Gathering:
    """Says when the next transaction is carried out. Belongs to one event loop."""

    def __init__(self) -> None:
        self._over = asyncio.Event()
        self._over.set()
        # How many the last transaction had, and how many have come since it began.
        self._last = self._come = 0
        # Done when as many have come; None where nobody waits for that.
        self._complete: asyncio.Future[None] | None = None

    def begin(self, units: int) -> bool:
        """A transaction of so many units is about to be carried out; whether that is many."""
        many = units >= _MANY
        if many:
            self._over.clear()
            self._last, self._come = units, 0
        return many

    async def wait(self) -> None:
        """Wait for as many as the transaction had, for a while at most."""
        if self._come < self._last:
            loop = asyncio.get_running_loop()
            self._complete = loop.create_future()
            timer = loop.call_later(min(self._last * _SECONDS, _LONGEST), self._end)
            try:
                await self._complete
            finally:
                timer.cancel()
                self._complete = None
        self.close()

    def come(self) -> None:
        """Another one has come."""
        self._come += 1
        if self._come >= self._last:
            self._end()

    async def over(self) -> None:
        """Come, and wait until the next transaction is about to be carried out.

        What many do to prepare their units they then do one right after the other, and so it takes
        two thirds of the time: the processor's caches have it.
        """
        if not self._over.is_set():
            self.come()
            await self._over.wait()

    def close(self) -> None:
        """Hold nobody up."""
        self._over.set()

    def _end(self) -> None:
        if self._complete is not None and not self._complete.done():
            self._complete.set_result(None)
