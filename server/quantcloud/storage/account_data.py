"""Accounts with all that they own: lists, usage and deletion, for the operator."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import BindParameter, Delete, Table, bindparam, delete, func, select

from quantcloud.domain.account import Account, MonthlyUsage
from quantcloud.domain.value_object import value_object
from quantcloud.storage.accounts import COLUMNS, account_of
from quantcloud.storage.database.interface import Connection, Database
from quantcloud.storage.database.tables import (
    accounts,
    api_keys,
    idempotency_keys,
    job_circuits,
    job_events,
    job_results,
    job_tags,
    jobs,
    monthly_usage,
    removed_events,
    saved_circuits,
    sweep_blocks,
)
from quantcloud.storage.unit_of_work.group_commit import Writer
from quantcloud.storage.unit_of_work.transaction import FIGURES, Transaction

BATCH: Final = 100
"""The most accounts that one read returns, and the most jobs that one transaction deletes."""

_ACCOUNTS = (
    select(*COLUMNS, func.coalesce(func.sum(monthly_usage.c.total_jobs), 0).label("submitted"))
    .outerjoin(monthly_usage, monthly_usage.c.account_id == accounts.c.id)
    .where(accounts.c.id > bindparam("after"))
    .group_by(*COLUMNS)
    .order_by(accounts.c.id)
    .limit(BATCH)
)
_USAGE = select(monthly_usage.c.month, *(monthly_usage.c[name] for name in FIGURES)).where(
    monthly_usage.c.account_id == bindparam("account_id")
)
_OWNER: BindParameter[str] = bindparam("account_id")
_JOBS = select(jobs.c.id).where(jobs.c.account_id == _OWNER).order_by(jobs.c.id).limit(BATCH)
_ACTIVE_JOBS = _JOBS.where(jobs.c.completed_at.is_(None))


def _delete(table: Table) -> Delete:
    return delete(table).where(table.c.account_id == _OWNER)


# Both are in the order that the foreign keys require.
_DELETE_JOBS: Mapping[str, Delete] = {
    # A key names its first job, which may be one of these while the others follow.
    "idempotency keys": _delete(idempotency_keys),
    "events": delete(job_events).where(job_events.c.job_id.in_(_JOBS)),
    "tags": delete(job_tags).where(job_tags.c.job_id.in_(_JOBS)),
    "blocks of points": delete(sweep_blocks).where(sweep_blocks.c.job_id.in_(_JOBS)),
    "results": delete(job_results).where(job_results.c.job_id.in_(_JOBS)),
    "circuits of jobs": delete(job_circuits).where(job_circuits.c.job_id.in_(_JOBS)),
    "jobs": delete(jobs).where(jobs.c.id.in_(_JOBS)),
}
_DELETE_ACCOUNT: Mapping[str, Delete] = {
    "saved circuits": _delete(saved_circuits),
    "API keys": _delete(api_keys),
    "months of usage": _delete(monthly_usage),
    "marks of retention": _delete(removed_events),
    "accounts": delete(accounts).where(accounts.c.id == _OWNER),
}


@value_object
class ListedAccount:
    """An account, and the number of jobs that it ever submitted."""

    account: Account
    submitted: int


class AccountData:
    """What accounts own. Servers may use the database at the same time."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def list(self, after: str = "") -> Sequence[ListedAccount]:
        """Return up to `BATCH` accounts in the order of their ids, those after the id `after`."""

        def read(connection: Connection) -> Sequence[ListedAccount]:
            rows = connection.execute(_ACCOUNTS, {"after": after})
            return [ListedAccount(account_of(row), int(row.submitted)) for row in rows]

        return await self._database.read(read)

    async def usage(self, account_id: str) -> Mapping[str, MonthlyUsage]:
        """Return the account's usage by calendar month, such as "2025-01"."""

        def read(connection: Connection) -> Mapping[str, MonthlyUsage]:
            rows = connection.execute(_USAGE, {"account_id": account_id})
            return {month: MonthlyUsage(*figures) for month, *figures in rows}

        return await self._database.read(read)

    async def active_jobs(self, account_id: str) -> Sequence[str]:
        """Return the ids of up to `BATCH` jobs that have not ended."""
        values = {"account_id": account_id}
        return await self._database.read(lambda c: [*c.execute(_ACTIVE_JOBS, values).scalars()])

    async def delete_jobs(self, account_id: str) -> Mapping[str, int]:
        """Delete up to `BATCH` jobs with all that belongs to them; return the number of each kind.

        A run of a deleted job cannot write its result.
        """
        return await self._writer.run_alone(lambda tx: _run(tx, _DELETE_JOBS, account_id))

    async def delete(self, account_id: str) -> Mapping[str, int]:
        """Delete the account and what is left of it; return the number of each kind.

        Call `delete_jobs` before, until it deletes none: this transaction also deletes the jobs
        that were submitted since, and all other writes wait for it.
        """

        def unit(tx: Transaction) -> Mapping[str, int]:
            deleted: Counter[str] = Counter()
            while found := _run(tx, _DELETE_JOBS, account_id):
                deleted.update(found)
            deleted.update(_run(tx, _DELETE_ACCOUNT, account_id))
            return deleted

        return await self._writer.run_alone(unit)


def _run(tx: Transaction, statements: Mapping[str, Delete], account_id: str) -> Mapping[str, int]:
    """Return how many rows each statement deleted; those that deleted none are left out."""
    deleted = {
        kind: tx.write(statement, {"account_id": account_id}).rowcount
        for kind, statement in statements.items()
    }
    return {kind: number for kind, number in deleted.items() if number}
