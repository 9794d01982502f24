"""Migrates a database to the current tables, from any released revision or from nothing."""

import logging
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from quantcloud.storage.database.errors import StoreError
from quantcloud.storage.database.migrations import HEAD

_FOLDER = Path(__file__).parent / "migrations"


def migrate(connection: Connection) -> None:
    """Run the missing migrations in the transaction of `connection`.

    Raises `StoreError` if the database belongs to another program or a newer release.
    """
    tables = inspect(connection).get_table_names()
    present = None
    if "alembic_version" in tables:
        present = connection.scalar(text("SELECT version_num FROM alembic_version"))
    elif tables:
        raise StoreError("it belongs to another program; name a file that does not exist yet")
    if present == HEAD:
        return

    # Alembic logs as soon as it is imported.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    # Imported here because most starts have nothing to migrate, and the import takes long.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StoreError(
            f"it is at revision {present!r}, which this release does not know; "
            "use the release that wrote it, or a newer one"
        ) from error
