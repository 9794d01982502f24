"""`quantcloud backup`: a consistent copy of the SQLite file, while the server runs too."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from quantcloud.cli.failure import Failure
from quantcloud.cli.store import existing_file
from quantcloud.settings import Settings
from quantcloud.storage.store import is_postgres


def backup(settings: Settings, target: Path) -> str:
    """Copy the database to `target`, which must not be there yet; what to say of it.

    The copy is as of one moment, is checked, and appears under its name once it is whole. Raises
    `Failure`.
    """
    if is_postgres(settings.database):
        raise Failure("the database is PostgreSQL, whose own pg_dump copies it")
    source = existing_file(settings)
    if target.exists():
        raise Failure(f"{target} is there already; name a file that is not")
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            pages = _copy(source, partial)
            # Fails where another has made the file meanwhile.
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
        # In one step, it is one read transaction: who writes goes on beside it.
        live.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        (verdict,) = copy.execute("PRAGMA quick_check").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"the copy is damaged: {verdict}")
        # In the place of the file, the copy will give later events the cursors of others.
        with suppress(sqlite3.OperationalError):  # files of older releases have no epoch
            copy.execute("DELETE FROM store_epoch")
        copy.commit()
        (pages,) = copy.execute("PRAGMA page_count").fetchone()
    _flush(target)
    return int(pages)


def _flush(path: Path) -> None:
    """Have the disk keep a file, or a folder's names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
