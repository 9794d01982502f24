"""Which database this is, so that the cursors of another one are recognised."""

import secrets

from sqlalchemy import insert, select

from quantcloud.domain.cursors import EPOCH_BYTES
from quantcloud.storage.database.interface import Connection, Database
from quantcloud.storage.database.tables import store_epoch

_FIND = select(store_epoch.c.epoch)
_KEEP = insert(store_epoch)


async def epoch_of(database: Database) -> bytes:
    """The database's epoch, `EPOCH_BYTES` random bytes; made where the database has none."""
    return await database.read(_found) or await database.write(_made)


def _found(connection: Connection) -> bytes | None:
    row = connection.execute(_FIND).one_or_none()
    return None if row is None else bytes(row.epoch)


def _made(connection: Connection) -> bytes:
    with connection.begin():
        # Another server may have been quicker.
        epoch = _found(connection)
        if epoch is None:
            epoch = secrets.token_bytes(EPOCH_BYTES)
            connection.execute(_KEEP, {"id": 1, "epoch": epoch})
        return epoch
