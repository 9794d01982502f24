"""Claims: dispatches queued jobs to a server, each with a lease."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import bindparam, select

from quantcloud.domain.account import MonthlyUsage, Tier
from quantcloud.domain.job import Change, Job, JobStatus, Lease
from quantcloud.domain.value_object import value_object
from quantcloud.routing.method import Method
from quantcloud.storage.database.interface import Steps
from quantcloud.storage.database.tables import job_circuits
from quantcloud.storage.job_record import JobRecord, NewJob
from quantcloud.storage.jobs.claiming.room import Fit, Room
from quantcloud.storage.jobs.claiming.turns import (
    MOVE_LAST,
    Arrivals,
    Queue,
    StoredQueue,
    free_accounts,
    in_turn,
)
from quantcloud.storage.jobs.rows import job_rows
from quantcloud.storage.jobs.rows.documents import StoredCircuit, unpack_method
from quantcloud.storage.unit_of_work.transaction import Transaction

_CIRCUIT = select(job_circuits.c.qasm, job_circuits.c.analysis, job_circuits.c.sweep).where(
    job_circuits.c.job_id == bindparam("job_id")
)


@value_object
class Claim:
    """A dispatched job with its lease and all that its run needs.

    `circuit` is the new job itself if it was stored in the same transaction, else the row of its
    circuit; `Jobs.input_of` reads both. `used` is the account's usage in the current month.
    """

    record: JobRecord
    job: Job
    lease: Lease
    circuit: NewJob | StoredCircuit
    method: Method
    tier: Tier
    used: MonthlyUsage

    @property
    def backend(self) -> str:
        """The backend of the run."""
        return self.job.backend or ""


class ClaimedJobs(list[Claim]):
    """Claimed jobs; `left` says whether the queue had more, for any reason.

    `blocked` is the id of the first job for which there was a place, but too little memory or too
    few cores. `crowded` says whether jobs were left because there was no more room.
    """

    __slots__ = ("blocked", "crowded", "left")

    def __init__(
        self, claims: Iterable[Claim], *, left: bool, blocked: str | None, crowded: bool
    ) -> None:
        super().__init__(claims)
        self.left = left
        self.blocked = blocked
        self.crowded = crowded


def claim(
    tx: Transaction,
    owner: str,
    room: Room,
    at: datetime,
    *,
    concurrency: Mapping[Tier, int],
    only_arrivals: bool,
) -> Steps[ClaimedJobs]:
    """Dispatch as many jobs to `owner` as `room` allows.

    No account gets more running jobs than its tier's `concurrency`. With `only_arrivals`, only jobs
    that arrived in this transaction are considered. The first step finds the accounts; its time
    grows with their number.
    """
    queue: Queue = Arrivals(tx) if only_arrivals else StoredQueue(tx)
    free = free_accounts(tx, queue, room.places, concurrency)
    yield
    claims: list[Claim] = []
    fit = Fit(room)
    for record, tier in in_turn(queue, free, room.places):
        if fit.full:
            break
        if record.job.account_id in fit.passed:
            continue
        circuit, method = _circuit(tx, record.job)
        if fit.take(record.job, method):
            used = tx.pending.used(record.job.account_id, at)
            dispatched = _dispatch(tx, record, owner, at)
            job, lease = dispatched.job, dispatched.held
            claims.append(Claim(dispatched, job, lease, circuit, method, tier, used))
        yield
    # In the order of their last claims, so that the account served last here is last next time.
    last = dict.fromkeys(claim.job.account_id for claim in reversed(claims))
    for account_id in reversed(last):
        tx.change(MOVE_LAST, {"account_id": account_id})
    left = queue.left()
    crowded = left and (fit.full or fit.blocked is not None)
    return ClaimedJobs(claims, left=left, blocked=fit.blocked, crowded=crowded)


def _circuit(tx: Transaction, job: Job) -> tuple[NewJob | StoredCircuit, Method]:
    """Return the circuit of a job that waits, and the method by which it runs."""
    if (new := tx.pending.new.get(job.id)) is not None:
        return new, new.method
    circuit = StoredCircuit(*tx.look_up(_CIRCUIT, {"job_id": job.id}).one())
    return circuit, unpack_method(job, circuit)


def _dispatch(tx: Transaction, record: JobRecord, owner: str, at: datetime) -> JobRecord:
    lease = Lease(owner, record.job.attempt + 1, secrets.token_hex(16))
    change = Change(JobStatus.DISPATCHED, at)
    dispatched, _ = job_rows.advance(tx, replace(record, lease=lease), [change])
    return dispatched
