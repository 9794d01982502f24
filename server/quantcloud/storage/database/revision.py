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
    """Return the revision of a PostgreSQL database, "" if it is new. Raises `StoreError`."""
    # Imported only for PostgreSQL, because these take long.
    import asyncpg  # noqa: PLC0415

    from quantcloud.storage.database.postgres import CONNECT_SECONDS, redacted  # noqa: PLC0415

    driver: Any = asyncpg
    try:
        connection = await driver.connect(
            url, timeout=CONNECT_SECONDS, command_timeout=CONNECT_SECONDS
        )
        try:
            return str(await connection.fetchval(_REVISION))
        finally:
            connection.terminate()
    except driver.UndefinedTableError:
        return ""
    except (OSError, ValueError, driver.PostgresError, driver.InterfaceError) as error:
        cause = str(error) or f"no answer within {CONNECT_SECONDS:g} seconds"
        raise StoreError(f"cannot use the database {redacted(url)}: {cause}") from error


def difference(revision: str) -> str:
    """Say what a revision needs: "" if it is that of this release."""
    if revision == HEAD:
        return ""
    if not revision:
        return (
            "it has no tables of this server yet: the first start of a server, or "
            "`quantcloud migrate`, makes them"
        )
    if revision < HEAD:
        return (
            f"it is at revision {revision}, and this release needs {HEAD}: the next start of a "
            "server, or `quantcloud migrate`, changes it; make a backup first"
        )
    return f"it is at revision {revision}, which a newer release wrote; this one knows {HEAD}"
