"""Short runs that start on a worker before their jobs are stored."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from quantcloud.domain.account import Tier
from quantcloud.domain.execution import Execution, Outcome, is_short
from quantcloud.domain.job import Job
from quantcloud.engine.base import WorkerEngine
from quantcloud.routing.method import Method
from quantcloud.scheduling.ledger import Ledger
from quantcloud.storage import NewJob

# How long a submission waits for the end of its run, in seconds. A short run waits behind other
# short runs for less than that, and is itself much shorter.
_WAIT_SECONDS = 0.2
# How long a run goes on that no claim takes over, because its job was not stored or is run by
# another server. To end it means to kill its worker, and nearly all runs end by themselves.
_UNCLAIMED_SECONDS = 1.0


@dataclass(eq=False, slots=True)
class EarlyRun:
    """A run that started before its job was stored.

    `began` is the time of its start by `time.monotonic`, or that of its call if it has not started.
    """

    job: Job
    backend: str
    method: Method
    running: "asyncio.Task[Outcome]"
    began: float


class EarlyWorkerRuns:
    """Starts short runs before their jobs are stored, if no job waits for a worker.

    A job whose run has ended is stored with its result, in one transaction. If the run fails or
    takes longer than predicted, the job is stored without a result, and the job's claim takes over
    the run. Until the job is stored, nothing of the run is published, stored or charged.

    `ended` is called after each run.
    """

    def __init__(
        self,
        engine: WorkerEngine,
        ledger: Ledger,
        *,
        concurrency: Mapping[Tier, int],
        may_start: Callable[[], bool],
        ended: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._ledger = ledger
        self._concurrency = concurrency
        self._may_start = may_start
        self._on_end = ended
        self._runs: dict[str, EarlyRun] = {}

    def __bool__(self) -> bool:
        return bool(self._runs)

    async def run(
        self,
        new: NewJob,
        execution: Execution,
        tier: Tier,
        *,
        time_limit: float,
        on_start: Callable[[], None],
    ) -> Outcome | None:
        """Run a job that is not stored yet. Return None if it must be stored without an outcome.

        `on_start` is called when the run has started.
        """
        if not self._may_run(new, execution, tier):
            return None

        def started() -> None:
            run.began = time.monotonic()
            on_start()

        executing = self._engine.execute(execution, time_limit=time_limit, on_start=started)
        running = asyncio.ensure_future(executing)
        run = EarlyRun(new.job, execution.backend, new.method, running, time.monotonic())
        self._runs[new.job.id] = run
        self._ledger.reserve(run)
        running.add_done_callback(lambda _: self._ended(run))
        outcome = None
        try:
            await asyncio.wait((running,), timeout=_WAIT_SECONDS)
            if running.done() and not running.cancelled() and running.exception() is None:
                outcome = running.result()
        finally:
            if outcome is not None:
                self.take(new.job.id)
            else:
                asyncio.get_running_loop().call_later(_UNCLAIMED_SECONDS, self._drop, run)
        return outcome

    def take(self, job_id: str) -> EarlyRun | None:
        """Return the run of a job that is claimed now, if it has started before."""
        return self._runs.pop(job_id, None)

    def _may_run(self, new: NewJob, execution: Execution, tier: Tier) -> bool:
        job = new.job
        return (
            self._may_start()
            and is_short(execution.predicted_seconds)
            and execution.sweep is None
            and not job.reserved_qpu_tasks
            and self._ledger.runs_of(job.account_id) < self._concurrency[tier]
            and self._engine.is_ready(execution.backend)
            and self._ledger.fits(job, new.method)
        )

    def _ended(self, run: EarlyRun) -> None:
        self._ledger.release(run)
        self._on_end()
        if not run.running.cancelled():
            run.running.exception()  # asyncio logs an error that nobody reads

    def _drop(self, run: EarlyRun) -> None:
        if self._runs.get(run.job.id) is run:
            del self._runs[run.job.id]
            run.running.cancel()
