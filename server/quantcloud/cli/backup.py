"""`quantcloud backup`: a consistent copy of the SQLite file. The server may be running."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from quantcloud.cli.failure import Failure
from quantcloud.cli.store import existing_file
from quantcloud.settings import Settings
from quantcloud.storage.store import is_postgres


def backup(settings: Settings, target: Path) -> str:
    """Copy the database to `target`, which must not exist, and return a line about the copy.

    The copy shows the database at one moment. It is checked, and gets its name when it is complete.
    Raises `Failure`.
    """
    if is_postgres(settings.database):
        raise Failure("the database is PostgreSQL; copy it with pg_dump")
    source = existing_file(settings)
    if target.exists():
        raise Failure(f"{target} already exists; name a new file")
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            pages = _copy(source, partial)
            # Fails if another process has created the file meanwhile.
            os.link(partial, target)
        finally:
            partial.unlink()
        _flush(target.parent)
    except (OSError, sqlite3.Error) as error:
        raise Failure(f"cannot copy {source} to {target}: {error}") from error
    return f"{target} is a copy of {source}, {pages} pages"


def _copy(source: Path, target: Path) -> int:
    with (
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as live,
        closing(sqlite3.connect(target)) as copy,
    ):
        # One step is one read transaction, which does not block writers.
        live.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        (verdict,) = copy.execute("PRAGMA quick_check").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"the copy is damaged: {verdict}")
        # After a restore, new events reuse numbers of lost ones. A new epoch makes cursors invalid.
        with suppress(sqlite3.OperationalError):  # files of older releases have no epoch
            copy.execute("DELETE FROM store_epoch")
        copy.commit()
        (pages,) = copy.execute("PRAGMA page_count").fetchone()
    _flush(target)
    return int(pages)


def _flush(path: Path) -> None:
    """Flush a file, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
