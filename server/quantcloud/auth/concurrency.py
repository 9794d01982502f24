"""How many of something each caller may have at once; more of them wait for their turn."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Hashable
from contextlib import asynccontextmanager, suppress
from typing import Final

from quantcloud.domain.errors import TooManyStreams

WAIT_SECONDS: Final = 5.0


class ConcurrencyLimits:
    """Lets each caller have `limit` at once. Belongs to one event loop.

    More wait, first come, first served, for at most `seconds`; `what` says of what there are too
    many then.
    """

    def __init__(self, limit: int, what: str, seconds: float = WAIT_SECONDS) -> None:
        self._limit = limit
        self._what = what
        self._seconds = seconds
        self._taken: dict[Hashable, int] = {}
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def one(self, whose: Hashable) -> AsyncGenerator[None]:
        """Have one until the block is left. Raises `TooManyStreams`."""
        if not self.take_at_once(whose):
            await self.take(whose)
        try:
            yield
        finally:
            self.give_back(whose)

    def take_at_once(self, whose: Hashable) -> bool:
        """Take one that need not be waited for; whether there was one."""
        taken = self._taken.get(whose, 0)
        if taken >= self._limit:
            return False
        self._taken[whose] = taken + 1
        return True

    async def take(self, whose: Hashable) -> None:
        """Wait for one. Raises `TooManyStreams` where that takes too long."""
        turn = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(whose, deque())
        waiting.append(turn)
        try:
            async with asyncio.timeout(self._seconds):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                # Its turn came as it was given up.
                self.give_back(whose)
            else:
                with suppress(ValueError):
                    waiting.remove(turn)
                if not waiting and self._waiting.get(whose) is waiting:
                    del self._waiting[whose]
            if isinstance(error, TimeoutError):
                raise TooManyStreams(self._what, self._limit) from None
            raise

    def give_back(self, whose: Hashable) -> None:
        """Let the next one have what was taken."""
        waiting = self._waiting.get(whose)
        while waiting:
            turn = waiting.popleft()
            if not waiting:
                del self._waiting[whose]
            if not turn.done():
                turn.set_result(None)
                return
        left = self._taken.pop(whose) - 1
        if left:
            self._taken[whose] = left
