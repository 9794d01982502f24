"""Access of commands to the store. A server may be running."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from quantcloud.cli.failure import Failure
from quantcloud.domain.account import Account
from quantcloud.domain.errors import DomainError, explained
from quantcloud.settings import Settings
from quantcloud.storage import Store, StoreError
from quantcloud.storage.store import postgres_url, sqlite_path
from quantcloud.telemetry import audit

T = TypeVar("T")


def existing_file(settings: Settings) -> Path:
    """Return the path of the settings' SQLite file. Raises `Failure` if there is none."""
    try:
        path = sqlite_path(settings.database)
    except StoreError as error:
        raise Failure(str(error)) from error
    if not path.is_file():
        raise Failure(f"there is no database at {path}")
    return path


def with_store(
    settings: Settings, work: Callable[[Store], Awaitable[T]], *, create: bool = False
) -> T:
    """Open the settings' store, do `work` with it and close it. Raises `Failure`.

    A missing database is created only with `create`.
    """
    if not create and not postgres_url(settings.database):
        existing_file(settings)

    audit.configure(settings.audit_log_path)

    async def run() -> T:
        store = await Store.open(settings.database)
        try:
            return await work(store)
        finally:
            await store.close()

    try:
        return asyncio.run(run())
    except (StoreError, DomainError, OSError) as error:
        raise Failure(explained(error)) from error


async def known(store: Store, user: str) -> Account:
    """Return an account. Raises `Failure` if there is none."""
    account = await store.accounts.get(user)
    if account is None:
        raise Failure(
            f"there is no account {user!r}: its owner's first request creates it, "
            f"or `quantcloud token --user {user}`"
        )
    return account
