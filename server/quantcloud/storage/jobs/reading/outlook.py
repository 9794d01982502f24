"""Reads the jobs that run and wait, to estimate when those that wait start."""

from datetime import datetime

from sqlalchemy import bindparam, func, select

from quantcloud.domain.account import Tier
from quantcloud.domain.job import LEASED
from quantcloud.domain.outlook import ActiveJob, Outlook
from quantcloud.storage.database.interface import AnyRow, Connection
from quantcloud.storage.database.queries import ACTIVE, queued, status_in
from quantcloud.storage.database.tables import accounts, jobs, lease_owners

MOST_WAITING = 10_000
"""The most waiting jobs that it reads."""

_COLUMNS = (
    jobs.c.id, jobs.c.account_id, jobs.c.predicted_seconds, jobs.c.started_at, accounts.c.tier,
    accounts.c.turn,
)  # fmt: skip


_JOBS = select(*_COLUMNS).join_from(jobs, accounts, accounts.c.id == jobs.c.account_id)
_RUNNING = _JOBS.where(ACTIVE, status_in(LEASED))
# In the order of the queue's index.
_WAITING = (
    _JOBS.where(queued())
    .order_by(jobs.c.account_id, jobs.c.queued_at, jobs.c.id)
    .limit(MOST_WAITING + 1)
)
_SERVERS = (
    select(func.count())
    .select_from(lease_owners)
    .where(lease_owners.c.expires_at > bindparam("at", type_=lease_owners.c.expires_at.type))
)


def outlook(connection: Connection, at: datetime) -> Outlook | None:
    """Return the jobs that run and wait; None if more than `MOST_WAITING` jobs wait."""
    waiting = connection.execute(_WAITING).all()
    if len(waiting) > MOST_WAITING:
        return None
    servers = connection.execute(_SERVERS, {"at": at}).scalar_one()
    return Outlook(
        [_active(row, at) for row in connection.execute(_RUNNING)],
        # The order within an account stays.
        [_active(row, at) for row in sorted(waiting, key=lambda row: row.turn)],
        max(1, servers),
    )


def _active(row: AnyRow, at: datetime) -> ActiveJob:
    seconds = row.predicted_seconds
    if seconds is not None and row.started_at is not None:
        seconds = max(0.0, seconds - (at - row.started_at).total_seconds())
    return ActiveJob(row.id, row.account_id, Tier(row.tier), seconds)
