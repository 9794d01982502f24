"""Moving windows in this process, as a storage of the `limits` library."""

from collections import deque
from collections.abc import Callable

from limits.aio.storage import MemoryStorage


class MemoryWindows(MemoryStorage):
    """Windows of one length, whose cost does not depend on the number of callers.

    The library's own windows start a task for each request and a thread call for each caller, which
    takes 50 microseconds a request. `now` returns the time in seconds since 1970.
    """

    # The library must not use it for its own URLs.
    STORAGE_SCHEME = None

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__()
        self._now = now
        # The least recently used window is first, so it expires first.
        self._windows: dict[str, deque[float]] = {}

    def __len__(self) -> int:
        return len(self._windows)

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        now = self._now()
        window = self._windows[key] = self._windows.pop(key, deque[float]())
        _drop(window, now - expiry)
        # If the clock was set back, later times would count for too long.
        while window and window[-1] > now:
            window.pop()
        granted = len(window) + amount <= limit
        if granted:
            window.extend([now] * amount)
        self._forget(now - expiry)
        return granted

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:  # noqa: ARG002 (the library's signature)
        now = self._now()
        window = self._windows.get(key, deque[float]())
        _drop(window, now - expiry)
        return (window[0] if window else now), len(window)

    def _forget(self, since: float) -> None:
        """Drop up to two expired windows: more than one request adds."""
        for _ in range(2):
            key, window = next(iter(self._windows.items()))
            if len(self._windows) == 1 or (window and window[-1] >= since):
                return
            del self._windows[key]


def _drop(window: deque[float], before: float) -> None:
    while window and window[0] < before:
        window.popleft()
