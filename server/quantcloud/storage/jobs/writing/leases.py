"""Leases: owners extend them with heartbeats; the jobs of a silent owner go back to the queue.

A lease is (owner, attempt, token). All leases of an owner expire together, so one row per server is
enough. Each write of a run must have the lease's token, so an owner that comes back after its
leases ended cannot write.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import bindparam, delete, or_, select

from quantcloud.domain.job import LEASED, JobEvent
from quantcloud.storage.database.queries import ACTIVE, status_in, upsert
from quantcloud.storage.database.tables import jobs, lease_owners
from quantcloud.storage.jobs.writing import writes
from quantcloud.storage.unit_of_work.group_commit import Writer
from quantcloud.storage.unit_of_work.transaction import Transaction

_EXTEND = upsert(lease_owners, lambda new: {"expires_at": new.expires_at})
_EXPIRED = lease_owners.c.expires_at <= bindparam("at", type_=lease_owners.c.expires_at.type)
_ORPHANS = (
    select(jobs.c.id)
    .join_from(jobs, lease_owners, lease_owners.c.owner == jobs.c.lease_owner, isouter=True)
    .where(
        ACTIVE,
        status_in(LEASED),
        jobs.c.lease_owner != bindparam("by"),
        or_(lease_owners.c.owner.is_(None), _EXPIRED),
    )
    .order_by(jobs.c.queued_at, jobs.c.id)
)
_HELD = (
    select(jobs.c.id, jobs.c.lease_token)
    .where(ACTIVE, status_in(LEASED), jobs.c.lease_owner == bindparam("of_owner"))
    .order_by(jobs.c.queued_at, jobs.c.id)
)
_FORGET_EXPIRED = delete(lease_owners).where(_EXPIRED, lease_owners.c.owner != bindparam("by"))
_FORGET = delete(lease_owners).where(lease_owners.c.owner == bindparam("of_owner"))


class Leases:
    """Extends and ends leases. The clocks of all servers must agree to within a few seconds."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def heartbeat(self, owner: str, until: datetime) -> None:
        """Extend the leases of `owner` to `until`."""

        def unit(tx: Transaction) -> None:
            tx.write(_EXTEND, {"owner": owner, "expires_at": until})

        await self._writer.run(unit)

    async def take_back(self, by: str, at: datetime) -> list[JobEvent]:
        """End the expired leases of every owner but `by`, as lost.

        The jobs return to their places in the queue; a job that was lost three times fails.
        """
        return await self._writer.run(lambda tx: _take_back(tx, by, at))

    async def disown(self, owner: str, known: Collection[str], at: datetime) -> list[JobEvent]:
        """End the leases of `owner` that are not `known`, and return their jobs to the queue.

        `known` are tokens. `owner` has other leases if the answer to its claim was lost; their runs
        never started.
        """
        return await self._writer.run(lambda tx: _disown(tx, owner, known, at))

    async def release(self, owner: str) -> None:
        """Let the leases of `owner`, which stops, expire at once."""

        def unit(tx: Transaction) -> None:
            tx.write(_FORGET, {"of_owner": owner})

        await self._writer.run(unit)


def _take_back(tx: Transaction, by: str, at: datetime) -> list[JobEvent]:
    values = {"by": by, "at": at}
    events = writes.return_all(tx, tx.read(_ORPHANS, values).scalars(), at, lost=True)
    tx.write(_FORGET_EXPIRED, values)
    return events


def _disown(tx: Transaction, owner: str, known: Collection[str], at: datetime) -> list[JobEvent]:
    held = tx.read(_HELD, {"of_owner": owner}).all()
    ids = [row.id for row in held if row.lease_token not in known]
    return writes.return_all(tx, ids, at, lost=False)
