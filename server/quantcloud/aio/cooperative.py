"""Turns on the event loop: what takes long there gives others theirs in between."""

import asyncio
import time

# Most pieces of work take less than this; a turn of the event loop takes some 10 microseconds.
_SECONDS = 0.002


class Yielder:
    """Those of one piece of work, which begins now."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until = time.monotonic() + _SECONDS

    async def between(self) -> None:
        """Give others a turn where this one has lasted for long."""
        if time.monotonic() >= self._until:
            await self.over()

    async def over(self) -> None:
        """Give others a turn."""
        await asyncio.sleep(0)
        self._until = time.monotonic() + _SECONDS
