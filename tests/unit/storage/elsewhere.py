"""Other programs that use the same database."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from quantcloud.storage.database import postgres


@asynccontextmanager
async def writing_elsewhere(location: Path | str) -> AsyncIterator[None]:
    """Hold a transaction that writes open, as another process might."""
    if isinstance(location, Path):
        connection = sqlite3.connect(location, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
        connection.close()
        return
    server = await asyncpg.connect(location)
    async with server.transaction():
        await server.execute(f"SELECT pg_advisory_xact_lock({postgres._WRITE_LOCK})")
        yield
    await server.close()
