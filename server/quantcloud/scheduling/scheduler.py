"""Moves every job on: runs what is queued, kills what was cancelled.

It hangs on the store's writes, so whoever changes a job need not know of it.
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
from quantcloud.engine.base import Engine
from quantcloud.scheduling.runner import Runner
from quantcloud.scheduling.running import RunningJobs
from quantcloud.storage import Claim, ClaimedJobs, Room, Store

_GIVE_BACK_SECONDS = 5.0
_CHECK_SECONDS = 60.0
# So many are claimed together: the first of them do not wait long for the last.
_CLAIM_BATCH = 64
# How long short runs may wait, in all, behind others that the engine has: for an account that comes
# then this is time until its turn.
_BACKLOG_SECONDS = 0.04

log = structlog.stdlib.get_logger(__name__)


class Scheduler:
    """One server's share of the work. `owner` names the server in its leases.

    `failure` is what kept the last claim from being carried out.
    """

    def __init__(
        self,
        store: Store,
        engine: Engine,
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
        # Those of the runs that the engine has in hand.
        self._executing = RunningJobs()
        self._tasks: set[asyncio.Task[None]] = set()
        # The claim that has not been heard of, and all that are not durable yet.
        self._claiming: asyncio.Task[None] | None = None
        self._claims: set[asyncio.Task[None]] = set()
        self._look_again = False
        # Whether a job came since the claim was made: maybe into the transaction behind it.
        self._arrived = False
        # Whether there may be a job in the queue.
        self._left = True
        # Whether there may be a lease that no run holds: of a claim that failed and was carried
        # out, say.
        self._unheld = False
        self._check_seconds = check_seconds
        self._retry: asyncio.TimerHandle | None = None
        self.failure: Unavailable | Damaged | None = None
        self._unsubscribe: list[Callable[[], None]] = []
        self._stopping = False

    async def start(self) -> None:
        """Take up what an earlier server left, and go on from there."""
        # What another server on the same database left, it may still be at work on.
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
        """Claim nothing more, let runs finish for `grace` seconds, and put the others back.

        Until then runs are still cancelled. Safe to call twice.
        """
        self._stopping = True
        if self._claims:
            # Cancelled in the middle of a claim, it would leave leases that nobody holds.
            await asyncio.wait(self._claims)
        tasks = [task for _, task in self._runs.values()]
        if tasks and grace > 0:
            await asyncio.wait(tasks, timeout=grace)
        while self._unsubscribe:
            self._unsubscribe.pop()()
        await _cancelled([*self._tasks, *tasks])
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
            # Where a run ended elsewhere, its account may have another.
            room_elsewhere |= run is None and status.is_terminal
            if run is not None and _is_over(run[0], event.job):
                run[1].cancel()
        self._left |= bool(queued)
        if queued or (room_elsewhere and self._left):
            self._dispatch()

    def _about_to_write(self, arrival: bool) -> None:  # noqa: FBT001  # a listener's signature
        if self._claiming is not None:
            # If it has not been carried out yet, it comes behind what is about to be written.
            self._arrived |= arrival
        elif arrival or self._left:
            self._dispatch()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._worked)

    def _worked(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("work on a job broke off", exc_info=error)

    def _dispatch(self) -> None:
        """Claim what there is room for, in the transaction that is being gathered.

        While a claim is under way the next one waits for it.
        """
        if self._claiming is not None:
            self._look_again = True
            return
        self._look_again = self._arrived = False
        if self._stopping:
            return
        if self._unheld:
            self._claim_by(self._disown())
            return
        room = self._room()
        if room.slots + room.short < 1:
            return
        told: list[ClaimedJobs] = []

        def tell(claims: ClaimedJobs) -> None:
            told.append(claims)
            self._take_up(claims)

        claiming = self._store.jobs.claim(
            self._owner, room.slots, self._clock(), concurrency=self._concurrency,
            short=room.short, seconds=room.seconds, only_arrivals=not self._left,
            before_commit=tell,
        )  # fmt: skip
        self._claim_by(self._claimed(claiming, told))

    def _claim_by(self, work: Coroutine[Any, Any, None]) -> None:
        self._claiming = task = asyncio.ensure_future(work)
        self._claims.add(task)
        task.add_done_callback(self._claims.discard)

    async def _claimed(self, claiming: Awaitable[ClaimedJobs], told: Sequence[ClaimedJobs]) -> None:
        """Take up what was claimed, unless `told` shows that this was done before the commit.

        A run that begins so early tells nobody of it before its job is durable: its writes follow
        the claim's.
        """
        try:
            claims = await claiming
        except Exception as error:  # noqa: BLE001  # a server that claims nothing is none
            for claim in (each for claims in told for each in claims):
                self._drop(claim)
            self._unheld = self._left = True
            self._claim_later(error)
            claims = ClaimedJobs(left=True)
        else:
            self.failure = None
        if not told:
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
        """Give back what is leased here and no run holds; nothing is claimed meanwhile."""
        known = {claim.lease.token for claim, _ in self._runs.values()}
        # One that was told of before it is durable may fail meanwhile.
        self._unheld = False
        # What is given back now, or was when the claim failed.
        self._left = True
        try:
            for event in await self._store.leases.disown(self._owner, known, self._clock()):
                log.warning("a lease that no run held was given back", job_id=event.job.id)
        except (Unavailable, Damaged) as error:
            self._unheld = True
            self._claim_later(error)
        except Exception:
            # Others may run all the same; the next check tries again.
            log.exception("leases could not be given back")
        self._claiming = None
        if not self._unheld:
            self._dispatch()

    async def _check(self) -> None:
        """Look for leases that no run holds every now and then, whatever has lost them."""
        while not self._stopping:
            await asyncio.sleep(self._check_seconds)
            self._unheld = True
            self._dispatch()

    def _claim_later(self, error: Exception) -> None:
        """Try again in a while, once however many claims failed. A failure that goes on is logged
        once.
        """
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
        """What the engine can take up, short runs beyond its slots among it.

        One whose backend is still being imported takes no slot, so that it delays nobody on another
        backend; as many as there are slots may wait so. Short ones wait behind short ones only.
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
            # One that we lost, and have not stopped yet.
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
        """Break a run off."""
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


def _is_over(claim: Claim, job: Job) -> bool:
    """Whether a run is in vain: its job, as it is now, was cancelled, or its lease has ended."""
    attempt = claim.lease.attempt
    requeued = job.status is JobStatus.QUEUED and job.attempt == attempt
    return job.status is JobStatus.CANCELLED or requeued or job.attempt > attempt


async def _cancelled(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
