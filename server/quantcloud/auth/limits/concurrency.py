"""Concurrency limits: how many slots each owner may hold at once."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Generator, Hashable
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Final

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
        if not self.try_acquire(owner):
            raise TooManyStreams(self._what, self._limit)

    def try_acquire(self, owner: Hashable) -> bool:
        """Acquire a slot if one is free. Return whether it was acquired."""
        held = self._held.get(owner, 0)
        if held >= self._limit:
            return False
        self._held[owner] = held + 1
        return True

    def release(self, owner: Hashable) -> None:
        """Free a slot."""
        left = self._held.pop(owner) - 1
        if left:
            self._held[owner] = left


class ConcurrencyLimits(Slots):
    """Slots for which others wait, in order of arrival, for at most `seconds`."""

    def __init__(self, limit: int, what: str, seconds: float = WAIT_SECONDS) -> None:
        super().__init__(limit, what)
        self._seconds = seconds
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def hold(self, owner: Hashable) -> AsyncGenerator[None]:
        """Hold a slot within the context. Raises `TooManyStreams`."""
        if not self.try_acquire(owner):
            await self.acquire(owner)
        try:
            yield
        finally:
            self.release(owner)

    async def acquire(self, owner: Hashable) -> None:
        """Wait for a slot. Raises `TooManyStreams` if that takes too long."""
        waiter = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(owner, deque())
        waiting.append(waiter)
        try:
            async with asyncio.timeout(self._seconds):
                await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled():
                # It got the slot just as it gave up.
                self.release(owner)
            else:
                with suppress(ValueError):
                    waiting.remove(waiter)
                if not waiting and self._waiting.get(owner) is waiting:
                    del self._waiting[owner]
            if isinstance(error, TimeoutError):
                raise TooManyStreams(self._what, self._limit) from None
            raise

    def release(self, owner: Hashable) -> None:
        """Pass a slot to the next one that waits, or free it."""
        waiting = self._waiting.get(owner)
        while waiting:
            waiter = waiting.popleft()
            if not waiting:
                del self._waiting[owner]
            if not waiter.done():
                waiter.set_result(None)
                return
        super().release(owner)
