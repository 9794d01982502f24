"""Where the requests of the last minute are counted."""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

SECONDS = 60
"""How long a window is."""


class Standing(NamedTuple):
    """After a request: whether it was granted, how many are left, and when there is one more.

    That is when the oldest that counts no longer does, in seconds since 1970.
    """

    granted: bool
    remaining: int
    reset: float


class WindowsUnavailable(Exception):
    """Windows that are kept elsewhere do not answer; the text says why."""


class Windows(Protocol):
    """A moving window for each key and limit."""

    def now(self) -> float:
        """The time that they go by, in seconds since 1970."""
        ...

    async def take(self, key: str, limit: int) -> Standing:
        """Count a request, unless `limit` of them are in the window.

        Raises `WindowsUnavailable`.
        """
        ...

    async def close(self) -> None:
        """Let go of whatever they are kept in."""
        ...


class MemoryWindows:
    """Windows in this process. `now` gives the time in seconds since 1970.

    Every window is as long as every other, so that the one that was touched least recently is the
    first to be out of date.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self._windows: dict[tuple[str, int], deque[float]] = {}

    def __len__(self) -> int:
        return len(self._windows)

    async def take(self, key: str, limit: int) -> Standing:
        now = self.now()
        # Last in the order of the dictionary: touched most recently.
        window = self._windows[key, limit] = self._windows.pop((key, limit), deque[float]())
        _drop(window, now - SECONDS)
        # A clock that was set back would have them count for as long as that.
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
        """Drop two windows that are out of date, if there are: more than one request adds."""
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
