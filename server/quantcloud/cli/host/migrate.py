"""`quantcloud migrate`: the tables of a release."""

import asyncio

from quantcloud.cli.failure import Failure
from quantcloud.cli.host.store import existing_file, with_store
from quantcloud.settings import Settings
from quantcloud.storage import Store, StoreError
from quantcloud.storage.database.migrations import HEAD
from quantcloud.storage.database.revision import (
    difference,
    revision_of_file,
    revision_of_postgres,
)
from quantcloud.storage.store import postgres_url


def check(settings: Settings) -> str:
    """Return a line if this release can use the database. Raises `Failure` if it cannot yet."""
    if needed := _needed(settings):
        raise Failure(needed)
    return "the database is that of this release"


def migrate(settings: Settings) -> str:
    """Bring the database to the tables of this release, and return a line. Raises `Failure`."""
    needed = _needed(settings)

    async def opened(_: Store) -> None:
        """Opening a store migrates it."""

    with_store(settings, opened)
    return f"the database is at revision {HEAD}" + ("" if needed else ", as before")


def _needed(settings: Settings) -> str:
    """Return what the database needs before this release can use it; "" if nothing."""
    try:
        if url := postgres_url(settings.database):
            return difference(asyncio.run(revision_of_postgres(url)))
        return difference(revision_of_file(existing_file(settings)))
    except StoreError as error:
        raise Failure(str(error)) from error
