"""Claims: decides which queued jobs are dispatched next.

Accounts take turns; within an account, the job that was queued first goes first. A claim raises the
account's turn number above all others, so the account that was served longest ago is always next,
even after a restart.
"""

import math
import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import zip_longest
from typing import Any, Protocol

from sqlalchemy import ColumnElement, ScalarSelect, bindparam, func, or_, select, update

from quantcloud.circuits.analysis import Analysis
from quantcloud.domain.account import MonthlyUsage, Tier
from quantcloud.domain.execution import is_short
from quantcloud.domain.job import LEASED, Change, Job, JobEvent, JobStatus, Lease
from quantcloud.domain.value_object import value_object
from quantcloud.storage.database.interface import Steps
from quantcloud.storage.database.queries import ACTIVE, queued, status_in
from quantcloud.storage.database.tables import accounts, job_circuits, jobs
from quantcloud.storage.job_record import JobRecord
from quantcloud.storage.jobs import rows as job_rows
from quantcloud.storage.jobs.columns import RECORD_COLUMNS, record_of
from quantcloud.storage.unit_of_work.transaction import Added, Transaction
from quantcloud.storage.usage import usage_of


@value_object
class Claim:
    """A dispatched job with its lease and all that its run needs.

    `used` is the account's usage in the current month.
    """

    record: JobRecord
    qasm: str
    analysis: Analysis
    tier: Tier
    event: JobEvent
    used: MonthlyUsage

    @property
    def job(self) -> Job:
        return self.record.job

    @property
    def lease(self) -> Lease:
        return self.record.held


class ClaimedJobs(list[Claim]):
    """Claimed jobs; `left` says whether the queue had more, for any reason.

    `unreadable` has the jobs whose stored circuit or options cannot be read, with the error.
    """

    __slots__ = ("left", "unreadable")

    def __init__(
        self,
        claims: Iterable[Claim] = (),
        *,
        left: bool,
        unreadable: Sequence[tuple[JobRecord, Exception]] = (),
    ) -> None:
        super().__init__(claims)
        self.left = left
        self.unreadable = unreadable


@value_object
class Taken:
    """A claim whose circuit may still be packed."""

    record: JobRecord
    circuit: "Added | StoredCircuit"
    tier: Tier
    event: JobEvent
    used: MonthlyUsage


class StoredCircuit(Protocol):
    """The row of a circuit."""

    @property
    def qasm(self) -> bytes: ...

    @property
    def analysis(self) -> Mapping[str, Any]: ...


def _first_queued(table: Any, *conditions: ColumnElement[bool]) -> ScalarSelect[Any]:
    """Select the account of the first queued job, in the order of the queue's index.

    The ORDER BY makes the planner use that index. For a MIN, it might use an index of all jobs.
    """
    return (
        select(table.c.account_id)
        .where(queued(table), *conditions)
        .order_by(table.c.account_id, table.c.queued_at, table.c.id)
        .limit(1)
        .scalar_subquery()
    )


def _waiting_accounts() -> Any:
    """Select the accounts with queued jobs, in turn, by one index look-up per account."""
    first = _first_queued(jobs).label("account_id")
    waiting = select(first).cte("waiting", recursive=True)
    other = jobs.alias("other")
    following = _first_queued(other, other.c.account_id > waiting.c.account_id)
    waiting = waiting.union_all(select(following).where(waiting.c.account_id.is_not(None)))
    head = jobs.alias("head")
    since = (
        select(func.min(head.c.queued_at))
        .where(queued(head), head.c.account_id == accounts.c.id)
        .scalar_subquery()
    )
    return (
        select(accounts.c.id, accounts.c.tier)
        .join(waiting, waiting.c.account_id == accounts.c.id)
        .order_by(accounts.c.turn, since, accounts.c.id)
    )


_WAITING_ACCOUNTS = _waiting_accounts()
_COUNT_LEASED = (
    select(jobs.c.account_id, func.count().label("number"))
    .where(ACTIVE, status_in(LEASED))
    .group_by(jobs.c.account_id)
)
_NEXT = (
    select(*RECORD_COLUMNS)
    .where(queued(), jobs.c.account_id == bindparam("account_id"))
    .order_by(jobs.c.queued_at, jobs.c.id)
    .limit(bindparam("number"))
    .with_for_update(skip_locked=True)
)
_CIRCUIT = select(job_circuits.c.qasm, job_circuits.c.analysis).where(
    job_circuits.c.job_id == bindparam("job_id")
)
_A_WAITING_ACCOUNT = select(_first_queued(jobs))
_TURN_OF = select(accounts.c.tier, accounts.c.turn).where(accounts.c.id == bindparam("account_id"))
_every = accounts.alias("every")
_LAST_TURN = select(func.max(_every.c.turn)).scalar_subquery()
# An account that is last already keeps its turn, unless that is the initial 0.
_MOVE_LAST = (
    update(accounts)
    .where(
        accounts.c.id == bindparam("account_id"),
        or_(accounts.c.turn < _LAST_TURN, accounts.c.turn == 0),
    )
    .values(turn=_LAST_TURN + 1)
)


@value_object
class Room:
    """How many jobs a server can take: `slots` of any kind, then up to `short` short jobs.

    The short jobs together are predicted to take at most `seconds`.
    """

    slots: int
    short: int = 0
    seconds: float = math.inf

    @property
    def places(self) -> int:
        return self.slots + self.short


class _Queue(Protocol):
    """Queued jobs to choose from."""

    def accounts(self) -> Iterable[tuple[str, Tier]]:
        """Return the accounts that have jobs, in turn."""
        ...

    def first(self, account_id: str, number: int) -> Sequence[JobRecord]:
        """Return the next `number` jobs of an account."""
        ...

    def left(self) -> bool:
        """Whether jobs are left."""
        ...


class _StoredQueue:
    """All queued jobs."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def accounts(self) -> Iterable[tuple[str, Tier]]:
        return ((row.id, Tier(row.tier)) for row in self._tx.read(_WAITING_ACCOUNTS))

    def first(self, account_id: str, number: int) -> Sequence[JobRecord]:
        return [*map(record_of, self._tx.read(_NEXT, {"account_id": account_id, "number": number}))]

    def left(self) -> bool:
        return self._tx.read(_A_WAITING_ACCOUNT).scalar_one() is not None


class _Arrivals:
    """Queued jobs that arrived in this transaction, in the order of `_StoredQueue`."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._records: defaultdict[str, list[JobRecord]] = defaultdict(list)
        for record in _waiting(tx):
            self._records[record.job.account_id].append(record)
        for each in self._records.values():
            each.sort(key=_place)

    def accounts(self) -> Iterable[tuple[str, Tier]]:
        found: list[tuple[int, Any, str, Tier]] = []
        for account_id, waiting in self._records.items():
            row = self._tx.look_up(_TURN_OF, {"account_id": account_id}).one()
            found.append((row.turn, waiting[0].job.queued_at, account_id, Tier(row.tier)))
        return [(account_id, tier) for _, _, account_id, tier in sorted(found)]

    def first(self, account_id: str, number: int) -> Sequence[JobRecord]:
        return self._records[account_id][:number]

    def left(self) -> bool:
        return any(True for _ in _waiting(self._tx))


def _waiting(tx: Transaction) -> Iterable[JobRecord]:
    added = (each.record for each in tx.pending.jobs.values())
    return (record for record in added if record.job.status is JobStatus.QUEUED)


def _place(record: JobRecord) -> tuple[Any, str]:
    return record.job.queued_at, record.job.id


def claim(
    tx: Transaction,
    owner: str,
    room: Room,
    at: datetime,
    *,
    concurrency: Mapping[Tier, int],
    only_arrivals: bool,
) -> Steps[tuple[list[Taken], bool]]:
    """Dispatch as many jobs to `owner` as `room` allows; return whether the queue has more.

    No account gets more running jobs than its tier's `concurrency`. With `only_arrivals`, only jobs
    that arrived in this transaction are considered. The first step chooses the jobs; its time grows
    with the number of waiting accounts.
    """
    queue: _Queue = _Arrivals(tx) if only_arrivals else _StoredQueue(tx)
    chosen = _choose(tx, queue, room, concurrency)
    yield
    taken: list[Taken] = []
    for record, tier in chosen:
        taken.append(_take(tx, record, tier, owner, at))
        yield
    # In the order of their last claims, so that the account served last here is last next time.
    last = dict.fromkeys(claim.record.job.account_id for claim in reversed(taken))
    for account_id in reversed(last):
        tx.change(_MOVE_LAST, {"account_id": account_id})
    return taken, queue.left()


def _choose(
    tx: Transaction, queue: _Queue, room: Room, concurrency: Mapping[Tier, int]
) -> list[tuple[JobRecord, Tier]]:
    """Choose jobs, with their accounts' tiers: one of each account, then a second, and so on."""
    waiting = queue.accounts() if room.places > 0 else ()
    leased: dict[str, int] | None = None
    free: list[tuple[str, Tier, int]] = []
    for account_id, tier in waiting:
        if leased is None:
            leased = {row.account_id: row.number for row in tx.look_up(_COUNT_LEASED)}
        if (left := concurrency[tier] - leased.get(account_id, 0)) > 0:
            free.append((account_id, tier, left))
            if len(free) == room.places:
                break
    # Every other account gets at least one job, so no account gets more than this.
    most = room.places - len(free) + 1
    queues = [
        [(record, tier) for record in queue.first(account_id, min(left, most))]
        for account_id, tier, left in free
    ]
    chosen: list[tuple[JobRecord, Tier]] = []
    behind = 0.0
    for record, tier in (each for rank in zip_longest(*queues) for each in rank if each):
        if len(chosen) == room.places:
            break
        if len(chosen) >= room.slots:
            seconds = record.job.predicted_seconds
            if seconds is None or not is_short(seconds) or behind + seconds > room.seconds:
                break
            behind += seconds
        chosen.append((record, tier))
    return chosen


def _take(tx: Transaction, record: JobRecord, tier: Tier, owner: str, at: datetime) -> Taken:
    job = record.job
    lease = Lease(owner, job.attempt + 1, secrets.token_hex(16))
    circuit = tx.pending.jobs.get(job.id) or tx.look_up(_CIRCUIT, {"job_id": job.id}).one()
    used = usage_of(tx, job.account_id, at)
    dispatched = replace(record, lease=lease)
    record, (event,) = job_rows.advance(tx, dispatched, [Change(JobStatus.DISPATCHED, at)])
    return Taken(record, circuit, tier, event, used)
