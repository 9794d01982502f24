"""Running and planning circuits."""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime

from quantcloud.aio.cooperative import Yielder
from quantcloud.auth.principal import Principal
from quantcloud.circuits.analysis import Analysis
from quantcloud.domain.account import MonthlyLimits, MonthlyUsage, Tier, TierLimits
from quantcloud.domain.cursors import Listing
from quantcloud.domain.errors import DomainError, InvalidArgument, QuotaExceeded
from quantcloud.domain.job import Job, JobEvent
from quantcloud.domain.quota import check_month, check_waiting, month_left
from quantcloud.domain.value_object import value_object
from quantcloud.drawing import Drawing
from quantcloud.engine.base import WorkerEngine
from quantcloud.routing.router import Placement
from quantcloud.scheduling.scheduler import Scheduler
from quantcloud.services.admission import Admission, Admitted
from quantcloud.services.early_runs import EarlyRuns
from quantcloud.services.submission import Submission
from quantcloud.storage import IdempotencyKey, Store
from quantcloud.telemetry import metrics


@value_object
class Plan:
    """What a submission would do if it were run; `queue_position` 1 is next.

    `left` is what the account has left of the month before this run. `waiting_left` is how many
    more jobs may wait now.
    """

    admitted: Admitted
    queue_position: int
    left: MonthlyLimits
    waiting_left: int


@value_object
class Batch:
    """Jobs that were submitted together, in the order of their circuits.

    All their events come after `cursor` among the account's events.
    """

    id: str
    jobs: Sequence[Job]
    cursor: str


class CircuitUseCases:
    """What users do with circuits that they send."""

    def __init__(
        self,
        store: Store,
        engine: WorkerEngine,
        scheduler: Scheduler,
        admission: Admission,
        early_runs: EarlyRuns,
        *,
        clock: Callable[[], datetime],
        limits: Callable[[Tier], TierLimits],
    ) -> None:
        self._store = store
        self._engine = engine
        self._scheduler = scheduler
        self._admission = admission
        self._early_runs = early_runs
        self._clock = clock
        self._limits = limits

    async def run(
        self, principal: Principal, submission: Submission, key: IdempotencyKey | None = None
    ) -> Job:
        """Store a job for the submission and return the job once it is durable.

        The job is returned as submitted, even if its run has ended by then. If `key` was used in
        the last 24 hours, the first job is returned again. Raises `AlreadyExists` if the key
        belongs to a different request.
        """
        if (known := await self._known(principal, key)) is not None:
            return known[0].job
        await self._store.jobs.join_batch_window()
        admitted = await self._admission.admit(principal, submission, check_month_later=True)
        new = await self._early_runs.run(admitted, principal.account.tier)
        ((submitted, *_),) = await self._store_jobs(principal, [new], key)
        return submitted.job

    async def run_batch(
        self,
        principal: Principal,
        submissions: Sequence[Submission],
        key: IdempotencyKey | None = None,
    ) -> Batch:
        """Store a job for each of the submissions, or for none of them; `key` is as for `run`.

        Raises the errors of `run`; their messages say which submission cannot be run.
        """
        if (known := await self._known(principal, key)) is not None:
            return self._batch(known)
        batch_id = str(uuid.uuid4())
        yielder = Yielder()
        admitted: list[Admitted] = []
        for place, submission in enumerate(submissions):
            try:
                each = await self._admission.admit(
                    principal, submission, batch_id=batch_id, check_month_later=True
                )
            except DomainError as error:
                error.locate(f"circuits[{place}]")
                raise
            admitted.append(each)
            # Small circuits are admitted without suspending.
            await yielder.yield_if_due()
        try:
            await self._check_room(principal, admitted)
        except QuotaExceeded:
            # The same submission, sent twice at once, may have used up the quota.
            if (known := await self._known(principal, key)) is not None:
                return self._batch(known)
            raise
        new: list[Admitted] = []
        for each in admitted:
            new.append(await self._early_runs.run_inline(each))
            await yielder.yield_if_due()
        created = await self._store_jobs(principal, new, key)
        return self._batch([submitted for submitted, *_ in created])

    def _batch(self, submitted: Sequence[JobEvent]) -> Batch:
        first = submitted[0]
        before = self._store.cursors.write(Listing.EVENTS, first.cursor - 1)
        return Batch(first.job.batch_id or "", [event.job for event in submitted], before)

    async def _check_room(self, principal: Principal, admitted: Sequence[Admitted]) -> None:
        """Raise `QuotaExceeded` if the batch exceeds a limit, before any circuit is run."""
        limits, account_id = self._limits(principal.account.tier), principal.account_id
        waiting = await self._store.jobs.waiting_count(account_id)
        check_waiting(account_id, waiting, limits.max_waiting_jobs, len(admitted))
        now = self._clock()
        check_month(
            account_id,
            limits.monthly,
            await self._store.accounts.usage(account_id, now.date()),
            now,
            qpu_tasks=sum(each.job.reserved_qpu_tasks for each in admitted),
            cost_usd=sum(each.job.reserved_cost_usd for each in admitted),
        )

    async def _known(
        self, principal: Principal, key: IdempotencyKey | None
    ) -> Sequence[JobEvent] | None:
        """Return the submissions of `key`. Limits are checked later: those may have reached one."""
        if key is None:
            return None
        return await self._store.jobs.of_key(principal.account_id, key, self._clock())

    async def _store_jobs(
        self, principal: Principal, new: Sequence[Admitted], key: IdempotencyKey | None
    ) -> list[list[JobEvent]]:
        """Store all jobs or none; return each job's events, the submission first."""
        limits = self._limits(principal.account.tier)
        created = await self._scheduler.submit(
            new,
            max_waiting=limits.max_waiting_jobs,
            monthly=limits.monthly,
            key=key,
        )
        # Only now: runs of jobs that could not be stored must not count.
        for each, events in zip(new, created, strict=True):
            # The events of an earlier submission with the same key are of other jobs.
            if events[0].job.id == each.job.id:
                self._early_runs.learn(each)
                _count(each, principal.account.tier)
        return created

    async def plan(self, principal: Principal, submission: Submission) -> Plan:
        """Return what `run` would do with the submission. Raises the errors of `run`."""
        admitted = await self._admission.admit(principal, submission)
        limits = self._limits(principal.account.tier)
        waiting = await self._store.jobs.waiting_count(principal.account_id)
        ahead = 0
        if admitted.decision.placement is Placement.WORKER:
            check_waiting(principal.account_id, waiting, limits.max_waiting_jobs)
            depths = await self._store.jobs.queue_depths()
            ahead = depths.get(admitted.changes[-1].backend or "", 0)
        return Plan(
            admitted,
            ahead + 1,
            month_left(limits.monthly, admitted.used or MonthlyUsage()),
            limits.max_waiting_jobs - waiting,
        )

    async def draw(self, principal: Principal, qasm: str) -> tuple[Analysis, Drawing]:
        """Return the analysis and the drawing of a circuit. Raises `CircuitError`."""
        if not qasm:
            raise InvalidArgument("qasm", "is missing; send a circuit in OpenQASM")
        return await self._engine.draw(qasm, principal.account_id)


def _count(new: Admitted, tier: Tier) -> None:
    backend = new.changes[-1].backend or new.job.backend or "none"
    placement = Placement.WORKER
    if new.result is not None:
        backend, placement = new.result.backend, new.decision.placement
    metrics.JOBS_SUBMITTED.labels(backend, tier.value, placement.value).inc()
