"""A time limit for each of many waits, with one timer for all of them."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable
from typing import Any, TypeVar

T = TypeVar("T")


class Deadlines:
    """Limits waits to `seconds` each. All tasks run on one event loop; each waits once at a time.

    `asyncio.timeout` sets one timer for each wait, which takes longer than most of the waits do.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        # When each task's wait times out, earliest first.
        self._ends: OrderedDict[asyncio.Task[Any], float] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    async def wait(self, awaitable: Awaitable[T]) -> T:
        """Return the result of `awaitable`. Raises `TimeoutError` if it takes too long."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # a coroutine runs in a task
        loop = task.get_loop()
        self._ends[task] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._end, loop)
        before = task.cancelling()
        cancelled = False
        try:
            return await awaitable
        except asyncio.CancelledError:
            cancelled = True
            raise
        finally:
            # Undo the cancellation made by `_end`, even if the awaitable finished meanwhile.
            late = self._ends.pop(task, None) is None
            if late and task.uncancel() <= before and cancelled:
                raise TimeoutError from None

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
