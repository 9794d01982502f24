"""The cores and the memory of the engine, and which run holds how much of them."""

import math
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from quantcloud.domain.execution import is_short
from quantcloud.domain.job import Job
from quantcloud.engine.base import WorkerEngine
from quantcloud.routing.method import Method
from quantcloud.storage import ClaimedJobs, Fit, Room
from quantcloud.telemetry import metrics

# How many jobs one claim takes at most, so that the first do not wait long for the last.
_CLAIM_BATCH = 64
# How long short runs may wait behind others in the engine, in seconds. A new account's job may
# wait this long for its turn.
_BACKLOG_SECONDS = 0.04
# How long other jobs may pass one that waits for memory or cores, in seconds. After that none
# starts before it, so it waits for the present runs at most.
_PASS_SECONDS = 2.0


class Run(Protocol):
    """What the ledger must know of a run."""

    @property
    def job(self) -> Job: ...

    @property
    def method(self) -> Method: ...

    @property
    def backend(self) -> str: ...


@dataclass(slots=True)
class _Held:
    """The cores that the runs on one backend hold, and those of runs not known to be short."""

    cores: int = 0
    long: int = 0


class Ledger:
    """Reserves cores and memory for runs. All runs together may take `memory_bytes`.

    A job that can never fit was refused at its admission. If the limits have changed since, it runs
    alone, and its worker's own limit holds.

    A run may have up to `threads_per_run` threads, on cores that are idle when it starts. These
    cores stay free for jobs that come later: the threads of such a run have the lowest priority.
    """

    def __init__(self, engine: WorkerEngine, memory_bytes: float, threads_per_run: float) -> None:
        self._engine = engine
        self._memory_bytes = memory_bytes
        self._threads_per_run = threads_per_run
        # The threads of runs beyond their cores, by job id.
        self._extra_threads: dict[str, int] = {}
        # Whether jobs wait for room, and how many claimed runs that gain from threads have not yet
        # taken their part of the idle cores.
        self._crowded = False
        self._sharing = 0
        self._runs: dict[str, Run] = {}
        # When the runs began, of `time.monotonic`.
        self._begun: dict[str, float] = {}
        self._held: defaultdict[str, _Held] = defaultdict(_Held)
        self._memory_held = 0
        # The predicted time of the short runs.
        self._short_seconds = 0.0
        # The job that waits for more memory or cores than are free, and since when.
        self._blocked: str | None = None
        self._blocked_since = 0.0
        metrics.RESERVED_CORES.set_function(
            lambda: sum(h.cores for h in self._held.values()) + sum(self._extra_threads.values())
        )
        metrics.RESERVED_BYTES.set_function(lambda: self._memory_held)

    def reserve(self, run: Run) -> None:
        """Reserve what a run takes. An older run of its job gives back its share."""
        if (former := self._runs.get(run.job.id)) is not None:
            self.release(former)
        self._runs[run.job.id] = run
        self._begun[run.job.id] = time.monotonic()
        self._add(run, 1)

    def release(self, run: Run) -> None:
        """Give back what a run took, if it has not done so."""
        if self._runs.get(run.job.id) is run:
            del self._runs[run.job.id], self._begun[run.job.id]
            self._extra_threads.pop(run.job.id, None)
            self._add(run, -1)

    def fits(self, job: Job, method: Method) -> bool:
        """Return whether a claim would take a job with this method now."""
        fit = Fit(self.room())
        return not fit.full and fit.take(job, method)

    def runs_of(self, account_id: str) -> int:
        """Return how many runs of an account hold their share."""
        return sum(run.job.account_id == account_id for run in self._runs.values())

    def idle_threads(self) -> int:
        """Return how many threads a run that is not reserved yet may have; at least 1."""
        return int(min(max(1, self._idle), self._threads_per_run))

    def add_threads(self, run: Run) -> int:
        """Reserve idle cores for a reserved run that gains from them. Return its threads.

        Runs that were claimed together share these cores.
        """
        cores, most = run.method.cores, _most_threads(run.method)
        if most == 1:
            return 1
        extra = min(
            self._idle // max(1, self._sharing), most - cores, self._threads_per_run - cores
        )
        self._sharing -= 1
        if extra < 1:
            return 1
        self._extra_threads[run.job.id] = int(extra)
        return cores + int(extra)

    @property
    def _idle(self) -> int:
        """How many cores no run has; 0 if jobs wait for room.

        Short runs do not count: they end in milliseconds, and go before the threads of others.
        """
        if self._crowded:
            return 0
        held = sum(held.long for held in self._held.values())
        return max(0, self._engine.cores - held - sum(self._extra_threads.values()))

    @property
    def has_worker(self) -> bool:
        """Whether a run may start on a worker of its own."""
        return sum(held.cores for held in self._held.values()) < self._engine.slots

    def seconds_to_memory(self, memory_bytes: int) -> float | None:
        """Return in how many seconds so much memory is likely to be free; None if it is free now.

        Return infinity if a run that holds it has no prediction.
        """
        missing = memory_bytes - (self._memory_bytes - self._memory_held)
        if missing <= 0 or not self._runs:
            return None
        now, after = time.monotonic(), 0.0
        for end, memory in sorted(self._ends()):
            if missing <= 0:
                break
            missing -= memory
            after = max(after, end - now)
        return after

    def _ends(self) -> Iterator[tuple[float, int]]:
        """Return when each run is likely to end, and the memory that it holds."""
        for job_id, run in self._runs.items():
            seconds = run.job.predicted_seconds
            end = math.inf if seconds is None else self._begun[job_id] + seconds
            yield end, run.method.memory_bytes

    def lend(self, run: Run) -> bool:
        """Reserve once more what a run holds, if that is free and no job is blocked."""
        method = run.method
        cores = sum(held.cores for held in self._held.values()) + method.cores
        memory = self._memory_held + method.memory_bytes
        if self._runs.get(run.job.id) is not run or self._blocked is not None:
            return False
        if cores > self._engine.slots or memory > self._memory_bytes:
            return False
        self._add(run, 1)
        return True

    def give_back(self, run: Run) -> None:
        """Return what was lent to a run once."""
        self._add(run, -1)

    def _add(self, run: Run, sign: int) -> None:
        job, method = run.job, run.method
        held, predicted = self._held[run.backend], job.predicted_seconds
        held.cores += sign * method.cores
        self._memory_held += sign * method.memory_bytes
        if predicted is None or not is_short(predicted):
            held.long += sign * method.cores
        elif self._runs:
            self._short_seconds += sign * predicted
        else:
            # Otherwise rounding errors would add up over millions of runs.
            self._short_seconds = 0.0

    def note(self, claimed: ClaimedJobs) -> None:
        """Reserve what claimed runs take, and note which jobs wait for more than is free."""
        for claim in claimed:
            self.reserve(claim)
        self._crowded = claimed.crowded
        self._sharing = sum(_most_threads(claim.method) > 1 for claim in claimed)
        if claimed.blocked != self._blocked:
            self._blocked, self._blocked_since = claimed.blocked, time.monotonic()

    def room(self) -> Room:
        """Return what is free, with short runs beyond the cores.

        A run whose backend is still being imported takes no core, so that it does not delay other
        backends. At most one run a core may wait so. Short runs wait only behind short runs.
        """
        size = self._engine.slots
        taken = waiting = busy = 0
        for backend, held in self._held.items():
            taken += held.cores
            if self._engine.is_ready(backend):
                busy += held.long
            else:
                waiting += held.cores
        free = size - taken + min(waiting, size)
        cores, short = min(max(0, free), _CLAIM_BATCH), 0
        if busy < size:
            short = min(max(0, self._engine.backlog + min(0, free)), _CLAIM_BATCH - cores)
        passing = time.monotonic() - self._blocked_since < _PASS_SECONDS
        return Room(
            cores,
            short,
            _BACKLOG_SECONDS * size - self._short_seconds,
            self._memory_bytes - self._memory_held,
            may_pass=self._blocked is None or passing,
            idle=not self._runs,
        )


def _most_threads(method: Method) -> int:
    return method.most_threads if method.parallel else 1
