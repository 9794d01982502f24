"""Concurrency limits: how many slots each owner may hold at once."""

import asyncio
from collections.abc import AsyncGenerator, Generator, Hashable
from contextlib import asynccontextmanager, contextmanager
from typing import Final
from weakref import WeakValueDictionary

from quantcloud.domain.errors import TooManyStreams

WAIT_SECONDS: Final = 5.0


class Slots:
    """Gives each owner up to `limit` slots. Use it from one event loop only.

    `what` names in the error what there are too many of.
    """

    def __init__(self, limit: int, what: str) -> None:
        self._limit = limit
        self._what = what
        self._held: dict[Hashable, int] = {}

    @contextmanager
    def taken(self, owner: Hashable) -> Generator[None]:
        """Hold a slot within the context. Raises `TooManyStreams`."""
        self.take(owner)
        try:
            yield
        finally:
            self.release(owner)

    def take(self, owner: Hashable) -> None:
        """Acquire a slot. Raises `TooManyStreams` if none is free."""
        held = self._held.get(owner, 0)
        if held >= self._limit:
            raise TooManyStreams(self._what, self._limit)
        self._held[owner] = held + 1

    def release(self, owner: Hashable) -> None:
        """Free a slot."""
        left = self._held.pop(owner) - 1
        if left:
            self._held[owner] = left


class ConcurrencyLimits:
    """Like `Slots`, but others wait for a slot, in order of arrival, for at most `seconds`."""

    def __init__(self, limit: int, what: str, seconds: float = WAIT_SECONDS) -> None:
        self._limit = limit
        self._what = what
        self._seconds = seconds
        # While a task holds a slot of an owner or waits for one.
        self._owners: WeakValueDictionary[Hashable, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def hold(self, owner: Hashable) -> AsyncGenerator[None]:
        """Hold a slot within the context. Raises `TooManyStreams` if it must wait too long."""
        slots = self._owners.setdefault(owner, asyncio.Semaphore(self._limit))
        try:
            async with asyncio.timeout(self._seconds):
                await slots.acquire()
        except TimeoutError:
            raise TooManyStreams(self._what, self._limit) from None
        try:
            yield
        finally:
            slots.release()
