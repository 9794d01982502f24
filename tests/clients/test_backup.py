"""`quantcloud backup` makes a complete copy of a database in use."""

import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

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
        assert "of this one before it was restored" in refused.value.details()


def test_postgresql_and_missing_files_are_refused(tmp_path):
    server = Server(tmp_path / "data")
    done = backup(server, tmp_path / "copy.db")
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no database at" in done.stderr
    server._environment["QUANTCLOUD_DATABASE_URL"] = "postgresql://localhost/quantcloud"
    done = backup(server, tmp_path / "copy.db")
    assert done.returncode == 1
    assert "pg_dump" in done.stderr
    assert not (tmp_path / "copy.db").exists()
