"""The revision of a database's tables, read without changing them."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from quantcloud.storage.database.errors import StoreError
from quantcloud.storage.database.migrations import HEAD

_REVISION = "SELECT version_num FROM alembic_version"


def revision_of_file(path: Path) -> str:
    """Return the revision of a SQLite file. Raises `StoreError` if it is no file of this server."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as file:
            (revision,) = file.execute(_REVISION).fetchone()
    except (sqlite3.Error, TypeError) as error:
        raise StoreError(f"{path} is no database of this server: {error}") from error
    return str(revision)


async def revision_of_postgres(url: str) -> str:
    """Return the revision of a PostgreSQL database. Raises `StoreError`."""
    # Imported only for PostgreSQL, because it takes long.
    import asyncpg  # noqa: PLC0415

    driver: Any = asyncpg
    try:
        connection = await driver.connect(url)
        try:
            return str(await connection.fetchval(_REVISION))
        finally:
            await connection.close()
    except (OSError, ValueError, driver.PostgresError, driver.InterfaceError) as error:
        raise StoreError(f"its revision cannot be read: {error}") from error


def difference(revision: str) -> str:
    """Say what a revision needs: "" if it is that of this release."""
    if revision == HEAD:
        return ""
    if revision < HEAD:
        return (
            f"it is at revision {revision}, and this release needs {HEAD}: the next start of a "
            "server, or `quantcloud migrate`, changes it; make a backup first"
        )
    return f"it is at revision {revision}, which a newer release wrote; this one knows {HEAD}"
