"""The repository of jobs: submissions, runs under leases, and queries."""

import asyncio
import math
import time
from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from typing import Any

from quantcloud.aio import offload
from quantcloud.aio.offload import Work
from quantcloud.domain.account import MonthlyLimits, MonthlyUsage, Tier
from quantcloud.domain.errors import Damaged
from quantcloud.domain.job import Change, JobEvent, JobResult, JobStatus, Lease
from quantcloud.domain.points import Points
from quantcloud.storage.database.interface import Database, Steps
from quantcloud.storage.database.queries import identifier
from quantcloud.storage.job_record import JobRecord, NewJob
from quantcloud.storage.jobs.claiming import claims
from quantcloud.storage.jobs.claiming.claims import Claim, ClaimedJobs
from quantcloud.storage.jobs.claiming.room import Room
from quantcloud.storage.jobs.reading.reads import JobReads
from quantcloud.storage.jobs.rows import documents, job_rows, sweeps
from quantcloud.storage.jobs.rows.documents import Input, Packed, PackedResult
from quantcloud.storage.jobs.writing import idempotency, writes
from quantcloud.storage.jobs.writing.idempotency import IdempotencyKey
from quantcloud.storage.jobs.writing.writes import MAX_LOSSES, NO_USAGE
from quantcloud.storage.unit_of_work.group_commit import Writer
from quantcloud.storage.unit_of_work.transaction import Transaction

_WITHOUT_RESULT = frozenset({JobStatus.FAILED, JobStatus.TIMEOUT})
# How long `damage` reports the failure of one new job.
_DAMAGE_SECONDS = 60.0


class Jobs(JobReads):
    """Creates, runs and reads jobs.

    A method that takes an account raises `NotFound` for another account's job. A method that
    changes something returns after the commit. A method that takes a lease raises `StaleLeaseError`
    if the job has another lease or none. A method that takes changes raises
    `InvalidTransitionError` if the job's status does not allow them. Both write nothing then.
    """

    def __init__(self, database: Database, writer: Writer) -> None:
        super().__init__(database)
        self._writer = writer
        # The time that the last claim took to choose its jobs; it grows with the waiting accounts.
        self._choice_seconds = math.inf
        # Why the last new job could not be stored, and when, by the monotonic clock.
        self._damage: tuple[Damaged, float] | None = None

    async def join_batch_window(self) -> None:
        """If many callers write, wait for the next transaction; prepare your write after that."""
        await self._writer.join_batch_window()

    def create_all(
        self,
        new: Sequence[NewJob],
        *,
        max_waiting: int | None,
        monthly: MonthlyLimits | None = None,
        key: IdempotencyKey | None = None,
    ) -> Awaitable[list[list[JobEvent]]]:
        """Create jobs of one account with their circuits, all or none; return the events of each.

        The jobs, and what they reserve, count in their month from now on. A job may have completed
        already; then it does not wait. Raises `QuotaExceeded` ("max_waiting_jobs") if some of the
        jobs wait and the account would have more than `max_waiting` such jobs, and like
        `check_month` if the jobs exceed `monthly`. The limits also hold for concurrent calls. If
        `key` was used for the same request, nothing is written, and the submission event of each
        job is returned. Raises `AlreadyExists` if `key` was used for another request.

        Unless a job is large, the write joins the next transaction when you call this.
        """
        for each in new:
            if each.job.status is not JobStatus.SUBMITTED or each.job.sequence != 1:
                raise ValueError("a new job is submitted and at sequence 1")
            if (each.result is None) is _has_completed(each):
                raise ValueError("a new job has a result if, and only if, it has completed")

        def write(packed: Sequence[Packed]) -> Awaitable[list[list[JobEvent]]]:
            size = sum(
                len(each.circuit["qasm"]) + len(each.circuit["sweep"] or b"") for each in packed
            )
            created = self._writer.submit(
                lambda tx: writes.create(
                    tx, packed, max_waiting=max_waiting, monthly=monthly, key=key
                ),
                cost=Work.STORE_JOB.cost(len(packed)) + Work.STORE_DATA.cost(size),
                drafted=True,
            )
            created.add_done_callback(self._note_damage)
            return created

        def pack() -> Sequence[Packed]:
            return [documents.pack_job(each) for each in new]

        cost = sum(map(documents.packing_cost_of, new))
        if cost <= offload.BUDGET:
            return write(pack())

        async def packed_first() -> list[list[JobEvent]]:
            return await write(await offload.run(cost, pack))

        return packed_first()

    def _note_damage(self, created: asyncio.Future[Any]) -> None:
        error = None if created.cancelled() else created.exception()
        if isinstance(error, Damaged):
            self._damage = error, time.monotonic()
        elif error is None:
            self._damage = None

    @property
    def damage(self) -> Damaged | None:
        """Why a job could not be stored in the last minute; None if one was stored since."""
        if self._damage is None or time.monotonic() - self._damage[1] > _DAMAGE_SECONDS:
            return None
        return self._damage[0]

    async def of_key(
        self, account_id: str, key: IdempotencyKey, at: datetime
    ) -> Sequence[JobEvent] | None:
        """Return the submission events of the key's jobs, in order; None if the key is new.

        Raises `AlreadyExists` if the key was used for another request.
        """
        return await self._database.read(
            lambda c: idempotency.find(Transaction(c), account_id, key, at)
        )

    async def advance(
        self,
        job_id: str,
        changes: Sequence[Change],
        *,
        lease: Lease | None = None,
        known: JobRecord | None = None,
    ) -> list[JobEvent]:
        """Apply `changes` to a job, all or none.

        `lease` must be the job's lease, or None if the job has none. If the job still equals
        `known`, it is not read again. Raises `ValueError` for a change to dispatched (see `claim`),
        and for the end of a run (see `complete` and `end`).
        """
        steps = tuple(changes)
        return await self._writer.submit(
            lambda tx: writes.advance(tx, job_id, steps, lease, known),
            cost=Work.STORE_JOB.cost(1),
            drafted=known is not None,
        )

    def claim(
        self,
        owner: str,
        room: Room,
        at: datetime,
        *,
        concurrency: Mapping[Tier, int],
        only_arrivals: bool = False,
    ) -> Awaitable[ClaimedJobs]:
        """Dispatch queued jobs to `owner` as `room` allows, each with its own lease.

        Accounts take turns; each has at most its tier's `concurrency` jobs dispatched or running.
        The claim joins the next transaction when you call this, after all other units. With
        `only_arrivals`, it considers only the jobs that arrive in that transaction.
        """
        cost = self._choice_seconds * 1e6
        # In another thread, waiting for the interpreter lock must not count.
        clock = time.perf_counter if cost <= offload.BUDGET else time.thread_time

        def unit(tx: Transaction) -> Steps[ClaimedJobs]:
            began = clock()
            steps = claims.claim(
                tx, owner, room, at, concurrency=concurrency, only_arrivals=only_arrivals
            )
            next(steps)
            self._choice_seconds = clock() - began
            return (yield from steps)

        return self._writer.submit_last(unit, cost=cost, together=only_arrivals)

    async def input_of(self, claim: Claim) -> Input:
        """Return the circuit of a claimed job as text, its analysis, and its sweep.

        Raises any exception if they cannot be read, or if this server does not know an option.
        """
        if unknown := claim.record.unknown_options:
            raise ValueError(f"unknown options: {', '.join(unknown)}")
        return await documents.input_of(claim.circuit)

    async def pack(self, result: JobResult) -> PackedResult:
        """Prepare a result to be stored; a large one in another thread.

        Raises `ValueError` if a key of the counts is no bitstring.
        """
        return await offload.run(documents.packing_cost(result), documents.pack_result, result)

    async def add_block(
        self, job_id: str, lease: Lease, points: Points, seconds: float, change: Change | None
    ) -> JobEvent | None:
        """Write points of a sweep that follow those written before; their run took `seconds`.

        `change` tells the progress. The event of the change is returned.
        """
        cost = Work.PACK_TEXT.cost(points.size)
        row = await offload.run(cost, sweeps.block_row, job_id, points, seconds)
        return await self._writer.submit(
            lambda tx: sweeps.add_block(tx, lease, row, change),
            cost=Work.STORE_JOB.cost(1) + Work.STORE_DATA.cost(len(row["data"])),
        )

    def end(
        self,
        job_id: str,
        lease: Lease,
        changes: Sequence[Change],
        *,
        result: PackedResult | None = None,
        usage: MonthlyUsage = NO_USAGE,
        known: JobRecord | None = None,
    ) -> Awaitable[JobEvent]:
        """End a run: completed with its `result`, or failed or timed out without one.

        The last of `changes` is the end; a change to running may precede it. `usage` counts in the
        month of the end, but reserved tasks and cost count in the month of the submission; what the
        run did not use is given back. If the job still equals `known`, it is not read again. Raises
        `ValueError` if status and result do not fit.

        The write joins the next transaction when you call this.
        """
        ends = _WITHOUT_RESULT if result is None else {JobStatus.COMPLETED}
        if changes[-1].status not in ends or (result is not None and result.of.job_id != job_id):
            raise ValueError("a run completes with its result, or fails or times out without one")
        return self._writer.submit(
            lambda tx: writes.finish(
                tx, job_id, lease, changes, known=known, usage=usage, result=result
            ),
            cost=Work.STORE_JOB.cost(1)
            + (0.0 if result is None else documents.packing_cost(result.of)),
            drafted=True,
        )

    async def cancel(
        self, account_id: str, job_id: str, at: datetime, *, job_seconds: float = math.inf
    ) -> JobEvent | None:
        """Cancel a job and end its lease; return None if it was cancelled before.

        A running job is charged what it reserved, and the time since its start. That time ends when
        its lease expires, and is at most `job_seconds` or the job's own time limit. Raises
        `FailedPrecondition` (JOB_ALREADY_FINISHED) if the job ended in another way.
        """
        identifier("job", job_id)
        return await self._writer.run(
            lambda tx: writes.cancel(tx, account_id, job_id, at, job_seconds=job_seconds)
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
        """Return a job to its place in the queue.

        `lost` says that its worker died, and `because` says why. A job that was lost `most` times
        fails instead; its error message says so.
        """
        return await self._writer.run(
            lambda tx: writes.return_to_queue(
                tx,
                job_rows.load_leased(tx, job_id, lease),
                at,
                lost=lost,
                because=because,
                most=most,
            )
        )

    async def recover(self, at: datetime) -> list[JobEvent]:
        """End all leases as lost. Call it at start, and only if no other server is running."""
        return await self._writer.run(lambda tx: writes.recover(tx, at))


def _has_completed(new: NewJob) -> bool:
    return bool(new.changes) and new.changes[-1].status is JobStatus.COMPLETED
