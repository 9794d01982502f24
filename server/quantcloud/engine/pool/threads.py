"""Runs with several threads."""

# pyright: reportUnknownMemberType=false
# threadpoolctl has no types.

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController

_LOWEST_PRIORITY = 19

T = TypeVar("T")


def with_threads(number: int, library: str, run: Callable[[], T]) -> T:
    """Do `run` in a thread of the lowest priority, where OpenMP starts `number` threads.

    They inherit the priority, so they use only time that nothing else needs. A process cannot raise
    its priority again. So only this thread has the low one, and it ends with the run. `library`
    names what `run` calls, and must be loaded.
    """

    def lowered() -> T:
        # Linux sets the priority of the calling thread alone.
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, _LOWEST_PRIORITY)
            if hasattr(os, "SCHED_IDLE"):
                # Others then take the core at once, and not at the end of this thread's slice.
                os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        with _controller(library).limit(limits=number, user_api="openmp"):
            return run()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lowered).result()


@lru_cache
def _controller(library: str) -> ThreadpoolController:
    """Return what sets the threads of all libraries that are loaded when `library` first runs.

    To look for them takes 5 ms.
    """
    del library
    return ThreadpoolController()
