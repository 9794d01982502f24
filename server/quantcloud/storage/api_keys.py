"""API keys; the store has only a digest of a key's text."""

import uuid
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Select, bindparam, func, insert, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from quantcloud.aio.offload import Work
from quantcloud.domain.account import Account, ApiKey
from quantcloud.domain.errors import NotFound, QuotaExceeded
from quantcloud.storage.accounts import COLUMNS as ACCOUNT_COLUMNS
from quantcloud.storage.accounts import account_of
from quantcloud.storage.database.interface import AnyRow, Connection, Database
from quantcloud.storage.database.queries import identifier
from quantcloud.storage.database.tables import accounts, api_keys
from quantcloud.storage.unit_of_work.group_commit import Writer
from quantcloud.storage.unit_of_work.transaction import Transaction

_FIELDS = [each.name for each in fields(ApiKey)]
# A join has columns of the account by the same names.
_KEY_COLUMNS = [api_keys.c[name].label(f"key_{name}") for name in _FIELDS]
_VALID = api_keys.c.revoked_at.is_(None)
_OF_ACCOUNT = (api_keys.c.account_id == bindparam("of_account"), _VALID)

_LIST = (
    select(*_KEY_COLUMNS)
    .where(*_OF_ACCOUNT)
    .order_by(api_keys.c.created_at.desc(), api_keys.c.id.desc())
)
_COUNT = select(func.count()).select_from(api_keys).where(*_OF_ACCOUNT)
_WITH_ACCOUNT = (
    select(*_KEY_COLUMNS, *ACCOUNT_COLUMNS)
    .join_from(api_keys, accounts, accounts.c.id == api_keys.c.account_id)
    .where(_VALID)
)
_FIND = _WITH_ACCOUNT.where(api_keys.c.digest == bindparam("digest"))
_GET = _WITH_ACCOUNT.where(api_keys.c.id == bindparam("key_id"))
# Key creations of one account run one after the other, so that the limit holds.
_LOCK_ACCOUNT = (
    select(accounts.c.id).where(accounts.c.id == bindparam("account_id")).with_for_update()
)
_INSERT = insert(api_keys)
_REVOKE = update(api_keys).where(_VALID).values(revoked_at=bindparam("at")).returning(*_KEY_COLUMNS)
_REVOKE_OWN = _REVOKE.where(
    api_keys.c.account_id == bindparam("of_account"), api_keys.c.id == bindparam("key_id")
)
_REVOKE_ANY = _REVOKE.where(
    (api_keys.c.id == bindparam("key_id")) | (api_keys.c.digest == bindparam("key_digest"))
)
_TOUCH = (
    update(api_keys)
    .where(
        api_keys.c.id == bindparam("key_id"),
        func.coalesce(api_keys.c.last_used_at, api_keys.c.created_at)
        <= bindparam("at", type_=api_keys.c.last_used_at.type),
    )
    .values(last_used_at=bindparam("at"))
)


class ApiKeys:
    """API keys of accounts; a revoked key counts as missing."""

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer

    async def create(
        self, account_id: str, name: str, prefix: str, digest: bytes, at: datetime, *, limit: int
    ) -> ApiKey:
        """Create a key. Raises `QuotaExceeded` ("api_keys_limit") if the account has `limit`."""
        key = ApiKey(str(uuid.uuid4()), account_id, name, prefix, at)
        return await self._writer.run(lambda tx: _create(tx, key, digest, limit))

    async def list(self, account_id: str) -> list[ApiKey]:
        """Return the account's keys, newest first."""
        return await self._database.read(
            lambda c: [_key_of(row) for row in c.execute(_LIST, {"of_account": account_id})]
        )

    async def revoke(self, account_id: str, key_id: str, at: datetime) -> None:
        """Revoke a key. Raises `NotFound`, also if it is revoked or belongs to another account."""
        await self._revoke(_REVOKE_OWN, identifier("API key", key_id), at, of_account=account_id)

    async def revoke_any(self, key_id: str, digest: bytes, at: datetime) -> ApiKey:
        """Revoke the key of any account that has this id or digest, and return it.

        Raises `NotFound`, also if it is revoked.
        """
        return await self._revoke(_REVOKE_ANY, key_id, at, key_digest=digest)

    async def _revoke(
        self, statement: ReturningUpdate[Any], key_id: str, at: datetime, **which: object
    ) -> ApiKey:
        def unit(tx: Transaction) -> ApiKey:
            row = tx.write(statement, {"key_id": key_id, "at": at, **which}).one_or_none()
            if row is None:
                raise NotFound("API key", key_id)
            return _key_of(row)

        return await self._writer.run(unit)

    async def find(self, digest: bytes) -> tuple[ApiKey, Account] | None:
        """Return the key with this digest and its account; None if it is missing or revoked."""
        return await self._one(_FIND, digest=digest)

    async def get(self, key_id: str) -> tuple[ApiKey, Account] | None:
        """Return the key with this id and its account; None if it is missing or revoked."""
        return await self._one(_GET, key_id=key_id)

    async def _one(self, query: Select[Any], **values: object) -> tuple[ApiKey, Account] | None:
        def read(connection: Connection) -> tuple[ApiKey, Account] | None:
            row = connection.execute(query, values).one_or_none()
            return None if row is None else (_key_of(row), account_of(row))

        return await self._database.read(read, cost=Work.LOOK_UP.cost(1))

    async def touch(self, used: Mapping[str, datetime]) -> None:
        """Record when keys, by id, were last used; earlier times than stored are ignored."""
        rows = [{"key_id": key_id, "at": at} for key_id, at in used.items()]

        def unit(tx: Transaction) -> None:
            tx.write(_TOUCH, rows)

        if rows:
            await self._writer.run(unit)


def _create(tx: Transaction, key: ApiKey, digest: bytes, limit: int) -> ApiKey:
    tx.read(_LOCK_ACCOUNT, {"account_id": key.account_id})
    present = tx.read(_COUNT, {"of_account": key.account_id}).scalar_one()
    if present >= limit:
        raise QuotaExceeded(
            "api_keys_limit",
            f"api_keys_limit: the account has {present} API keys and its tier allows {limit}; "
            "revoke one first",
            subject=key.account_id,
            maximum=limit,
            requested=1,
            used=present,
        )
    tx.write(_INSERT, {**asdict(key), "digest": digest})
    return key


def _key_of(row: AnyRow) -> ApiKey:
    return ApiKey(**{name: getattr(row, f"key_{name}") for name in _FIELDS})
