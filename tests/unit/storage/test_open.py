"""Opening a database creates and migrates it, or fails with a reason."""

import asyncio
import errno
import os
import re
import sqlite3
import stat
import subprocess
import sys

import pytest
from sqlalchemy import create_engine, text

from quantcloud.domain.errors import Damaged, Unavailable
from quantcloud.storage import DataDirLockedError, Store, StoreError, lock_data_dir
from quantcloud.storage.database.migrations import HEAD
from quantcloud.storage.database.tables import metadata
from unit.storage.builders import T0, submit


async def _reopen(location) -> None:
    await (await Store.open(location)).close()


def _schema(connection: sqlite3.Connection) -> dict[str, list[str]]:
    """Return the parts of each table and index, sorted."""
    rows = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name != 'alembic_version'"
    )
    before_part = re.compile(r",\s+(?=CONSTRAINT|[a-z_]+ [A-Z])")
    return {name: sorted(before_part.split(sql.removesuffix("\n)"))) for name, sql in rows}


async def test_a_new_file_and_folder_are_private_to_their_owner(tmp_path):
    path = tmp_path / "new" / "store.db"
    previous = os.umask(0)
    try:
        store = await Store.open(path)
    finally:
        os.umask(previous)
    await submit(store)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()}
    await store.close()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert set(modes) == {"store.db", "store.db-initialized", "store.db-wal", "store.db-shm"}
    assert set(modes.values()) == {0o600}


async def test_files_that_others_could_read_are_made_private_with_a_warning(tmp_path, caplog):
    path = tmp_path / "store.db"
    store = await Store.open(path)
    await submit(store)
    # A killed server leaves its files like this, with a log.
    names = {"store.db", "store.db-wal", "store.db-shm"}
    for name in names:
        (copy := tmp_path / "copy" / name).parent.mkdir(exist_ok=True)
        copy.write_bytes((tmp_path / name).read_bytes())
        copy.chmod(0o644)
    await store.close()
    assert not caplog.records
    await _reopen(tmp_path / "copy" / "store.db")
    assert stat.S_IMODE((tmp_path / "copy" / "store.db").stat().st_mode) == 0o600
    warned = [record.getMessage() for record in caplog.records]
    files = {tmp_path / "copy" / name for name in names}
    assert {f"others could use {file} (mode 644, now private)" for file in files} == {
        text.partition(";")[0] for text in warned
    }


async def test_jobs_are_there_after_reopening(path):
    store = await Store.open(path)
    job = await submit(store)
    await store.close()
    assert {p.name for p in path.parent.iterdir()} == {"store.db", "store.db-initialized"}
    store = await Store.open(f"sqlite:///{path}")
    assert await store.jobs.get("alice", job.id) == job
    await store.close()


def test_migrations_create_the_declared_tables(path):
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        metadata.create_all(connection)
        declared = _schema(connection.connection.driver_connection)
    engine.dispose()
    migrated = sqlite3.connect(path)
    assert _schema(migrated) == declared
    (revision,) = migrated.execute("SELECT version_num FROM alembic_version").fetchone()
    migrated.close()
    assert revision == HEAD


def test_creating_a_database_logs_nothing(tmp_path):
    script = (
        "import asyncio, logging, sys; from quantcloud.storage import Store\n"
        "logging.basicConfig(level=logging.INFO)\n"
        "async def main(): await (await Store.open(sys.argv[1])).close()\n"
        "asyncio.run(main())"
    )
    command = [sys.executable, "-c", script, tmp_path / "store.db"]
    done = subprocess.run(command, check=True, capture_output=True)
    assert (done.stdout, done.stderr) == (b"", b"")


async def test_every_connection_has_the_required_settings(path):
    store = await Store.open(path)

    def pragmas(connection) -> dict[str, object]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return {n: connection.execute(text(f"PRAGMA {n}")).scalar_one() for n in names}

    full = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    assert await store._database.read(pragmas) == full
    assert await store._database.write(pragmas) == full
    await store.close()


async def test_readers_cannot_write(path):
    store = await Store.open(path)
    with pytest.raises(Unavailable):
        await store._database.read(lambda c: c.execute(text("DELETE FROM jobs")))
    await store.close()


async def test_a_file_that_is_not_a_database_is_refused(tmp_path):
    path = tmp_path / "store.db"
    path.write_bytes(b"not a database, but long enough to have a header" * 100)
    with pytest.raises(StoreError, match=r"store\.db: file is not a database"):
        await Store.open(path)


def _empty(path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("lose", [_empty, os.remove])
async def test_a_lost_database_is_not_replaced_by_a_new_one(path, lose):
    await _reopen(path)
    lose(path)
    with pytest.raises(StoreError, match=r"though it was in use before: put a backup in its place"):
        await Store.open(path)
    (path.parent / f"{path.name}-initialized").unlink()
    await _reopen(path)


async def test_a_write_ahead_log_without_its_database_is_kept(path):
    """A killed server leaves such a log."""
    store = await Store.open(path)
    await submit(store)
    log = path.with_name(f"{path.name}-wal")
    content = log.read_bytes()
    await store.close()
    path.write_bytes(b"")
    path.with_name(f"{path.name}-initialized").unlink()
    log.write_bytes(content)
    with pytest.raises(StoreError, match="is empty, though it was in use before"):
        await Store.open(path)
    assert log.read_bytes() == content


async def test_a_start_that_was_interrupted_before_the_first_table_is_repeated(tmp_path):
    """It leaves an empty file, which counts as a new one."""
    path = tmp_path / "store.db"
    path.write_bytes(b"")
    await _reopen(path)


async def test_a_database_of_another_program_is_refused(tmp_path):
    path = tmp_path / "store.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE songs (title TEXT)")
    connection.close()
    with pytest.raises(StoreError, match="belongs to another program"):
        await Store.open(path)


async def test_a_database_of_a_newer_release_is_refused(path):
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="revision '9999', which this release does not know"):
        await Store.open(path)


def _damage(path, table: str) -> None:
    """Overwrite the first page of `table` in the file."""
    connection = sqlite3.connect(path)
    (page,) = connection.execute(
        "SELECT rootpage FROM sqlite_master WHERE name = ?", [table]
    ).fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


async def test_a_damaged_page_gives_an_error(path):
    store = await Store.open(path)
    job = await submit(store)
    await store.close()
    _damage(path, "jobs")
    store = await Store.open(path)
    with pytest.raises(Damaged, match="the service's database is damaged") as caught:
        await store.jobs.get("alice", job.id)
    assert caught.value.__notes__ == [f"{path}: database disk image is malformed"]
    with pytest.raises(Damaged):
        await submit(store)
    assert await store.accounts.get("alice") is not None
    await store.close()


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("mysql://localhost/quantcloud", "cannot use a database at mysql://"),
        ("sqlite:///:memory:", "must be a file"),
        ("sqlite://", "must be a file"),
        ("", "must be a file"),
        (":memory:", "must be a file"),
        ("sqlite:///a.db?mode=ro", "give sqlite:///PATH"),
        ("://", "cannot be read"),
    ],
)
async def test_an_unusable_location_is_refused(location, reason):
    with pytest.raises(StoreError, match=reason):
        await Store.open(location)


async def test_a_folder_in_place_of_the_file_is_refused(tmp_path):
    with pytest.raises(StoreError, match="Is a directory"):
        await Store.open(tmp_path)


async def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(StoreError, match=r"cannot open the database"):
        await Store.open(tmp_path / "data" / "store.db")


async def test_a_new_file_can_be_opened_concurrently(tmp_path):
    await asyncio.gather(*(_reopen(tmp_path / "store.db") for _ in range(6)))


async def test_a_closed_store_refuses_calls(location):
    store = await Store.open(location)
    await store.close()
    with pytest.raises(Unavailable, match="closed"):
        await store.accounts.get("alice")
    with pytest.raises(Unavailable, match="closed"):
        await store.accounts.ensure("alice", at=T0)
    with pytest.raises(Unavailable, match="closed"):
        await store.jobs.recover(T0)


def lock(folder) -> None:
    with lock_data_dir(folder):
        pass


def test_a_second_lock_names_the_first_process(tmp_path):
    folder = tmp_path / "data"
    script = (
        "import sys; from pathlib import Path; from quantcloud.storage import lock_data_dir\n"
        "with lock_data_dir(Path(sys.argv[1])): print('locked', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(DataDirLockedError, match=f"in use by process {holder.pid}") as caught:
            lock(folder)
        holder.kill()
        holder.wait()
    assert caught.value.pid == holder.pid
    with (
        lock_data_dir(folder),
        pytest.raises(DataDirLockedError, match=f"process {os.getpid()}"),
    ):
        lock(folder)
    lock(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_disk_that_became_read_only_does_not_keep_the_lock(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as read_only, lock_data_dir(tmp_path):
        read_only.setattr(os, "ftruncate", refuse)
    lock(tmp_path)


def test_a_data_folder_that_cannot_be_used_is_named_with_what_to_do(tmp_path):
    file = tmp_path / "file"
    file.touch()
    for folder, reason in ((file, "it is a file"), (file / "data", "Not a directory")):
        with pytest.raises(OSError, match="; name another with --data-dir") as refused:
            lock(folder)
        assert str(refused.value).startswith(f"cannot use the data folder {folder}: {reason};")
