"""The store as a command uses it, beside a running server too."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from quantcloud.cli.failure import Failure
from quantcloud.domain.errors import DomainError
from quantcloud.settings import Settings
from quantcloud.storage import Store, StoreError

T = TypeVar("T")


def with_store(settings: Settings, work: Callable[[Store], Awaitable[T]]) -> T:
    """Do `work` with the settings' store and close it. Raises `Failure`."""

    async def run() -> T:
        store = await Store.open(settings.database)
        try:
            return await work(store)
        finally:
            await store.close()

    try:
        return asyncio.run(run())
    except (StoreError, DomainError, OSError) as error:
        raise Failure(str(error)) from error
