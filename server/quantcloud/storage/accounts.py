"""Accounts and their usage."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from quantcloud.aio.offload import Work
from quantcloud.domain.account import Account, MonthlyUsage, Tier
from quantcloud.domain.errors import NotFound
from quantcloud.storage.database.interface import AnyRow, Connection, Database
from quantcloud.storage.database.tables import accounts
from quantcloud.storage.unit_of_work.group_commit import Writer
from quantcloud.storage.unit_of_work.transaction import MONTH, Transaction, month_of

COLUMNS = [accounts.c[name] for name in ("id", "tier", "created_at", "email", "name")]

_GET = select(*COLUMNS).where(accounts.c.id == bindparam("account_id"))
_INSERT = insert(accounts)
_UPDATE = (
    update(accounts)
    .where(accounts.c.id == bindparam("account_id"))
    .values({name: bindparam(name) for name in ("tier", "email", "name")})
)


def account_of(row: AnyRow) -> Account:
    """Return the account of a row with `COLUMNS`."""
    return Account(row.id, Tier(row.tier), row.created_at, row.email, row.name)


class Accounts:
    """Accounts by id, the `sub` of a JWT."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def get(self, account_id: str) -> Account | None:
        def first(row: AnyRow | None) -> Account | None:
            return None if row is None else account_of(row)

        return await self._database.read(
            lambda c: first(c.execute(_GET, {"account_id": account_id}).one_or_none()),
            cost=Work.LOOK_UP.cost(1),
        )

    async def usage(self, account_id: str, month: date) -> MonthlyUsage:
        """Return the account's usage in the calendar month in UTC of `month`, any day of it."""
        values = {"account_id": account_id, "month": month_of(month)}

        def read(connection: Connection) -> MonthlyUsage:
            row = connection.execute(MONTH, values).one_or_none()
            return MonthlyUsage() if row is None else MonthlyUsage(*row)

        return await self._database.read(read, cost=Work.LOOK_UP.cost(1))

    async def ensure(
        self,
        account_id: str,
        *,
        email: str | None = None,
        name: str | None = None,
        at: datetime,
        tier: Tier | None = None,
    ) -> Account:
        """Return the account; create it on the explorer tier if it is new.

        Arguments other than None update the account. This is cheap enough for every request: it
        writes only if something changes.
        """
        given = {"email": email, "name": name, "tier": tier}
        given = {name: value for name, value in given.items() if value is not None}
        present = await self.get(account_id)
        if present is not None and replace(present, **given) == present:
            return present
        first = Account(account_id, Tier.EXPLORER, at)
        return await self._writer.run(lambda tx: _change(tx, account_id, given, first))

    async def set_tier(self, account_id: str, tier: Tier) -> Account:
        """Move the account to `tier`. Raises `NotFound`."""
        return await self._writer.run(lambda tx: _change(tx, account_id, {"tier": tier}))


def _change(
    tx: Transaction, account_id: str, given: Mapping[str, Any], first: Account | None = None
) -> Account:
    """Change the fields of an account that are `given`; without an account, those of `first`."""
    row = tx.read(_GET, {"account_id": account_id}).one_or_none()
    present = first if row is None else account_of(row)
    if present is None:
        raise NotFound("account", account_id)
    account = replace(present, **given)
    values = {"tier": account.tier.value, "email": account.email, "name": account.name}
    if row is None:
        new = {"id": account_id, "created_at": account.created_at, "turn": 0}
        tx.write(_INSERT, {**new, **values})
    elif account != present:
        tx.write(_UPDATE, {"account_id": account_id, **values})
    return account
