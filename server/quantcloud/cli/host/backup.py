"""`quantcloud backup` and `restore`: consistent copies of the SQLite file.

A server may be running while a backup is made.
"""

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

from quantcloud.cli.failure import Failure
from quantcloud.cli.host.store import existing_file
from quantcloud.settings import Settings
from quantcloud.storage import DataDirLockedError, StoreError, lock_data_dir
from quantcloud.storage.database.revision import difference, revision_of_file
from quantcloud.storage.store import postgres_url, sqlite_path


def backup(settings: Settings, target: Path) -> str:
    """Copy the database to `target`, which must not exist, and return a line about the copy.

    The copy shows the database at one moment. It is checked, and gets its name when it is complete.
    Raises `Failure`.
    """
    if postgres_url(settings.database):
        raise Failure(
            "the database is PostgreSQL; copy it with `pg_dump --exclude-table-data=store_epoch`"
        )
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
        cause = getattr(error, "strerror", None) or error
        raise Failure(f"cannot copy {source} to {target}: {cause}") from error
    return f"{target} is a copy of {source}, {pages} pages"


def verify(file: Path) -> str:
    """Check a copy, and return a line about it. Raises `Failure`."""
    revision = _verified(file)
    return f"{file} is intact, at revision {revision}" + _advice(revision)


def restore(settings: Settings, file: Path, now: datetime) -> str:
    """Put a copy in the place of the database, and return a line about it.

    A database that is there is kept beside it, with the time in its name. No server may be running.
    Raises `Failure`.
    """
    if postgres_url(settings.database):
        raise Failure(
            "the database is PostgreSQL; restore it with pg_restore or psql, and run "
            "`DELETE FROM store_epoch` in it before you start a server"
        )
    revision = _verified(file)
    try:
        target = sqlite_path(settings.database)
        with lock_data_dir(settings.data_dir):
            partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
            try:
                shutil.copyfile(file, partial)
                partial.chmod(0o600)
                _flush(partial)
                kept = _set_aside(target, now)
                partial.rename(target)
            finally:
                partial.unlink(missing_ok=True)
            _flush(target.parent)
    except (OSError, StoreError, DataDirLockedError) as error:
        raise Failure(f"cannot restore {file}: {error}") from error
    before = f"; the database that was there is {kept}" if kept else ""
    return f"{target} is a copy of {file}, at revision {revision}{before}{_advice(revision)}"


def _verified(file: Path) -> str:
    """Return the revision of an intact copy. Raises `Failure`."""
    if not file.is_file():
        raise Failure(f"there is no file {file}; name a copy that `quantcloud backup` made")
    try:
        revision = revision_of_file(file)
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as copy:
            verdict = [row[0] for row in copy.execute("PRAGMA integrity_check(3)")]
    except StoreError as error:
        raise Failure(str(error)) from error
    except sqlite3.Error as error:
        raise Failure(f"{file} is damaged: {error}") from error
    if verdict != ["ok"]:
        raise Failure(f"{file} is damaged: {'; '.join(verdict)}")
    return revision


def _advice(revision: str) -> str:
    return f". Note: {found}" if (found := difference(revision)) else ""


def _set_aside(target: Path, now: datetime) -> Path | None:
    """Rename a database and its log; return its new path, or None if there was none."""
    if not target.exists():
        return None
    kept = target.with_name(f"{target.name}.before-{now:%Y%m%dT%H%M%SZ}")
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            target.with_name(target.name + suffix).rename(kept.with_name(kept.name + suffix))
    return kept


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
