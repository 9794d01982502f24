"""Moves every job on: routes what was submitted, runs what is queued, kills what was cancelled.

It hangs on the store's commits, so whoever changes a job need not know of it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from datetime import datetime
from typing import Any

import structlog

from quantcloud.backends.fleet import Fleet
from quantcloud.domain.account import Tier, TierLimits
from quantcloud.domain.errors import Unavailable
from quantcloud.domain.job import LEASED, Change, Job, JobEvent, JobStatus, StaleLeaseError
from quantcloud.engine.base import Engine
from quantcloud.scheduling.pipeline import Pipeline
from quantcloud.scheduling.runner import Runner
from quantcloud.storage import Claim, Store

_ROUTED_AT_ONCE = 64
_RETRY_SECONDS = 1.0
_BROKEN = "The service failed on this job, not the circuit. Nothing was charged."

log = structlog.stdlib.get_logger(__name__)


class Scheduler:
    """One server's share of the work. `owner` names the server in its leases."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        fleet: Fleet,
        *,
        owner: str,
        clock: Callable[[], datetime],
        limits: Callable[[Tier], TierLimits],
    ) -> None:
        self._store = store
        self._engine = engine
        self._owner = owner
        self._clock = clock
        self._pipeline = Pipeline(store, fleet, clock)
        self._runner = Runner(store, engine, clock, limits)
        self._concurrency = {tier: limits(tier).max_concurrent_jobs for tier in Tier}
        self._routing = asyncio.Semaphore(_ROUTED_AT_ONCE)
        self._runs: dict[str, tuple[Claim, asyncio.Task[None]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._dispatcher: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Take up what an earlier server left, and go on from there.

        Call it before submissions come in: what is submitted meanwhile might be routed twice.
        """
        for event in await self._store.jobs.recover(self._clock()):
            log.info("job recovered", job_id=event.job.id, status=str(event.job.status))
        unrouted = await self._store.jobs.unrouted()
        self._unsubscribe = self._store.subscribe(self._on_commit)
        for job in unrouted:
            self._spawn(self._route(job))
        self._wake.set()
        self._dispatcher = asyncio.ensure_future(self._dispatch())

    async def stop(self, grace: float) -> None:
        """Claim nothing more, let runs finish for `grace` seconds, and put the others back.

        Until then submissions are still routed, and runs still cancelled. Safe to call twice.
        """
        self._stopping = True
        self._wake.set()
        if self._dispatcher is not None:
            # Cancelled in the middle of a claim, it would leave leases that nobody holds.
            await self._dispatcher
        tasks = [task for _, task in self._runs.values()]
        if tasks and grace > 0:
            await asyncio.wait(tasks, timeout=grace)
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        await _cancelled([*self._tasks, *tasks])
        for claim, _ in list(self._runs.values()):
            await self._give_back(claim)
        self._runs.clear()

    async def _give_back(self, claim: Claim) -> None:
        """Put a job whose run broke off back into its queue; the third time it is failed."""
        job = claim.job
        try:
            latest = await self._store.events.latest(job.account_id, job.id)
            if latest.job.status in LEASED:
                await self._store.jobs.requeue(
                    job.id, claim.lease, self._clock(), lost=not self._stopping
                )
        except StaleLeaseError:
            log.info("lease was gone", job_id=job.id)

    def _on_commit(self, events: Sequence[JobEvent]) -> None:
        for event in events:
            status = event.job.status
            if status is JobStatus.SUBMITTED:
                self._spawn(self._route(event.job))
            elif status is JobStatus.QUEUED:
                self._wake.set()
            elif status is JobStatus.CANCELLED and (run := self._runs.get(event.job.id)):
                run[1].cancel()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._worked)

    def _worked(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("work on a job broke off", exc_info=error)

    async def _route(self, job: Job) -> None:
        async with self._routing:
            try:
                await self._patiently(lambda: self._pipeline.route(job))
            except Exception:
                log.exception("routing failed", job_id=job.id)
                change = Change(JobStatus.FAILED, self._clock(), error_message=_BROKEN)
                await self._patiently(lambda: self._store.jobs.advance(job.id, [change]))

    async def _patiently(self, work: Callable[[], Awaitable[object]]) -> None:
        """Do `work`, again and again for as long as the store is not to be had."""
        while True:
            try:
                await work()
            except Unavailable as error:
                log.warning("the store is not to be had, trying again", error=error.message)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return

    async def _dispatch(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._stopping:
                return
            free = self._free()
            if free < 1:
                continue
            try:
                claims = await self._store.jobs.claim(
                    self._owner, free, self._clock(), concurrency=self._concurrency
                )
            except Exception:
                log.exception("claiming failed; trying again")
                asyncio.get_running_loop().call_later(_RETRY_SECONDS, self._wake.set)
                continue
            for claim in claims:
                self._begin(claim)
            if claims and self._free() > 0:
                self._wake.set()  # some of them wait for an import and take no slot

    def _free(self) -> int:
        """How many more runs the engine can take up.

        One whose backend is still being imported takes no slot, so that it delays nobody on another
        backend; as many as there are slots may wait so.
        """
        runs = [claim.job.backend or "" for claim, _ in self._runs.values()]
        waiting = sum(not self._engine.is_ready(backend) for backend in runs)
        return self._engine.slots - len(runs) + min(waiting, self._engine.slots)

    def _begin(self, claim: Claim) -> None:
        task = asyncio.ensure_future(self._runner.run(claim))
        self._runs[claim.job.id] = (claim, task)
        task.add_done_callback(lambda done: self._ended(claim, done))

    def _ended(self, claim: Claim, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("a run broke off", job_id=claim.job.id, exc_info=error)
        if self._stopping and (error is not None or task.cancelled()):
            return  # `stop` gives it back
        self._runs.pop(claim.job.id, None)
        self._wake.set()
        if error is not None:
            self._spawn(self._patiently(lambda: self._give_back(claim)))


async def _cancelled(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
