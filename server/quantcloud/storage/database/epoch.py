"""A database's epoch, an id by which it rejects the cursors of other databases."""

import secrets

from sqlalchemy import insert, select

from quantcloud.domain.cursors import EPOCH_BYTES
from quantcloud.storage.database.interface import Connection, Database
from quantcloud.storage.database.tables import store_epoch

_FIND = select(store_epoch.c.epoch)
_INSERT = insert(store_epoch)


async def epoch_of(database: Database) -> bytes:
    """Return the database's epoch, `EPOCH_BYTES` random bytes; create it if there is none."""
    return await database.read(_find) or await database.write(_create)


def _find(connection: Connection) -> bytes | None:
    row = connection.execute(_FIND).one_or_none()
    return None if row is None else bytes(row.epoch)


def _create(connection: Connection) -> bytes:
    with connection.begin():
        # Another server may have created it since.
        epoch = _find(connection)
        if epoch is None:
            epoch = secrets.token_bytes(EPOCH_BYTES)
            connection.execute(_INSERT, {"id": 1, "epoch": epoch})
        return epoch
