"""Claiming: which queued jobs are dispatched next.

Accounts take turns, and within an account jobs go by the time they were queued. An account's turn
number is raised above all others' when a job of its is claimed, so whoever was served longest ago
is next, whatever the others have waiting and across restarts.
"""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import zip_longest
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, bindparam, func, select, update

from quantcloud.circuits.analysis import Analysis
from quantcloud.domain.account import MonthlyUsage, Tier
from quantcloud.domain.execution import is_short
from quantcloud.domain.job import LEASED, Change, Job, JobEvent, JobStatus, Lease
from quantcloud.storage import job_rows, usage_rows
from quantcloud.storage.queries import ACTIVE, queued, status_in
from quantcloud.storage.tables import accounts, job_circuits, jobs
from quantcloud.storage.writer import Transaction


@dataclass(frozen=True, slots=True)
class Claim:
    """A job just dispatched, the lease that its run writes with, and what the run needs.

    `used` is what its account has used of the month.
    """

    job: Job
    lease: Lease
    qasm: str
    analysis: Analysis
    tier: Tier
    event: JobEvent
    used: MonthlyUsage


class Claims(list[Claim]):
    """Claimed jobs; `left` tells whether there were more in the queue, for whatever reason."""

    __slots__ = ("left",)

    def __init__(self, claims: Iterable[Claim], *, left: bool) -> None:
        super().__init__(claims)
        self.left = left


@dataclass(frozen=True, slots=True)
class Taken:
    """A claim with its circuit as it is stored."""

    lease: Lease
    circuit: Any
    tier: Tier
    event: JobEvent
    used: MonthlyUsage


def _first_queued(table: Any, *conditions: ColumnElement[bool]) -> ScalarSelect[Any]:
    """The account of the first queued job in the order of the queue's index.

    The order makes the planner take that index. A MIN it would as soon look for in another one, in
    which all jobs are.
    """
    return (
        select(table.c.account_id)
        .where(queued(table), *conditions)
        .order_by(table.c.account_id, table.c.queued_at, table.c.id)
        .limit(1)
        .scalar_subquery()
    )


def _waiting_accounts() -> Any:
    """The accounts with queued jobs, in turn: hops through the queue's index from account to
    account, however many jobs each has in it.
    """
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
    select(jobs.c.id, jobs.c.predicted_seconds)
    .where(queued(), jobs.c.account_id == bindparam("account_id"))
    .order_by(jobs.c.queued_at, jobs.c.id)
    .limit(bindparam("number"))
    .with_for_update(skip_locked=True)
)
_CIRCUIT = select(job_circuits.c.qasm, job_circuits.c.analysis).where(
    job_circuits.c.job_id == bindparam("job_id")
)
_A_WAITING_ACCOUNT = select(_first_queued(jobs))
_LAST_TURN = select(func.max(accounts.c.turn))
_SET_TURN = (
    update(accounts).where(accounts.c.id == bindparam("account_id")).values(turn=bindparam("turn"))
)


def claim(
    tx: Transaction,
    owner: str,
    slots: int,
    at: datetime,
    *,
    concurrency: Mapping[Tier, int],
    short: int,
) -> tuple[list[Taken], bool]:
    """Dispatch up to `slots` jobs to `owner`, none above its account's `concurrency`, and then up
    to `short` more for as long as they are short. Tells whether any are left in the queue.
    """
    chosen = _choose(tx, slots, concurrency, short)
    taken = [_take(tx, job_id, tier, owner, at) for job_id, tier in chosen]
    if taken:
        turn = tx.read(_LAST_TURN).scalar_one()
        # In the order of their last claims, so that who came last here is last next time.
        last = {claim.event.job.account_id: number for number, claim in enumerate(taken, 1)}
        for account_id, number in last.items():
            tx.write(_SET_TURN, {"account_id": account_id, "turn": turn + number})
    return taken, tx.read(_A_WAITING_ACCOUNT).scalar_one() is not None


def _choose(
    tx: Transaction, slots: int, concurrency: Mapping[Tier, int], short: int
) -> list[tuple[str, Tier]]:
    """Ids and tiers of queued jobs: one of each account, then a second, and so on."""
    places = slots + short
    if places < 1:
        return []
    leased = {row.account_id: row.number for row in tx.read(_COUNT_LEASED)}
    free: list[tuple[str, Tier, int]] = []
    for row in tx.read(_WAITING_ACCOUNTS):
        tier = Tier(row.tier)
        if (room := concurrency[tier] - leased.get(row.id, 0)) > 0:
            free.append((row.id, tier, room))
            if len(free) == places:
                break
    # Each of the others has a job waiting, which leaves no account more than this.
    most = places - len(free) + 1
    queues = [
        [
            (row.id, tier, row.predicted_seconds)
            for row in tx.read(_NEXT, {"account_id": account_id, "number": min(room, most)})
        ]
        for account_id, tier, room in free
    ]
    chosen: list[tuple[str, Tier]] = []
    for job in (job for turn in zip_longest(*queues) for job in turn if job is not None):
        job_id, tier, seconds = job
        if len(chosen) == places or (len(chosen) >= slots and not is_short(seconds)):
            break
        chosen.append((job_id, tier))
    return chosen


def _take(tx: Transaction, job_id: str, tier: Tier, owner: str, at: datetime) -> Taken:
    record = job_rows.load(tx, job_id)
    lease = Lease(owner, record.job.attempt + 1, secrets.token_hex(16))
    circuit = tx.read(_CIRCUIT, {"job_id": job_id}).one()
    used = usage_rows.read(tx, record.job.account_id, at)
    (event,) = job_rows.advance(
        tx, replace(record, lease=lease), [Change(JobStatus.DISPATCHED, at)]
    )
    return Taken(lease, circuit, tier, event, used)
