"""Moves jobs on: runs queued jobs, and kills the runs of cancelled ones.

It listens to the store's writes, so code that changes a job does not need to call it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from datetime import datetime
from typing import Any

import structlog

from quantcloud.aio.retry import RETRY_SECONDS, retrying
from quantcloud.backends.fleet import Fleet
from quantcloud.domain.account import Tier, TierLimits
from quantcloud.domain.errors import Damaged, Unavailable
from quantcloud.domain.job import Job, JobEvent, JobStatus
from quantcloud.engine.base import WorkerEngine
from quantcloud.scheduling.runner import Runner
from quantcloud.scheduling.running import RunningJobs
from quantcloud.storage import Claim, ClaimedJobs, Room, Store

_GIVE_BACK_SECONDS = 5.0
_CHECK_SECONDS = 60.0
# How many jobs one claim takes at most, so that the first do not wait long for the last.
_CLAIM_BATCH = 64
# How long short runs may wait behind others in the engine, in seconds. A new account's job may
# wait this long for its turn.
_BACKLOG_SECONDS = 0.04

log = structlog.stdlib.get_logger(__name__)


class Scheduler:
    """Runs one server's share of the jobs. `owner` names the server in its leases.

    `failure` is the error of the last claim, or None if it succeeded.
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
        check_seconds: float = _CHECK_SECONDS,
    ) -> None:
        self._store = store
        self._engine = engine
        self._owner = owner
        self._clock = clock
        self._runner = Runner(store, engine, fleet, clock, limits)
        self._concurrency = {tier: limits(tier).max_concurrent_jobs for tier in Tier}
        self._runs: dict[str, tuple[Claim, asyncio.Task[None]]] = {}
        # The runs that the engine has now.
        self._executing = RunningJobs()
        self._tasks: set[asyncio.Task[None]] = set()
        # The claim that has not answered yet, and all claims that are not durable yet.
        self._claiming: asyncio.Task[None] | None = None
        self._claims: set[asyncio.Task[None]] = set()
        self._look_again = False
        # Whether a job came after the claim was made, perhaps in a later transaction.
        self._arrived = False
        # Whether a job may be in the queue.
        self._left = True
        # Whether a lease may exist that no run holds. A claim that seemed to fail may have
        # committed, for example.
        self._maybe_unheld = False
        self._check_seconds = check_seconds
        self._retry: asyncio.TimerHandle | None = None
        self.failure: Unavailable | Damaged | None = None
        self._unsubscribe: list[Callable[[], None]] = []
        self._stopping = False

    async def start(self) -> None:
        """Recover the jobs of an earlier server process, and begin to claim."""
        # On a shared database, another server may still be working on its jobs.
        recovered = () if self._store.shared else await self._store.jobs.recover(self._clock())
        for event in recovered:
            log.info("job recovered", job_id=event.job.id, status=str(event.job.status))
        self._unsubscribe = [
            self._store.subscribe(self._on_commit),
            self._store.jobs.subscribe_writes(self._about_to_write),
        ]
        self._engine.subscribe(self._dispatch)
        self._dispatch()
        self._spawn(self._check())

    async def stop(self, grace: float) -> None:
        """Claim no more, let runs finish for `grace` seconds, and put the rest back.

        Until then runs can still be cancelled. Safe to call twice.
        """
        self._stopping = True
        if self._claims:
            # Cancelling a claim halfway would leave leases that no run holds.
            await asyncio.wait(self._claims)
        tasks = [task for _, task in self._runs.values()]
        if tasks and grace > 0:
            await asyncio.wait(tasks, timeout=grace)
        while self._unsubscribe:
            self._unsubscribe.pop()()
        await _cancel_all([*self._tasks, *tasks])
        try:
            async with asyncio.timeout(_GIVE_BACK_SECONDS):
                failed = await asyncio.gather(
                    *(
                        self._runner.give_back(claim, lost=False)
                        for claim, _ in self._runs.values()
                    ),
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
        self._left |= bool(queued)
        if queued or (room_elsewhere and self._left):
            self._dispatch()

    def _about_to_write(self, arrival: bool) -> None:  # noqa: FBT001  # a listener's signature
        if self._claiming is not None:
            # The claim may run before or after the coming write, so look again later.
            self._arrived |= arrival
        elif arrival or self._left:
            self._dispatch()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._work_ended)

    def _work_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("work on a job broke off", exc_info=error)

    def _dispatch(self) -> None:
        """Claim as many jobs as there is room for, in the next transaction.

        Only one claim is in progress at a time.
        """
        if self._claiming is not None:
            self._look_again = True
            return
        self._look_again = self._arrived = False
        if self._stopping:
            return
        if self._maybe_unheld:
            self._claim_by(self._disown())
            return
        room = self._room()
        if room.slots + room.short < 1:
            return
        early: list[ClaimedJobs] = []

        def take_early(claims: ClaimedJobs) -> None:
            early.append(claims)
            self._take_up(claims)

        claiming = self._store.jobs.claim(
            self._owner, room.slots, self._clock(), concurrency=self._concurrency,
            short=room.short, seconds=room.seconds, only_arrivals=not self._left,
            before_commit=take_early,
        )  # fmt: skip
        self._claim_by(self._finish_claim(claiming, early))

    def _claim_by(self, work: Coroutine[Any, Any, None]) -> None:
        self._claiming = task = asyncio.ensure_future(work)
        self._claims.add(task)
        task.add_done_callback(self._claims.discard)

    async def _finish_claim(
        self, claiming: Awaitable[ClaimedJobs], early: Sequence[ClaimedJobs]
    ) -> None:
        """Start the claimed jobs, unless `early` shows that they were started before the commit.

        An early run publishes nothing before its job is durable: its writes follow the claim's.
        """
        try:
            claims = await claiming
        except Exception as error:  # noqa: BLE001  # without claims the server does nothing
            for claim in (each for claims in early for each in claims):
                self._drop(claim)
            self._maybe_unheld = self._left = True
            self._claim_later(error)
            claims = ClaimedJobs(left=True)
        else:
            self.failure = None
        if not early:
            self._take_up(claims)

    def _take_up(self, claims: ClaimedJobs) -> None:
        for claim in claims:
            self._begin(claim)
        for record, error in claims.unreadable:
            self._spawn(self._runner.fail_unreadable(record, error))
        self._claiming = None
        self._left = claims.left or self._look_again
        if self._look_again or self._arrived or (claims and claims.left):
            self._dispatch()

    async def _disown(self) -> None:
        """Give back leases of this server that no run holds. Nothing is claimed meanwhile."""
        known = {claim.lease.token for claim, _ in self._runs.values()}
        # Clear it first: a claim that was started early may fail meanwhile and set it again.
        self._maybe_unheld = False
        # The jobs that are given back now, or were when the claim failed.
        self._left = True
        try:
            for event in await self._store.leases.disown(self._owner, known, self._clock()):
                log.warning("a lease that no run held was given back", job_id=event.job.id)
        except (Unavailable, Damaged) as error:
            self._maybe_unheld = True
            self._claim_later(error)
        except Exception:
            # Other jobs can still run; the next check tries again.
            log.exception("leases could not be given back")
        self._claiming = None
        if not self._maybe_unheld:
            self._dispatch()

    async def _check(self) -> None:
        """Look regularly for leases that no run holds, for any cause."""
        while not self._stopping:
            await asyncio.sleep(self._check_seconds)
            self._maybe_unheld = True
            self._dispatch()

    def _claim_later(self, error: Exception) -> None:
        """Schedule one retry, however many claims failed. Log a lasting failure once."""
        if self._retry is not None:
            return
        if isinstance(error, Unavailable | Damaged):
            if self.failure is None or error.reason != self.failure.reason:
                log.warning("claiming failed, trying again", error=error.message)
            self.failure = error
        else:
            log.error("claiming failed, trying again", exc_info=error)
        self._retry = asyncio.get_running_loop().call_later(RETRY_SECONDS, self._claim_again)

    def _claim_again(self) -> None:
        self._retry = None
        self._dispatch()

    def _room(self) -> Room:
        """Return how many runs the engine can take, with short runs beyond its slots.

        A run whose backend is still being imported takes no slot, so that it does not delay other
        backends. At most `slots` runs may wait so. Short runs wait only behind short runs.
        """
        size = self._engine.slots
        waiting = long = 0
        for backend, runs in self._executing.by_backend.items():
            if self._engine.is_ready(backend):
                long += runs.long
            else:
                waiting += runs.number
        room = size - len(self._executing) + min(waiting, size)
        slots = min(max(0, room), _CLAIM_BATCH)
        if long >= size:
            return Room(slots)
        short = min(max(0, self._engine.backlog + min(0, room)), _CLAIM_BATCH - slots)
        return Room(slots, short, _BACKLOG_SECONDS * size - self._executing.seconds)

    def _begin(self, claim: Claim) -> None:
        job_id = claim.job.id
        if job_id in self._runs:
            # Its lease was lost, and the run has not stopped yet.
            self._runs[job_id][1].cancel()
        self._executing.add(claim)
        task = asyncio.ensure_future(
            self._runner.run(
                claim, lambda: self._executing.discard(claim), lambda: self._drop(claim)
            )
        )
        self._runs[job_id] = (claim, task)
        task.add_done_callback(lambda done: self._ended(claim, done))

    def _drop(self, claim: Claim) -> None:
        """Stop a run."""
        run = self._runs.get(claim.job.id)
        if run is not None and run[0] is claim:
            run[1].cancel()

    def _ended(self, claim: Claim, task: asyncio.Task[None]) -> None:
        self._executing.discard(claim)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("a run broke off", job_id=claim.job.id, exc_info=error)
        if self._stopping and (error is not None or task.cancelled()):
            return  # `stop` gives it back
        if (run := self._runs.get(claim.job.id)) is not None and run[0] is claim:
            del self._runs[claim.job.id]
        if self._left:
            self._dispatch()
        if error is not None:
            self._spawn(retrying(lambda: self._runner.give_back(claim, lost=not self._stopping)))


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
