"""Moves jobs on: stores and claims new jobs, runs queued ones, and kills cancelled runs."""

import asyncio
import math
from collections.abc import Callable, Collection, Coroutine, Sequence
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from typing import Any

import structlog

from quantcloud.aio.retry import retrying
from quantcloud.backends.fleet import Fleet
from quantcloud.domain.account import MonthlyLimits, Tier, TierLimits
from quantcloud.domain.errors import Damaged, Unavailable
from quantcloud.domain.job import Job, JobEvent, JobStatus
from quantcloud.domain.news import News
from quantcloud.engine.base import WorkerEngine
from quantcloud.scheduling.claim_loop import ClaimLoop, Event
from quantcloud.scheduling.early_worker_runs import EarlyWorkerRuns
from quantcloud.scheduling.ledger import Ledger
from quantcloud.scheduling.runner import Runner
from quantcloud.storage import Claim, IdempotencyKey, NewJob, Store

_GIVE_BACK_SECONDS = 5.0
_CHECK_SECONDS = 60.0

log = structlog.stdlib.get_logger(__name__)


class Scheduler:
    """Runs one server's share of the jobs. `owner` names the server in its leases.

    All its runs together may take `memory_bytes`, and each may have `threads_per_run` threads.
    """

    def __init__(
        self,
        store: Store,
        engine: WorkerEngine,
        fleet: Fleet,
        *,
        owner: str,
        clock: Callable[[], datetime],
        limits: Callable[[Tier], TierLimits],
        memory_bytes: float = math.inf,
        threads_per_run: float = math.inf,
        check_seconds: float = _CHECK_SECONDS,
    ) -> None:
        self._store = store
        self._engine = engine
        self._clock = clock
        self._ledger = Ledger(engine, memory_bytes, threads_per_run)
        self.idle_threads = self._ledger.idle_threads
        concurrency = {tier: limits(tier).max_concurrent_jobs for tier in Tier}
        self.seconds_to_memory = self._ledger.seconds_to_memory
        self._claims = ClaimLoop(
            store,
            self._ledger,
            owner=owner,
            clock=clock,
            concurrency=concurrency,
            begin=self._begin,
            held=lambda: {claim.lease.token for claim, _ in self._runs.values()},
        )
        self._room_grew = partial(self._claims.notice, Event.ROOM)
        self._runner = Runner(
            store, engine, fleet, clock, limits, ending=self._room_grew, loans=self
        )
        self._early = EarlyWorkerRuns(
            engine,
            self._ledger,
            concurrency=concurrency,
            may_start=lambda: self._claims.no_job_waits and not self._stopping,
            ended=self._room_grew,
        )
        self.run_early = self._early.run
        self._runs: dict[str, tuple[Claim, asyncio.Task[None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._check_seconds = check_seconds
        self._subscription = ExitStack()
        self._stopping = False

    @property
    def failure(self) -> Unavailable | Damaged | None:
        """Why the last claim failed; None if it succeeded."""
        return self._claims.failure

    @property
    def is_idle(self) -> bool:
        """Whether no run is in progress."""
        return not self._runs and not self._early

    @property
    def has_worker(self) -> bool:
        """Whether a run may start on a worker of its own."""
        return self._ledger.has_worker

    async def start(self) -> None:
        """Recover the jobs of an earlier server process, and begin to claim."""
        # On a shared database, another server may still be working on its jobs.
        recovered = () if self._store.shared else await self._store.jobs.recover(self._clock())
        for event in recovered:
            log.info("job recovered", job_id=event.job.id, status=str(event.job.status))
        self._subscription.callback(self._store.subscribe(self._on_commit, self._wants))
        self._engine.subscribe(self._room_grew)
        self._claims.notice(Event.QUEUED)
        self._spawn(self._check())

    async def submit(
        self,
        new: Sequence[NewJob],
        *,
        max_waiting: int | None,
        monthly: MonthlyLimits | None = None,
        key: IdempotencyKey | None = None,
    ) -> list[list[JobEvent]]:
        """Store jobs as `Jobs.create_all` does, and claim them in the same transaction."""
        created = self._store.jobs.create_all(
            new, max_waiting=max_waiting, monthly=monthly, key=key
        )
        if any(each.result is None for each in new):
            self._claims.notice(Event.ARRIVAL)
        return await created

    async def stop(self, grace: float) -> None:
        """Claim no more, let runs finish for `grace` seconds, and put the rest back.

        Until then runs can still be cancelled. Safe to call twice.
        """
        self._stopping = True
        await self._claims.stop()
        tasks = [task for _, task in self._runs.values()]
        if tasks and grace > 0:
            await asyncio.wait(tasks, timeout=grace)
        self._subscription.close()
        await _cancel_all([*self._tasks, *tasks])
        try:
            async with asyncio.timeout(_GIVE_BACK_SECONDS):
                failed = await asyncio.gather(
                    *(self._runner.requeue(claim, lost=False) for claim, _ in self._runs.values()),
                    return_exceptions=True,
                )
            errors = [error for error in failed if error is not None]
        except TimeoutError as error:
            errors = [error]
        if errors:
            log.warning(
                "runs could not be given back; their leases will end", error=repr(errors[0])
            )
        self._runs.clear()

    def lend(self, claim: Claim) -> bool:
        """Lend a run the cores and memory that it holds once more, if no job waits for them."""
        return self._claims.no_job_waits and not self._stopping and self._ledger.lend(claim)

    def give_back(self, claim: Claim) -> None:
        """Return what was lent to a run once."""
        self._ledger.give_back(claim)
        self._room_grew()

    def _on_commit(self, events: Sequence[JobEvent]) -> None:
        queued: set[str] = set()
        room_elsewhere = False
        for event in events:
            job_id, status = event.job.id, event.job.status
            run = self._runs.get(job_id)
            if status is JobStatus.QUEUED:
                queued.add(job_id)
            else:
                queued.discard(job_id)
            # A run that ended elsewhere may let its account start another.
            room_elsewhere |= run is None and status.is_terminal
            if run is not None and _is_obsolete(run[0], event.job):
                run[1].cancel()
        if queued:
            self._claims.notice(Event.QUEUED)
        elif room_elsewhere:
            self._room_grew()

    def _wants(self, news: News) -> bool:
        """Whether `_on_commit` does something after a change by another server."""
        return (
            news.status is JobStatus.QUEUED
            or news.job_id in self._runs
            or (news.status.is_terminal and not self._claims.no_job_waits)
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._work_ended)

    def _work_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("work on a job broke off", exc_info=error)

    async def _check(self) -> None:
        """Look regularly for leases that no run holds, for any cause."""
        while True:
            await asyncio.sleep(self._check_seconds)
            self._claims.notice(Event.DUE)

    def _begin(self, claim: Claim) -> None:
        job_id = claim.job.id
        if job_id in self._runs:
            # Its lease was lost, and the run has not stopped yet.
            self._runs[job_id][1].cancel()
        threads = self._ledger.add_threads(claim)
        early = self._early.take(job_id)
        task = asyncio.ensure_future(
            self._runner.run(
                claim,
                partial(self._ledger.release, claim),
                threads=threads,
                early=early,
            )
        )
        if early is not None:
            # It goes on if the task ends before it waits for the run.
            task.add_done_callback(lambda _: early.running.cancel())
        self._runs[job_id] = (claim, task)
        task.add_done_callback(lambda done: self._ended(claim, done))

    def _ended(self, claim: Claim, task: asyncio.Task[None]) -> None:
        self._ledger.release(claim)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("a run broke off", job_id=claim.job.id, exc_info=error)
        if self._stopping and (error is not None or task.cancelled()):
            return  # `stop` gives it back
        if (run := self._runs.get(claim.job.id)) is not None and run[0] is claim:
            del self._runs[claim.job.id]
        self._room_grew()
        if error is not None:
            self._spawn(retrying(lambda: self._runner.requeue(claim, lost=not self._stopping)))


def _is_obsolete(claim: Claim, job: Job) -> bool:
    """Whether a run is useless now: its job was cancelled, or its lease has ended."""
    attempt = claim.lease.attempt
    requeued = job.status is JobStatus.QUEUED and job.attempt == attempt
    return job.status is JobStatus.CANCELLED or requeued or job.attempt > attempt


async def _cancel_all(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
