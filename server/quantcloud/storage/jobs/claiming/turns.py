"""The order of queued jobs: accounts take turns.

Within an account, the job that was queued first goes first. A claim raises the account's turn
number above all others, so the account that was served longest ago is always next, even after a
restart.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, bindparam, func, or_, select, update

from quantcloud.domain.account import Tier
from quantcloud.domain.job import LEASED, JobStatus
from quantcloud.storage.database.queries import ACTIVE, queued, status_in
from quantcloud.storage.database.tables import accounts, jobs
from quantcloud.storage.job_record import JobRecord
from quantcloud.storage.jobs.rows.columns import RECORD_COLUMNS, record_of
from quantcloud.storage.unit_of_work.transaction import Transaction

# How many accounts whose next job does not fit may be passed.
_PASSED_ACCOUNTS = 8


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
_A_WAITING_ACCOUNT = select(_first_queued(jobs))
_TURN_OF = select(accounts.c.tier, accounts.c.turn).where(accounts.c.id == bindparam("account_id"))
_every = accounts.alias("every")
_LAST_TURN = select(func.max(_every.c.turn)).scalar_subquery()
# An account that is last already keeps its turn, unless that is the initial 0.
MOVE_LAST = (
    update(accounts)
    .where(
        accounts.c.id == bindparam("account_id"),
        or_(accounts.c.turn < _LAST_TURN, accounts.c.turn == 0),
    )
    .values(turn=_LAST_TURN + 1)
)


class StoredQueue:
    """All queued jobs."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def accounts(self) -> Iterable[tuple[str, Tier]]:
        """Return the accounts that have jobs, in turn."""
        return ((row.id, Tier(row.tier)) for row in self._tx.read(_WAITING_ACCOUNTS))

    def first(self, account_id: str, number: int) -> Sequence[JobRecord]:
        """Return the next `number` jobs of an account."""
        # `accounts` has written the pending jobs.
        values = {"account_id": account_id, "number": number}
        return [*map(record_of, self._tx.look_up(_NEXT, values))]

    def left(self) -> bool:
        """Whether jobs are left."""
        return self._tx.read(_A_WAITING_ACCOUNT).scalar_one() is not None


class Arrivals:
    """Queued jobs that arrived in this transaction, in the order of `StoredQueue`."""

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
    return (each for each in tx.pending.jobs.values() if each.job.status is JobStatus.QUEUED)


def _place(record: JobRecord) -> tuple[Any, str]:
    return record.job.queued_at, record.job.id


Queue = StoredQueue | Arrivals
Free = list[tuple[str, Tier, int]]


def free_accounts(
    tx: Transaction, queue: Queue, places: int, concurrency: Mapping[Tier, int]
) -> Free:
    """Return the accounts in turn, with their tiers and how many jobs each may start."""
    leased: dict[str, int] | None = None
    free: Free = []
    for account_id, tier in queue.accounts() if places else ():
        if leased is None:
            leased = {row.account_id: row.number for row in tx.look_up(_COUNT_LEASED)}
        if (left := concurrency[tier] - leased.get(account_id, 0)) > 0:
            free.append((account_id, tier, left))
            if len(free) == places + _PASSED_ACCOUNTS:
                break
    return free


def in_turn(queue: Queue, free: Free, places: int) -> Iterator[tuple[JobRecord, Tier]]:
    """Yield jobs with their accounts' tiers: one of each account, then a second, and so on."""
    # Every other account gets at least one job, so no account gets more than this.
    most = max(1, places - len(free) + 1)
    later: list[list[tuple[JobRecord, Tier]]] = []
    for account_id, tier, left in free:
        records = [(record, tier) for record in queue.first(account_id, min(left, most))]
        yield from records[:1]
        later.append(records[1:])
    yield from (each for rank in zip_longest(*later) for each in rank if each)
