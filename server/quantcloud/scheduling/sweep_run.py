"""Runs the points of one claimed sweep: in windows, each of which is a run of a worker."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple, Protocol

from quantcloud.aio.retry import retrying
from quantcloud.backends.result_sizes import point_bytes
from quantcloud.backends.runs import progress_of
from quantcloud.circuits.analysis import Analysis
from quantcloud.domain.execution import Execution, Outcome
from quantcloud.domain.job import Change, JobStatus
from quantcloud.domain.sweep import Sweep
from quantcloud.engine.base import (
    Engine,
    EngineError,
    ExecutionFailed,
    ExecutionTimedOut,
    OutOfMemory,
)
from quantcloud.storage import Claim, Store

# How long a window is predicted to take. A worker that is lent is given back after that, and no
# more than that is lost with a worker.
_WINDOW_SECONDS: Final = 0.4
# The same for the first windows of a long run, whose prediction may be wrong.
_FIRST_SECONDS: Final = 0.1
# How many bytes the points of a window have, as predicted.
_WINDOW_BYTES: Final = 4 << 20
# How much longer than the window before it a window may be.
_GROWTH: Final = 4
# The shortest time between two events that tell the progress.
_EVENT_SECONDS: Final = 1.0
# How many bytes of points may wait for those before them.
_WAITING_BYTES: Final = 32 << 20


class Loans(Protocol):
    """Lends idle cores to a run that can use more than its own."""

    def lend(self, claim: Claim) -> bool:
        """Lend the claim as much as it holds, if nobody waits for it."""
        ...

    def give_back(self, claim: Claim) -> None:
        """Return what was lent once."""
        ...


class Swept(NamedTuple):
    """The end of a sweep: the outcome of the last window, and the time of all before it."""

    last: Outcome
    earlier_seconds: float


class _Window(NamedTuple):
    first: int
    last: int


class SweepRun:
    """The run of one claimed sweep.

    Windows are written in order, so the points that are done are the first ones. The last window is
    left to the caller, who writes it with the end of the job. A run that follows a lost one goes on
    after what that one has written. `before_writing` returns when the start of the run is stored.
    """

    def __init__(
        self,
        store: Store,
        engine: Engine,
        clock: Callable[[], datetime],
        loans: Loans,
        *,
        claim: Claim,
        execution: Execution,
        sweep: Sweep,
        analysis: Analysis,
    ) -> None:
        self._store = store
        self._engine = engine
        self._clock = clock
        self._loans = loans
        self._claim = claim
        self._execution = execution
        self._sweep = sweep
        self.done = 0
        """How many points are written."""
        self.seconds = 0.0
        """How long the runs of these points took."""
        self._next = 0
        predicted = execution.predicted_seconds or 0.0
        self._point_seconds = predicted / sweep.points
        self._point_bytes = point_bytes(sweep, analysis, execution.shots)
        self._most = math.inf
        self._running: dict[asyncio.Task[Outcome], _Window] = {}
        self._waiting: dict[int, Outcome] = {}
        self._lent = 0
        self._told_at = 0.0

    async def run(
        self,
        *,
        time_limit: float,
        on_start: Callable[[], None],
        before_writing: Callable[[], Awaitable[None]],
    ) -> Swept:
        """Run the points that are not done. Raises the errors of `Engine.execute`."""
        if self._claim.lease.attempt > 1:
            self.done, self.seconds = await retrying(
                lambda: self._store.jobs.progress(self._claim.job.id)
            )
            self._next = self.done
        clock = _Clock(time_limit, partial(self._begin, on_start))
        try:
            while True:
                self._start_windows(clock)
                await self._finish_windows(clock)
                # The workers are busy while the points are written.
                self._start_windows(clock)
                if (last := await self._write(before_writing)) is not None:
                    return Swept(last, self.seconds)
        finally:
            await self._stop()

    def _begin(self, on_start: Callable[[], None]) -> None:
        self._told_at = asyncio.get_running_loop().time()  # the start is an event too
        on_start()

    def _start_windows(self, clock: "_Clock") -> None:
        while self._next < self._sweep.points:
            # One window runs on the claim's own share.
            if self._running:
                if not (self._has_room() and self._loans.lend(self._claim)):
                    return
                self._lent += 1
            window = _Window(self._next, min(self._next + self._size(), self._sweep.points))
            self._next = window.last
            self._running[asyncio.ensure_future(self._execute(window, clock))] = window

    def _has_room(self) -> bool:
        size = sum(each.points.size for each in self._waiting.values() if each.points)
        return size < _WAITING_BYTES

    def _size(self) -> int:
        """Return how many points the next window has."""
        seconds = _WINDOW_SECONDS
        if self._most == math.inf and self._point_seconds * self._sweep.points > seconds:
            seconds = _FIRST_SECONDS
        by_time = seconds / self._point_seconds if self._point_seconds else math.inf
        most = min(by_time, _WINDOW_BYTES / max(1.0, self._point_bytes), self._most)
        return max(1, int(min(most, self._sweep.points)))

    async def _execute(self, window: _Window, clock: "_Clock") -> Outcome:
        sweep, predicted = self._sweep, self._execution.predicted_seconds
        points = window.last - window.first
        execution = replace(
            self._execution,
            sweep=sweep.between(window.first, window.last),
            predicted_seconds=predicted and predicted * points / sweep.points,
        )
        return await self._engine.execute(
            execution, time_limit=clock.left(), on_start=clock.started
        )

    async def _finish_windows(self, clock: "_Clock") -> None:
        """Wait until a window ends. Raises the error of a window that failed."""
        if not self._running:
            return
        ended, _ = await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        for task in sorted(ended, key=lambda each: self._running[each].first):
            window = self._running.pop(task)
            self._give_back(min(1, self._lent))
            try:
                outcome = task.result()
            except ExecutionTimedOut as error:
                raise clock.over() from error
            except (ExecutionFailed, OutOfMemory) as error:
                raise self._located(error, window) from error
            self._waiting[window.first] = outcome
            self._learn(window, outcome)

    def _learn(self, window: _Window, outcome: Outcome) -> None:
        points = window.last - window.first
        self._point_seconds = outcome.execution_time_ms / 1000 / points
        if outcome.points is not None:
            self._point_bytes = outcome.points.size / points
        self._most = _GROWTH * points

    def _located(self, error: EngineError, window: _Window) -> EngineError:
        """Return an error that says at which points it happened."""
        if self._sweep.points == 1 or "point " in str(error):
            return error
        alone = window.last - window.first == 1
        where = f"point {window.first}" if alone else f"points {window.first} to {window.last - 1}"
        return type(error)(f"at {where}: {error}")

    async def _write(self, before_writing: Callable[[], Awaitable[None]]) -> Outcome | None:
        """Write the windows that follow what is done; return the last one instead."""
        while (outcome := self._waiting.pop(self.done, None)) is not None:
            points, seconds = outcome.points, outcome.execution_time_ms / 1000
            assert points is not None  # noqa: S101  # the engine checked it
            if points.last == self._sweep.points:
                return outcome
            await before_writing()
            change = self._progress(points.last)
            await retrying(
                partial(
                    self._store.jobs.add_block,
                    self._claim.job.id,
                    self._claim.lease,
                    points,
                    seconds,
                    change,
                )
            )
            self.done, self.seconds = points.last, self.seconds + seconds
        return None

    def _progress(self, done: int) -> Change | None:
        """Return the change that tells the progress, if it is time."""
        now = asyncio.get_running_loop().time()
        if now < self._told_at + _EVENT_SECONDS:
            return None
        self._told_at = now
        metadata = {**self._claim.job.metadata, **progress_of(self._sweep.points, done)}
        return Change(JobStatus.RUNNING, self._clock(), metadata=metadata, is_progress=True)

    async def _stop(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self._running.clear()
        self._give_back(self._lent)

    def _give_back(self, number: int) -> None:
        for _ in range(number):
            self._lent -= 1
            self._loans.give_back(self._claim)


class _Clock:
    """The time limit of a sweep, which counts from the start of its first window."""

    def __init__(self, limit: float, on_start: Callable[[], None]) -> None:
        self._limit = limit
        self._on_start = on_start
        self._began: float | None = None

    def started(self) -> None:
        if self._began is None:
            self._began = asyncio.get_running_loop().time()
            self._on_start()

    def left(self) -> float:
        """Return how many seconds are left. Raises `ExecutionTimedOut` if none are."""
        if self._began is None:
            return self._limit
        left = self._began + self._limit - asyncio.get_running_loop().time()
        if left <= 0:
            raise self.over()
        return left

    def over(self) -> ExecutionTimedOut:
        return ExecutionTimedOut(f"reached its time limit of {self._limit:g} s")
