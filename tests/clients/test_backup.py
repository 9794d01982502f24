"""`quantcloud backup` makes a complete copy of a database in use."""

import sqlite3
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import grpc
import pytest

from quantcloud.storage import Store
from support.api import Api
from support.circuits import BELL
from support.server import Server, quantcloud


def backup(server: Server, target: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        quantcloud("backup", str(target), "--data-dir", str(server.data_dir)),
        capture_output=True, text=True, check=False, env=server._environment,
    )  # fmt: skip


def test_a_copy_of_a_live_database_has_all_acknowledged_jobs(tmp_path):
    with Server(tmp_path / "data", "--workers", "1", "--no-envoy") as server:
        api = server.api()
        before = [api.run(BELL) for _ in range(20)]
        with ThreadPoolExecutor(1) as pool:
            meanwhile = pool.submit(lambda: [api.run(BELL) for _ in range(100)])
            done = backup(server, tmp_path / "copy.db")
            meanwhile.result()
        assert done.returncode == 0, done.stderr
        assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600
        again = backup(server, tmp_path / "copy.db")
        assert again.returncode == 1
        assert "already exists" in again.stderr
        credential, cursor = api.credential, api.cursor()
    restored = {"QUANTCLOUD_DATABASE_URL": f"sqlite:///{tmp_path / 'copy.db'}"}
    with Server(tmp_path / "other", "--workers", "1", "--no-envoy", **restored) as other:
        api = type(api)(other.channel, other.rest, credential)
        for job in before:
            assert sum(api.finish(job).result.counts.values()) == 1024
        # The copy's new events reuse the numbers of events that it lacks.
        with pytest.raises(grpc.RpcError) as refused:
            next(api.watch_all(after_cursor=cursor))
        assert "to this one before it was restored" in refused.value.details()


def test_postgresql_and_missing_files_are_refused(tmp_path):
    server = Server(tmp_path / "data")
    done = backup(server, tmp_path / "copy.db")
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no database at" in done.stderr
    server._environment["QUANTCLOUD_DATABASE_URL"] = "postgresql://localhost/quantcloud"
    done = backup(server, tmp_path / "copy.db")
    assert done.returncode == 1
    assert "pg_dump --exclude-table-data=store_epoch" in done.stderr
    assert not (tmp_path / "copy.db").exists()
    done = subprocess.run(
        quantcloud("restore", str(tmp_path / "copy.db"), "--data-dir", str(server.data_dir)),
        capture_output=True, text=True, check=False, env=server._environment,
    )  # fmt: skip
    assert done.returncode == 1
    assert "DELETE FROM store_epoch" in done.stderr


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        quantcloud(*arguments, "--data-dir", str(folder)),
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_a_restored_copy_has_the_jobs_of_its_time_and_the_former_database_is_kept(tmp_path: Path):
    folder, copy = tmp_path / "data", tmp_path / "copy.db"
    with Server(folder, "--workers", "1", "--no-envoy") as server:
        first = server.api()
        kept = first.run(BELL)
        first.finish(kept)
        assert backup(server, copy).returncode == 0
        lost = first.run(BELL)
        first.finish(lost)
        running = command(folder, "restore", str(copy))
        assert running.returncode == 1
        assert "is in use by process" in running.stderr
    done = command(folder, "restore", str(copy))
    assert done.returncode == 0, done.stderr
    (before,) = folder.glob("quantcloud.db.before-*Z")
    assert str(before) in done.stdout
    with Server(folder, "--workers", "1", "--no-envoy") as server:
        again = Api(server.channel, server.rest, first.credential)
        assert again.job(kept).job_id == kept
        with pytest.raises(grpc.RpcError) as error:
            again.job(lost)
        assert error.value.code() is grpc.StatusCode.NOT_FOUND
        again.finish(again.run(BELL))
    # The former database is whole, too.
    assert command(folder, "restore", str(before), "--verify").returncode == 0


def test_a_damaged_or_foreign_file_is_refused_and_changes_nothing(tmp_path: Path):
    folder, copy = tmp_path / "data", tmp_path / "copy.db"
    with Server(folder, "--workers", "1", "--no-envoy") as server:
        api = server.api()
        for _ in range(20):
            api.run(BELL)
        assert backup(server, copy).returncode == 0
    assert "is intact" in command(folder, "restore", str(copy), "--verify").stdout
    whole = copy.read_bytes()
    copy.write_bytes(whole[: len(whole) // 2] + b"\xff" * 8192 + whole[len(whole) // 2 + 8192 :])
    text, other = tmp_path / "notes.txt", tmp_path / "other.db"
    text.write_text("no database")
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE notes (text)")
    database = (folder / "quantcloud.db").read_bytes()
    for file in (copy, text, other, tmp_path / "missing.db"):
        for options in ((), ("--verify",)):
            done = command(folder, "restore", str(file), *options)
            assert (done.returncode, done.stdout) == (1, "")
            assert done.stderr.count(str(file)) == 1
    assert (folder / "quantcloud.db").read_bytes() == database
    assert not list(folder.glob("*before*"))


async def test_migrate_says_whether_a_database_is_that_of_the_release(tmp_path: Path):
    folder = tmp_path / "data"
    file = folder / "quantcloud.db"
    assert command(folder, "migrate", "--check").returncode == 1
    await (await Store.open(file)).close()
    assert command(folder, "migrate", "--check").returncode == 0
    for revision, says in (("0001", "this release needs"), ("9999", "a newer release")):
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
            connection.commit()
        done = command(folder, "migrate", "--check")
        assert done.returncode == 1
        assert says in done.stderr
