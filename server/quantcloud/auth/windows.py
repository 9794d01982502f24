"""Moving windows, which count the requests of the last minute."""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

SECONDS = 60
"""The length of a window."""


class Standing(NamedTuple):
    """A window after a request: whether it was granted, how many are left, and the reset time.

    At `reset`, in seconds since 1970, the oldest counted request leaves the window.
    """

    granted: bool
    remaining: int
    reset: float


class WindowsUnavailable(Exception):
    """Shared windows do not answer; the text says why."""


class Windows(Protocol):
    """A moving window for each key and limit."""

    def now(self) -> float:
        """Return the time of the windows' clock, in seconds since 1970."""
        ...

    async def take(self, key: str, limit: int) -> Standing:
        """Count a request, unless `limit` requests are in the window.

        Raises `WindowsUnavailable`.
        """
        ...

    async def close(self) -> None:
        """Release the resources of the windows."""
        ...


class MemoryWindows:
    """Windows in this process. `now` returns the time in seconds since 1970.

    All windows have the same length, so the least recently used one expires first.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self._windows: dict[tuple[str, int], deque[float]] = {}

    def __len__(self) -> int:
        return len(self._windows)

    async def take(self, key: str, limit: int) -> Standing:
        now = self.now()
        # Moved to the end of the dictionary: most recently used.
        window = self._windows[key, limit] = self._windows.pop((key, limit), deque[float]())
        _drop(window, now - SECONDS)
        # If the clock was set back, later times would count for too long.
        while window and window[-1] > now:
            window.pop()
        granted = len(window) < limit
        if granted:
            window.append(now)
        self._forget(now - SECONDS)
        return Standing(granted, limit - len(window), (window[0] if window else now) + SECONDS)

    async def close(self) -> None:
        self._windows.clear()

    def _forget(self, since: float) -> None:
        """Drop up to two expired windows: more than one request adds."""
        for _ in range(2):
            key = next(iter(self._windows))
            window = self._windows[key]
            if window and window[-1] >= since:
                return
            if len(self._windows) == 1:
                return
            del self._windows[key]


def _drop(window: deque[float], since: float) -> None:
    while window and window[0] < since:
        window.popleft()
