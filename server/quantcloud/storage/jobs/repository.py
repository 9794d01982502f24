"""Jobs: submission, runs under leases, and what is known of them."""

import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TypeVar

from quantcloud.aio.cooperative import Yielder
from quantcloud.circuits.analysis import Analysis
from quantcloud.domain.account import MonthlyLimits, Tier
from quantcloud.domain.errors import Damaged
from quantcloud.domain.job import (
    Change,
    Job,
    JobEvent,
    JobResult,
    JobStatus,
    Lease,
)
from quantcloud.domain.page import Page, Place, Window
from quantcloud.storage.database import codec
from quantcloud.storage.database.interface import Database, Steps
from quantcloud.storage.database.queries import identifier
from quantcloud.storage.job_record import JobRecord
from quantcloud.storage.jobs import claims as job_claims
from quantcloud.storage.jobs import documents as job_documents
from quantcloud.storage.jobs import reads as job_reads
from quantcloud.storage.jobs import writes as job_writes
from quantcloud.storage.jobs.claims import ClaimedJobs, Room, Taken
from quantcloud.storage.jobs.idempotency import IdempotencyKey
from quantcloud.storage.jobs.writes import MAX_LOSSES, Arrival, NewJob, Packed, RunUsage
from quantcloud.storage.unit_of_work.group_commit import Writer
from quantcloud.storage.unit_of_work.transaction import Transaction

T = TypeVar("T")

# Up to how many new jobs, and bytes of their circuits, are written beside all else.
BRIEF_JOBS = 8
BRIEF_BYTES = 64 * 1024
# Up to which time claims choose on the event loop.
BRIEF_SECONDS = 0.003
# How long damage that one new job met stands for all.
_DAMAGE_SECONDS = 60.0


class Jobs:
    """Every method that names an account raises `NotFound` for a job of another.

    One that changes something returns when that is committed. Those that take a lease raise
    `StaleLeaseError` when the job has another or none, and those that take a change
    `InvalidTransitionError` when the job's status does not allow it; neither writes anything then.
    """

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer
        self._on_write: list[Callable[[bool], None]] = []
        # How long the last claim took to choose, which depends on how many accounts wait.
        self._choice_seconds = math.inf
        # What kept the last new job from being stored, and when, by the monotonic clock.
        self._damage: tuple[Damaged, float] | None = None

    async def gathered(self) -> None:
        """Wait for the others where many write: what is about to be written is best made now."""
        await self._writer.gathered()

    async def create(
        self,
        job: Job,
        qasm: str,
        analysis: Analysis,
        changes: Sequence[Change] = (),
        *,
        max_waiting: int | None,
        monthly: MonthlyLimits | None = None,
        key: IdempotencyKey | None = None,
    ) -> list[JobEvent]:
        """Write one new job as `create_all` does; its events, that of its submission first."""
        new = NewJob(job, qasm, analysis, changes)
        (events,) = await self.create_all([new], max_waiting=max_waiting, monthly=monthly, key=key)
        return events

    async def create_all(
        self,
        new: Sequence[NewJob],
        *,
        max_waiting: int | None,
        monthly: MonthlyLimits | None = None,
        key: IdempotencyKey | None = None,
    ) -> list[list[JobEvent]]:
        """Write new jobs of one account with their circuits, all or none, and count them in their
        month. Jobs may have completed already.

        Gives the events of each. What they reserve counts from now on. Raises `QuotaExceeded`
        ("max_waiting_jobs") when the account would have more than `max_waiting` jobs that have not
        begun, and as `check_month` does when they do not fit into `monthly`: however many come at
        once, no limit is passed. Where `key` stands for jobs already, nothing is written and the
        event of each one's submission given; raises `AlreadyExists` where it stands for others.
        """
        for each in new:
            if each.job.status is not JobStatus.SUBMITTED or each.job.sequence != 1:
                raise ValueError("a new job is submitted and at sequence 1")
            if (each.result is None) is _has_completed(each):
                raise ValueError("a new job has a result where it has completed, and only there")
        arrivals = [await _arrival(each) for each in new]
        size = sum(len(each.circuit["qasm"]) for each in arrivals)
        created = self._writer.submit(
            lambda tx: job_writes.create(
                tx, arrivals, max_waiting=max_waiting, monthly=monthly, key=key
            ),
            brief=len(arrivals) <= BRIEF_JOBS and size <= BRIEF_BYTES,
        )
        if not all(map(_has_completed, new)):
            self._about_to_write(arrival=True)
        try:
            events = await created
        except Damaged as error:
            self._damage = error, time.monotonic()
            raise
        self._damage = None
        return events

    @property
    def damage(self) -> Damaged | None:
        """What kept a job from being stored within the last minute, where none was stored since."""
        if self._damage is None or time.monotonic() - self._damage[1] > _DAMAGE_SECONDS:
            return None
        return self._damage[0]

    def subscribe_writes(self, listener: Callable[[bool], None]) -> Callable[[], None]:
        """Call `listener` when a job is about to be written (True), or the end of a run (False).

        A claim that it makes at once goes into the same transaction, behind that write. The
        function returned ends it.
        """
        self._on_write.append(listener)
        return lambda: self._on_write.remove(listener)

    def _about_to_write(self, *, arrival: bool) -> None:
        for listener in tuple(self._on_write):
            listener(arrival)

    async def get(self, account_id: str, job_id: str) -> Job:
        identifier("job", job_id)
        return await self._database.read(lambda c: job_reads.get(c, account_id, job_id), brief=True)

    async def result(self, account_id: str, job_id: str) -> JobResult | None:
        """The job's result, None as long as it has none."""
        identifier("job", job_id)
        row, elsewhere = await self._database.read(
            lambda c: job_reads.small_result(c, account_id, job_id, codec.COMPRESS_FROM), brief=True
        )
        if elsewhere:
            row = await self._database.read(lambda c: job_reads.result(c, account_id, job_id))
        return None if row is None else await job_documents.unpack_result(row)

    async def small_results(self, account_id: str, job_ids: Sequence[str]) -> list[JobResult]:
        """The results of jobs of the account that take less than 1 KiB each as they are.

        One that is damaged is left out: `result` says so.
        """
        yielder = Yielder()
        found: list[JobResult] = []
        for some in codec.in_parts(job_ids, job_reads.JOBS_A_READ):
            work = partial(
                job_reads.small_results,
                account_id=account_id,
                job_ids=some,
                size=codec.COMPRESS_FROM,
            )
            for row in await self._database.read(work, brief=True):
                if job_documents.is_compressed(row):
                    continue
                with suppress(Exception):
                    found.append(await job_documents.unpack_result(row))
                await yielder.between()
        return found

    async def advance(
        self, job_id: str, changes: Sequence[Change], *, lease: Lease | None = None
    ) -> list[JobEvent]:
        """Take a job through `changes`, all or none.

        A job that has a lease is changed only with it, one that has none only without. Dispatching
        is `claim`'s, and what ends a run `complete`'s and `end`'s: `ValueError`.
        """
        steps = tuple(changes)
        return await self._writer.submit(
            lambda tx: job_writes.advance(tx, job_id, steps, lease), brief=True
        )

    def claim(
        self,
        owner: str,
        slots: int,
        at: datetime,
        *,
        concurrency: Mapping[Tier, int],
        short: int = 0,
        seconds: float = math.inf,
        only_arrivals: bool = False,
        before_commit: Callable[[ClaimedJobs], None] | None = None,
    ) -> Awaitable[ClaimedJobs]:
        """Dispatch up to `slots` queued jobs to `owner`, each with a lease of its own.

        Accounts take turns; one has at most `concurrency` of its tier dispatched or running. Once
        the slots are filled `short` more may follow for as long as they are known to be short, and
        to take up to `seconds` together. The claim goes into the transaction that is being
        gathered, behind all else, whenever it is awaited. `only_arrivals` looks at nothing but the
        jobs that come in that transaction. `before_commit` may be told of the claims before they
        are durable, which they become unless this raises.
        """
        room = Room(slots, short, seconds)
        claims: list[ClaimedJobs] = []

        def early(taken: tuple[list[Taken], bool]) -> None:
            if before_commit is not None and job_documents.is_at_hand(taken[0]):
                claims.append(job_documents.claims_at_hand(*taken))
                before_commit(claims[0])

        brief = self._choice_seconds <= BRIEF_SECONDS
        # Elsewhere it waits for the interpreter in between; but this clock takes longer.
        clock = time.perf_counter if brief else time.thread_time

        def unit(tx: Transaction) -> Steps[tuple[list[Taken], bool]]:
            began = clock()
            steps = job_claims.claim(
                tx, owner, room, at, concurrency=concurrency, only_arrivals=only_arrivals
            )
            next(steps)
            self._choice_seconds = clock() - began
            return (yield from steps)

        claimed = self._writer.submit_last(unit, brief=brief, tell=early)

        async def outcome() -> ClaimedJobs:
            taken, left = await claimed
            return claims[0] if claims else await job_documents.unpack_claims(taken, left=left)

        return outcome()

    async def complete(
        self,
        job_id: str,
        lease: Lease,
        result: JobResult,
        changes: Sequence[Change],
        *,
        simulator_seconds: float = 0.0,
        qpu_tasks: int = 0,
        cost_usd: float = 0.0,
        known: JobRecord | None = None,
    ) -> JobEvent:
        """End a run with its result, and count its usage in the month of its end.

        The last of `changes` is to completed; one to running may go before it. What was reserved
        of tasks and cost stays in the month of the submission; what the run did not take of it is
        given back. Where the job still is as `known`, it need not be read. Raises `ValueError` when
        the job does not end completed, or the counts are not by bitstrings.
        """
        if changes[-1].status is not JobStatus.COMPLETED or result.job_id != job_id:
            raise ValueError("complete() takes changes to completed, and the job's own result")
        packed = Packed(result, await job_documents.pack_result(result))
        usage = RunUsage(simulator_seconds, qpu_tasks, cost_usd)
        finished = self._writer.submit(
            lambda tx: job_writes.finish(
                tx, job_id, lease, changes, known=known, usage=usage, result=packed
            ),
            brief=not job_documents.is_large(result),
        )
        self._about_to_write(arrival=False)
        return await finished

    async def end(
        self,
        job_id: str,
        lease: Lease,
        changes: Sequence[Change],
        *,
        simulator_seconds: float = 0.0,
        qpu_tasks: int = 0,
        cost_usd: float = 0.0,
        known: JobRecord | None = None,
    ) -> JobEvent:
        """End a run as failed or timed out, and count its usage as `complete` does."""
        if changes[-1].status not in {JobStatus.FAILED, JobStatus.TIMEOUT}:
            raise ValueError("end() takes changes to failed or timeout")
        usage = RunUsage(simulator_seconds, qpu_tasks, cost_usd)
        finished = self._writer.submit(
            lambda tx: job_writes.finish(tx, job_id, lease, changes, known=known, usage=usage),
            brief=True,
        )
        self._about_to_write(arrival=False)
        return await finished

    async def cancel(
        self, account_id: str, job_id: str, at: datetime, *, job_seconds: float = math.inf
    ) -> JobEvent | None:
        """Cancel a job, whoever has its lease; None when it was cancelled before.

        One that runs is charged: what it reserved, and the time since its start, as long as its
        run can have lasted: until its lease's end, and up to `job_seconds` or its own time limit.
        Raises `FailedPrecondition` (JOB_ALREADY_FINISHED) when it has ended otherwise.
        """
        identifier("job", job_id)
        return await self._writer.run(
            lambda tx: job_writes.cancel(tx, account_id, job_id, at, job_seconds=job_seconds)
        )

    async def requeue(
        self,
        job_id: str,
        lease: Lease,
        at: datetime,
        *,
        lost: bool = False,
        because: str = "",
        most: int = MAX_LOSSES,
    ) -> JobEvent:
        """Give a job back to its place in the queue.

        With `lost` its worker died, `because` of what: a job that was lost `most` times is failed
        instead, and says so.
        """
        return await self._writer.run(
            lambda tx: job_writes.requeue(
                tx, job_id, lease, at, lost=lost, because=because, most=most
            )
        )

    async def recover(self, at: datetime) -> list[JobEvent]:
        """At the start of the only server: every lease there is was lost with the one before."""
        return await self._writer.run(lambda tx: job_writes.recover(tx, at))

    async def active_count(self) -> int:
        """How many jobs have not ended."""
        return await self._database.read(job_reads.active_count)

    async def waiting_count(self, account_id: str) -> int:
        """How many of an account's jobs have not begun."""
        return await self._database.read(lambda c: job_reads.waiting_count(c, account_id))

    async def queue_depths(self) -> dict[str, int]:
        """How many jobs are queued, by backend; one with none is left out."""
        return await self._database.read(job_reads.queue_depths)

    async def mean_queue_seconds(self) -> dict[str, float]:
        """The mean time in the queue of the last 50 jobs begun, by backend."""
        return await self._database.read(job_reads.mean_queue_seconds)

    async def queue_position(self, job: Job) -> int | None:
        """1 for the job that has waited longest for its backend; None for one not queued."""
        if job.status is not JobStatus.QUEUED:
            return None
        return await self._database.read(lambda c: job_reads.queue_position(c, job))

    async def queue_positions(self, backend: str) -> dict[str, int]:
        """The place, from 1, of every job in a backend's queue, by job."""
        return await self._database.read(lambda c: job_reads.queue_positions(c, backend))

    # Last in the class, since it hides the built-in of its name from what follows.
    async def list(
        self,
        account_id: str,
        *,
        limit: int,
        offset: int = 0,
        after: Place | None = None,
        status: JobStatus | None = None,
    ) -> Page[Job]:
        """A page of the account's jobs, newest first."""
        window = Window(limit, offset, after)
        return await self._database.read(lambda c: job_reads.page(c, account_id, window, status))


async def _arrival(new: NewJob) -> Arrival:
    result = new.result
    analysis = new.analysis if result is None else None
    return Arrival(
        new,
        await job_documents.pack_circuit(new.job.id, new.qasm, analysis),
        None if result is None else await job_documents.pack_result(result),
    )


def _has_completed(new: NewJob) -> bool:
    return bool(new.changes) and new.changes[-1].status is JobStatus.COMPLETED
