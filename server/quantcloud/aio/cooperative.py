"""Cooperative yielding: long work lets other tasks run in between."""

import asyncio
import time
from collections.abc import Generator
from typing import TypeVar

from quantcloud.aio.offload import BUDGET

T = TypeVar("T")

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


async def in_steps(work: Generator[None, None, T]) -> T:
    """Return what `work` returns; let other tasks run in its pauses if it takes long."""
    yielder = Yielder()
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value
        await yielder.yield_if_due()
