"""Decides where work runs: on the event loop, or in another thread.

A thread takes about 70 microseconds to start on the work and to return to the event loop, so short
work runs on the event loop. Longer work would make all other calls wait.
"""

import asyncio
import math
from collections.abc import Callable
from enum import Enum, unique
from typing import Final, TypeVar

T = TypeVar("T")

BUDGET: Final = 2000.0
"""How many microseconds of work may hold the event loop at a time."""

UNKNOWN: Final = math.inf
"""The cost of work without a bound, and of a wait for a disk or a process."""


@unique
class Work(Enum):
    """Kinds of work: what they are counted in, and the microseconds that one of these costs.

    The costs are rounded up, for the least favourable content. `make bench ONLY=costs` compares
    them with this machine.
    """

    EXAMINE = "characters of a circuit, and operations that they stand for", 0.9
    ANSWER = "bytes of a worker's answer", 0.03
    PACK_TEXT = "characters", 0.03
    UNPACK_TEXT = "bytes of the text, at most", 0.002
    PACK_RESULT = "counts, amplitudes and values", 2.0
    UNPACK_RESULT = "bytes of the result, at most", 0.08
    READ_VALUES = "numbers of a request", 0.1
    READ_TERMS = "terms of a request", 10.0
    COMPARE_TERMS = "pairs of terms", 0.25
    CONVERT_RESULT = "counts, amplitudes and values", 1.0
    DIGEST = "bytes of a request", 0.03
    COPY = "bytes", 0.002
    LOOK_UP = "rows, each found by a unique key", 30.0
    STORE_JOB = "jobs", 150.0
    STORE_DATA = "bytes of circuits", 0.03
    DRAFT_ROWS = "rows", 6.0
    DRAFT_DATA = "bytes of circuits and results", 0.01

    def __init__(self, unit: str, microseconds: float) -> None:
        self.unit = unit
        self._microseconds = microseconds

    def cost(self, number: float) -> float:
        """Return the microseconds that `number` units cost."""
        return number * self._microseconds

    @property
    def most(self) -> int:
        """How many units the event loop does at a time."""
        return int(BUDGET / self._microseconds)


async def run(cost: float, call: Callable[..., T], *arguments: object) -> T:
    """Return what `call` returns. Run it in another thread if its cost exceeds the budget."""
    if cost <= BUDGET:
        return call(*arguments)
    return await asyncio.to_thread(call, *arguments)
