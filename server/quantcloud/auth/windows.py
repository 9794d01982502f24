"""Where the requests of the last minute are counted, as storages of the `limits` library.

The library's own storage in memory reads the machine's clock, and on each request walks over all
keys with a thread for each of them. This one is told the time, and drops what is out of date as it
goes.
"""

from collections import deque
from collections.abc import Callable

from limits.aio.storage import MovingWindowSupport, Storage


class MemoryWindows(Storage, MovingWindowSupport):
    """Moving windows in this process. `now` gives the time in seconds since 1970.

    Every window of one storage is as long as every other, so that the one that was touched least
    recently is the first to be out of date.
    """

    STORAGE_SCHEME = None

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__()
        self._now = now
        self._windows: dict[str, deque[float]] = {}

    def __len__(self) -> int:
        return len(self._windows)

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count `amount` requests at once, unless that makes more than `limit` in `expiry` s."""
        now = self._now()
        # Last in the order of the dictionary: touched most recently.
        window = self._windows[key] = self._windows.pop(key, deque())
        _drop(window, now - expiry)
        granted = len(window) + amount <= limit
        if granted:
            window.extend([now] * amount)
        self._forget(now - expiry)
        return granted

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """When the oldest request that still counts was, and how many there are."""
        del limit
        now = self._now()
        window = self._windows.get(key, deque[float]())
        _drop(window, now - expiry)
        return (window[0], len(window)) if window else (now, 0)

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

    async def get(self, key: str) -> int:
        return len(self._windows.get(key, ()))

    async def get_expiry(self, key: str) -> float:
        window = self._windows.get(key)
        return window[-1] if window else self._now()

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        raise NotImplementedError("windows move here; there is no counter to increment")

    async def check(self) -> bool:
        return True

    async def reset(self) -> int:
        number = len(self._windows)
        self._windows.clear()
        return number

    async def clear(self, key: str) -> None:
        self._windows.pop(key, None)


def _drop(window: deque[float], since: float) -> None:
    while window and window[0] < since:
        window.popleft()
