"""A time limit for each of very many things, with one timer for all of them."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")

# Those that began together become due together. After a batch, other tasks can run.
_BATCH = 64
_PAUSE_SECONDS = 0.005


class Timers(Generic[Key]):
    """Calls `due` with each key `seconds` after its start. Use it from one event loop only."""

    def __init__(self, seconds: float, due: Callable[[Key], object]) -> None:
        self._seconds = seconds
        self._due = due
        # When each is due, on the loop's clock; the earliest first.
        self._ends: OrderedDict[Key, float] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    def start(self, key: Key) -> None:
        """Start the time of a key, or start it again."""
        loop = asyncio.get_running_loop()
        self._ends[key] = end = loop.time() + self._seconds
        self._ends.move_to_end(key)
        if self._timer is None:
            self._timer = loop.call_at(end, self._fire, loop)

    def stop(self, key: Key) -> bool:
        """Forget a key. Return whether its time was running."""
        return self._ends.pop(key, None) is not None

    def _fire(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now, called = loop.time(), 0
        while self._ends:
            key, end = next(iter(self._ends.items()))
            if called == _BATCH or end > now:
                self._timer = loop.call_at(max(end, now + _PAUSE_SECONDS), self._fire, loop)
                return
            del self._ends[key]
            self._due(key)
            called += 1
