"""Moving windows in this process."""

from collections import deque
from collections.abc import Callable, Hashable
from typing import NamedTuple

SECONDS = 60
"""The length of a window."""


class Hit(NamedTuple):
    """A request that was counted if it was `granted`.

    `remaining` more are allowed now. At `reset`, in seconds since 1970, the oldest counted request
    leaves the window.
    """

    granted: bool
    remaining: int
    reset: float


class MemoryWindows:
    """The window of each caller. The cost of a request does not depend on their number.

    `now` returns the time in seconds since 1970.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        # The least recently used window is first, so it expires first.
        self._windows: dict[Hashable, deque[float]] = {}

    def __len__(self) -> int:
        return len(self._windows)

    def hit(self, key: Hashable, limit: int) -> Hit:
        """Count a request, unless `limit` requests are in the window."""
        now = self._now()
        since = now - SECONDS
        window = self._windows[key] = self._windows.pop(key, deque[float]())
        while window and window[0] < since:
            window.popleft()
        # If the clock was set back, later times would count for too long.
        while window and window[-1] > now:
            window.pop()
        granted = len(window) < limit
        if granted:
            window.append(now)
        self._forget(since)
        reset = (window[0] if window else now) + SECONDS
        return Hit(granted, max(0, limit - len(window)), reset)

    def _forget(self, since: float) -> None:
        """Drop up to two expired windows: more than one request adds."""
        for _ in range(2):
            key, window = next(iter(self._windows.items()))
            if len(self._windows) == 1 or (window and window[-1] >= since):
                return
            del self._windows[key]
