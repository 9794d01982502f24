"""Runs with several threads."""

# pyright: reportMissingTypeStubs=false
# threadpoolctl has no types.

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from threadpoolctl import threadpool_limits

_LOWEST_PRIORITY = 19

T = TypeVar("T")


def with_threads(number: int, run: Callable[[], T]) -> T:
    """Do `run` in a thread of the lowest priority, where OpenMP starts `number` threads.

    They inherit the priority, so they use only time that nothing else needs. A process cannot raise
    its priority again. So only this thread has the low one, and it ends with the run.
    """

    def lowered() -> T:
        # Linux sets the priority of the calling thread alone.
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, _LOWEST_PRIORITY)
        with threadpool_limits(number, user_api="openmp"):
            return run()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lowered).result()
