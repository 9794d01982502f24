"""Runs one claimed job on the engine and writes what happens to it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from quantcloud.aio.retry import retrying
from quantcloud.backends.fleet import Fleet
from quantcloud.backends.runs import completed, execution_of, progress_of
from quantcloud.circuits.analysis import Analysis
from quantcloud.domain.account import MonthlyUsage, Tier, TierLimits
from quantcloud.domain.errors import NotFound
from quantcloud.domain.execution import Execution, Outcome
from quantcloud.domain.job import (
    LEASED,
    OUT_OF_MEMORY,
    Change,
    JobEvent,
    JobStatus,
    StaleLeaseError,
)
from quantcloud.domain.quota import next_month, simulator_seconds_left
from quantcloud.engine.base import (
    Engine,
    EngineError,
    ExecutionTimedOut,
    MachineLost,
    OutOfMemory,
    WorkerLost,
)
from quantcloud.routing.explanation import with_actual
from quantcloud.routing.method import Method
from quantcloud.scheduling.early_worker_runs import EarlyRun
from quantcloud.scheduling.start_record import REFUSALS, StartRecord
from quantcloud.scheduling.sweep_run import Loans, SweepRun
from quantcloud.storage import MAX_LOSSES, Claim, Input, JobRecord, PackedResult, Store
from quantcloud.telemetry import metrics

# A circuit that killed its worker is likely to kill the next one too.
_LOST_WORKERS = 2

log = structlog.stdlib.get_logger(__name__)


class Runner:
    """Runs claimed jobs. Every write names the claim's lease.

    `ending` is called when the end of a run was submitted: a claim that follows at once shares its
    transaction.
    """

    def __init__(
        self,
        store: Store,
        engine: Engine,
        fleet: Fleet,
        clock: Callable[[], datetime],
        limits: Callable[[Tier], TierLimits],
        *,
        ending: Callable[[], None],
        loans: Loans,
    ) -> None:
        self._store = store
        self._engine = engine
        self._fleet = fleet
        self._clock = clock
        self._limits = limits
        self._ending = ending
        self._loans = loans

    async def run(
        self,
        claim: Claim,
        release: Callable[[], None],
        *,
        threads: int,
        early: EarlyRun | None = None,
    ) -> None:
        """Run a claimed job to its end, or put it back into its queue if its worker was lost.

        `early` is the run of the job if it started before the job was stored.

        `release` is called when the engine has finished, before the end is written. If the job was
        cancelled or its lease was lost, the result is dropped. Cancelling the calling task kills
        the run and writes nothing.
        """
        if (reason := self._used_up(claim)) is not None:
            await self._fail_unrun(claim.record, reason)
            return
        try:
            given = await self._store.jobs.input_of(claim)
        except Exception as error:  # noqa: BLE001  # damaged data; the other jobs must still run
            await self._fail_unreadable(claim.record, error)
            return
        await self._run(claim, given, release, threads=threads, early=early)

    async def _run(
        self,
        claim: Claim,
        given: Input,
        release: Callable[[], None],
        *,
        threads: int,
        early: EarlyRun | None,
    ) -> None:
        job, this = claim.job, asyncio.current_task()
        assert this is not None  # noqa: S101  # this is a coroutine
        start_record = StartRecord(self._store, claim, self._clock, this.cancel)
        sweep_run: SweepRun | None = None
        earlier_seconds = 0.0
        try:
            try:
                try:
                    execution = execution_of(
                        job,
                        job.backend,
                        job.method,
                        given.qasm,
                        given.sweep,
                        threads=threads,
                        memory=claim.method.memory_bytes,
                    )
                    limit = self._limits(claim.tier).run_seconds(job.options.timeout_seconds)
                    if early is not None:
                        start_record.begin(early.began)
                        outcome = await early.running
                    elif given.sweep is None:
                        outcome = await self._engine.execute(
                            execution, time_limit=limit, on_start=start_record.begin
                        )
                    else:
                        sweep_run = SweepRun(
                            self._store,
                            self._engine,
                            self._clock,
                            self._loans,
                            claim=claim,
                            execution=execution,
                            sweep=given.sweep,
                            analysis=given.analysis,
                        )
                        outcome, earlier_seconds = await sweep_run.run(
                            time_limit=limit,
                            on_start=start_record.begin,
                            before_writing=start_record.write,
                        )
                finally:
                    release()
            except EngineError as error:
                await self._fail(claim, error, start_record, sweep_run, threads=threads)
            else:
                await self._complete(
                    claim,
                    execution,
                    given.analysis,
                    outcome,
                    start_record,
                    earlier_seconds=earlier_seconds,
                )
        except REFUSALS:
            log.info("late write refused", job_id=job.id, attempt=claim.lease.attempt)
        except asyncio.CancelledError:
            if not start_record.refused or this.uncancel() > 0:
                raise
            log.info("run was cancelled before it began", job_id=job.id)
        finally:
            await start_record.close()

    async def requeue(self, claim: Claim, *, lost: bool) -> None:
        """Put a job whose run was interrupted back into its queue; fail it the third time."""
        job = claim.job
        try:
            latest = await self._store.events.latest(job.account_id, job.id)
            if latest.job.status in LEASED:
                await self._store.jobs.requeue(job.id, claim.lease, self._clock(), lost=lost)
        except (StaleLeaseError, NotFound):
            log.info("lease was gone", job_id=job.id)

    async def _fail_unreadable(self, record: JobRecord, error: Exception) -> None:
        """Fail a claimed job whose stored data is damaged, or was written by a newer server."""
        log.error("a job cannot be read", job_id=record.job.id, exc_info=error)
        message = "the stored circuit can no longer be read; submit it again"
        if unknown := ", ".join(record.unknown_options):
            message = (
                f"options: {unknown} came from a newer version of the server, and this version "
                "cannot run them; submit the job again"
            )
        await self._fail_unrun(record, message)

    async def _fail_unrun(self, record: JobRecord, message: str) -> None:
        """Fail a claimed job that never reached the engine."""
        change = Change(JobStatus.FAILED, self._clock(), error_message=message)
        try:
            await self._end(record, [change])
        except (StaleLeaseError, NotFound):
            log.info("late write refused", job_id=record.job.id, attempt=record.held.attempt)

    async def _end(
        self,
        record: JobRecord,
        changes: Sequence[Change],
        *,
        result: PackedResult | None = None,
        seconds: float = 0.0,
        charged: bool = False,
    ) -> None:
        """Write the end of a run of `seconds`, however long the store is unavailable.

        What its job reserved is `charged` for runs that completed or reached their time limit.
        """
        job = record.job
        usage = MonthlyUsage(0.0 if job.reserved_qpu_tasks else seconds)
        if charged:
            usage = replace(
                usage, qpu_tasks=job.reserved_qpu_tasks, total_cost_usd=job.reserved_cost_usd
            )

        def submit() -> Awaitable[JobEvent]:
            ended = self._store.jobs.end(
                job.id, record.held, changes, result=result, usage=usage, known=record
            )
            self._ending()
            return ended

        await retrying(submit)

    def _used_up(self, claim: Claim) -> str | None:
        """Return an error if the account used up the month's simulator time meanwhile."""
        job, limits = claim.job, self._limits(claim.tier).monthly
        if job.reserved_qpu_tasks or simulator_seconds_left(limits, claim.used) != 0:
            return None
        return (
            f"the account used up its {limits.simulator_minutes:g} simulator minutes of the month "
            f"while the job waited; they renew at {next_month(self._clock()):%Y-%m-%dT%H:%M:%SZ}"
        )

    async def _complete(
        self,
        claim: Claim,
        execution: Execution,
        analysis: Analysis,
        outcome: Outcome,
        start_record: StartRecord,
        *,
        earlier_seconds: float,
    ) -> None:
        # Take the time before any await: the store may be unavailable for long.
        job, ended = claim.job, self._clock()
        begun = await start_record.changes()
        seconds = outcome.execution_time_ms / 1000 + earlier_seconds
        self._fleet.learn(execution.backend, _ran(claim, execution.threads), seconds)
        result, end = completed(
            execution, analysis, outcome, job.metadata, ended, earlier_seconds=earlier_seconds
        )
        await self._end(
            start_record.record,
            [*begun, end],
            # Before the end is submitted, so that a claim can share its transaction.
            result=await self._store.jobs.pack(result),
            seconds=seconds,
            charged=True,
        )

    async def _fail(
        self,
        claim: Claim,
        error: EngineError,
        start_record: StartRecord,
        sweep_run: SweepRun | None,
        *,
        threads: int,
    ) -> None:
        job, lease = claim.job, claim.lease
        # Take the time before any await: the store may be unavailable for long.
        seconds = start_record.seconds
        begun = await start_record.changes()
        if isinstance(error, WorkerLost | OutOfMemory):
            metrics.WORKER_LOSSES.labels(type(error).__name__).inc()
        if isinstance(error, WorkerLost):
            log.warning("worker lost", job_id=job.id, attempt=lease.attempt, error=str(error))
            now, because = self._clock(), str(error)
            most = MAX_LOSSES if isinstance(error, MachineLost) else _LOST_WORKERS
            await retrying(
                lambda: self._store.jobs.requeue(
                    job.id, lease, now, lost=True, because=because, most=most
                )
            )
            return
        timed_out = isinstance(error, ExecutionTimedOut)
        if timed_out:
            self._fleet.learn(job.backend or "", _ran(claim, threads), seconds, at_least=True)
        # A run that never started has no time to learn from.
        metadata = with_actual(job.metadata, seconds, threads) if seconds else None
        if metadata is not None and sweep_run is not None and job.points is not None:
            metadata = {**metadata, **progress_of(job.points, sweep_run.done)}
        if isinstance(error, OutOfMemory):
            metadata = {**(metadata or job.metadata), "reason": OUT_OF_MEMORY}
        end = Change(
            JobStatus.TIMEOUT if timed_out else JobStatus.FAILED,
            self._clock(),
            error_message=str(error),
            metadata=metadata,
        )
        changes = [*begun, end]
        await self._end(start_record.record, changes, seconds=seconds, charged=timed_out)


def _ran(claim: Claim, threads: int) -> Method:
    """Return the method of a claim, predicted for the threads that its run had."""
    return claim.method if threads == 1 else claim.method.on(threads)
