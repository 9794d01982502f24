"""A time limit for each of many waits."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from quantcloud.aio.timers import Timers

T = TypeVar("T")


class Deadlines:
    """Limits waits to `seconds` each. All tasks run on one event loop; each waits once at a time.

    `asyncio.timeout` sets one timer for each wait, which takes longer than most of the waits do.
    """

    def __init__(self, seconds: float) -> None:
        self._timers = Timers(seconds, _cancel)

    async def wait(self, awaitable: Awaitable[T]) -> T:
        """Return the result of `awaitable`. Raises `TimeoutError` if it takes too long."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # a coroutine runs in a task
        self._timers.start(task)
        before = task.cancelling()
        cancelled = False
        try:
            return await awaitable
        except asyncio.CancelledError:
            cancelled = True
            raise
        finally:
            # Undo the cancellation by the timer, even if the awaitable finished meanwhile.
            late = not self._timers.stop(task)
            if late and task.uncancel() <= before and cancelled:
                raise TimeoutError from None


def _cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()
