"""Accounts."""

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from quantcloud.aio.offload import Work
from quantcloud.domain.account import Account, Tier
from quantcloud.domain.errors import NotFound
from quantcloud.storage.database.interface import AnyRow, Database
from quantcloud.storage.database.tables import accounts
from quantcloud.storage.unit_of_work.group_commit import Writer
from quantcloud.storage.unit_of_work.transaction import Transaction

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
        present = await self.get(account_id)
        if present is not None and _merge(present, email, name, tier) == present:
            return present
        first = Account(account_id, Tier.EXPLORER, at)
        return await self._writer.run(lambda tx: _ensure(tx, first, email, name, tier))

    async def set_tier(self, account_id: str, tier: Tier) -> Account:
        """Move the account to `tier`. Raises `NotFound`."""
        return await self._writer.run(lambda tx: _ensure(tx, account_id, None, None, tier))


def _merge(account: Account, email: str | None, name: str | None, tier: Tier | None) -> Account:
    return Account(
        id=account.id,
        tier=account.tier if tier is None else tier,
        created_at=account.created_at,
        email=account.email if email is None else email,
        name=account.name if name is None else name,
    )


def _ensure(
    tx: Transaction,
    first: Account | str,
    email: str | None,
    name: str | None,
    tier: Tier | None,
) -> Account:
    account_id = first if isinstance(first, str) else first.id
    row = tx.read(_GET, {"account_id": account_id}).one_or_none()
    if row is not None:
        present = account_of(row)
        account = _merge(present, email, name, tier)
        if account != present:
            tx.write(_UPDATE, {"account_id": account_id, **_changing(account)})
        return account
    if isinstance(first, str):
        raise NotFound("account", first)
    account = _merge(first, email, name, tier)
    created = {"id": account.id, "created_at": account.created_at, "turn": 0}
    tx.write(_INSERT, {**created, **_changing(account)})
    return account


def _changing(account: Account) -> dict[str, Any]:
    return {"tier": account.tier.value, "email": account.email, "name": account.name}
