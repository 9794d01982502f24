"""For how long many calls may each wait for something, with one timer for all of them."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

T = TypeVar("T")


class Patience:
    """Bounds waits, all of them by as many `seconds`, of tasks of one event loop, each in one wait
    at a time.

    `asyncio.timeout` sets a timer for each, which takes longer than most of the waits do.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        # When the patience with each task ends, the first of them first.
        self._ends: dict[asyncio.Task[Any], float] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, awaitable: Awaitable[T]) -> T:
        """What it gives. Raises `TimeoutError` where that takes too long."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # a coroutine runs in one
        loop = task.get_loop()
        self._ends[task] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._end, loop)
        before = task.cancelling()
        try:
            return await awaitable
        except asyncio.CancelledError:
            if task not in self._ends and task.uncancel() <= before:
                raise TimeoutError from None
            raise
        finally:
            self._ends.pop(task, None)

    def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        while self._ends:
            task, end = next(iter(self._ends.items()))
            if end > now:
                self._timer = loop.call_at(end, self._end, loop)
                break
            del self._ends[task]
            task.cancel()
