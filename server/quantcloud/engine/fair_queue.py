"""Decides whose circuit is analysed next: one circuit of each owner at a time."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext
from datetime import timedelta

from quantcloud.domain.errors import Unavailable

# Circuits longer than this, in characters, may take long because of their length alone.
_LONG = 64 << 10

# The most text of one owner that may wait in the server's memory, in characters: eight of the
# longest accepted circuits.
_MOST_WAITING = 64 << 20


class _OwnerQueue:
    """One owner's circuits: the one that has its turn, and those that wait."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.circuits = 0
        self.characters = 0


class FairQueue:
    """Gives each owner one turn at a time, and at most `places` turns to all owners together.

    An owner's circuit waits for at most one circuit of each other owner, however many they send.
    One place is kept free of long circuits. Waiting for a turn ends after `wait_seconds` seconds.
    """

    def __init__(self, places: int, wait_seconds: float) -> None:
        self._places = asyncio.Semaphore(places)
        self._places_for_long = asyncio.Semaphore(max(1, places - 1))
        self._wait_seconds = wait_seconds
        self._owners: dict[str, _OwnerQueue] = {}

    @asynccontextmanager
    async def turn(self, owner: str, characters: int) -> AsyncGenerator[None]:
        """Wait for a turn for a circuit of `characters` characters.

        Raises `Unavailable` if too much text of this owner waits, or no turn comes in time.
        """
        queue = self._owners.setdefault(owner, _OwnerQueue())
        if queue.circuits and queue.characters + characters > _MOST_WAITING:
            raise _busy("too many large circuits of this account are waiting for analysis")
        queue.circuits += 1
        queue.characters += characters
        place_for_long = self._places_for_long if characters > _LONG else nullcontext()
        waiting = asyncio.timeout(self._wait_seconds)
        try:
            async with waiting, queue.turn, place_for_long, self._places:
                waiting.reschedule(None)
                yield
        except TimeoutError as error:
            if not waiting.expired():
                raise
            raise _busy("too many large circuits are waiting for analysis") from error
        finally:
            queue.circuits -= 1
            queue.characters -= characters
            if not queue.circuits:
                del self._owners[owner]


def _busy(message: str) -> Unavailable:
    return Unavailable(message, retry_after=timedelta(seconds=5), reason="EXAMINERS_BUSY")
