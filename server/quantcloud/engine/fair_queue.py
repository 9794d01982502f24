"""Whose circuit is looked at next: one of each owner's at a time."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext
from datetime import timedelta

from quantcloud.domain.errors import Unavailable

# Longer circuits, in characters, may take long by their length alone.
_LONG = 64 << 10

# What an owner's circuits may hold of the server's memory while they wait, in characters: eight
# of the longest that are accepted.
_MOST_WAITING = 64 << 20


class _Line:
    """One owner's circuits: that which has its turn, and those that wait."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.members = 0
        self.characters = 0


class FairQueue:
    """Gives each owner one turn at a time, of `places` turns at once for all of them together.

    However many circuits somebody sends, and however long each takes to look at, whoever asks next
    for another owner waits for at most one of them. One place is kept free of long circuits. A
    turn that is not had within `wait_seconds` seconds is not had at all.
    """

    def __init__(self, places: int, wait_seconds: float) -> None:
        self._places = asyncio.Semaphore(places)
        self._places_for_long = asyncio.Semaphore(max(1, places - 1))
        self._wait_seconds = wait_seconds
        self._lines: dict[str, _Line] = {}

    @asynccontextmanager
    async def turn(self, owner: str, characters: int) -> AsyncGenerator[None]:
        """Have a turn for a circuit of so many characters.

        Raises `Unavailable` where too much is waiting, of this owner's or of everyone's.
        """
        line = self._lines.setdefault(owner, _Line())
        if line.members and line.characters + characters > _MOST_WAITING:
            raise _busy("too many large circuits of this account wait to be looked at")
        line.members += 1
        line.characters += characters
        place_for_long = self._places_for_long if characters > _LONG else nullcontext()
        waiting = asyncio.timeout(self._wait_seconds)
        try:
            async with waiting, line.turn, place_for_long, self._places:
                waiting.reschedule(None)
                yield
        except TimeoutError as error:
            if not waiting.expired():
                raise
            raise _busy("too many large circuits wait to be looked at") from error
        finally:
            line.members -= 1
            line.characters -= characters
            if not line.members:
                del self._lines[owner]


def _busy(message: str) -> Unavailable:
    return Unavailable(message, retry_after=timedelta(seconds=5), reason="EXAMINERS_BUSY")
