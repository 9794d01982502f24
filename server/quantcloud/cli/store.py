"""The store as a command uses it, beside a running server too."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from quantcloud.cli.failure import Failure
from quantcloud.domain.errors import DomainError, explained
from quantcloud.settings import Settings
from quantcloud.storage import Store, StoreError
from quantcloud.storage.store import is_postgres, sqlite_path

T = TypeVar("T")


def existing_file(settings: Settings) -> Path:
    """The SQLite file of the settings' database. Raises `Failure` where there is none."""
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
    """Do `work` with the settings' store and close it. Raises `Failure`.

    A database that is not there yet is made only with `create`.
    """
    if not create and not is_postgres(settings.database):
        existing_file(settings)

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
