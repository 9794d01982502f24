"""A full disk, a file that cannot be written, or a damaged page: each gives a clear error and no
wrong answer, and loses nothing that was acknowledged.
"""

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from support.api import Api
from support.chaos.deployments import Deployment
from support.circuits import ASYMMETRIC, slow
from support.server import Server, quantcloud
from thequantcloud.v1 import job_pb2

_QASM = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nmeasure q -> c;\n'
# Root may write everything. Without this right, the modes of files apply to it.
_WITHOUT_RIGHTS = """
import ctypes, os, sys
if os.geteuid() == 0:
    PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
    assert ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


@contextmanager
def no_more_room(server: Server) -> Iterator[None]:
    """No file of the server can grow, like with a quota, but for one process only."""
    pid = server.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount, umount = (shutil.which(name) for name in ("mount", "umount"))
    make = [mount or "", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)]
    if os.geteuid() or not (mount and umount) or subprocess.run(make, check=False).returncode:
        pytest.skip("only root may make a small disk, and not in every container")
    yield folder
    subprocess.run([umount or "", str(folder)], check=True)


def fill(disk: Path, *, but: int = 0) -> Path:
    """Fill a disk except for `but` KiB. Return the file to remove to make room again."""
    path = disk / "filler"
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)) == 4096:
            pass
    os.truncate(path, path.stat().st_size - but * 1024)
    return path


def result_of(api: Api, job: str) -> job_pb2.JobResult:
    return api.jobs.GetJobResult(job_pb2.GetJobResultRequest(id=job), metadata=api.metadata)


def reason_of(answer: httpx.Response) -> str:
    (info,) = [each for each in answer.json()["details"] if "reason" in each]
    return info["reason"]


def test_a_full_disk_is_503_and_loses_no_job(tmp_path: Path, disk: Path):
    deployment = Deployment(tmp_path, data_dir=disk / "data")
    (server,) = deployment.servers
    server.log_path = tmp_path / "server.log"
    with deployment:
        api = deployment.api()
        earlier = api.run(ASYMMETRIC, backend="local_simulator", shots=10)
        assert dict(api.finish(earlier).result.counts) == {"001": 10}
        running = api.run(_QASM, backend="nap", shots=500)
        api.until(running, job_pb2.Job.running)
        filler = fill(disk)
        answer = until_refused(api)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert reason_of(answer) == "DISK_FULL"
        assert "disk" in answer.json()["detail"]
        with pytest.raises(grpc.RpcError) as refused:
            api.run(ASYMMETRIC)
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        until_health(server, 503)
        health = server.get("/health")
        assert reason_of(health) == "DISK_FULL"
        assert str(disk) not in health.text
        # Reads still work.
        assert dict(result_of(api, earlier).counts) == {"001": 10}
        # One log line, however many calls and retries failed.
        lines = server.log_path.read_text().splitlines()
        (line,) = [each for each in lines if "database or disk is full" in each]
        assert f"{server.data_dir}/quantcloud.db: database or disk is full" in line
        assert '"level": "error"' in line
        filler.unlink()
        last = api.finish(running)
        assert last.job.status == job_pb2.Job.completed
        assert dict(last.result.counts) == {"11": 500}
        assert api.finish(api.run(ASYMMETRIC, shots=7)).result.counts["001"] == 7
        until_health(server, 200)


def until_refused(api: Api) -> httpx.Response:
    """Submit until there is no room. The write-ahead log has some left at first."""
    while True:
        answer = api.rest("POST", "/v1/circuits/run", {"qasm": ASYMMETRIC})
        if answer.status_code != 202:
            return answer


def until_health(server: Server, status: int) -> None:
    deadline = time.monotonic() + 30
    while server.get("/health").status_code != status:
        assert time.monotonic() < deadline


@pytest.mark.skipif(sys.platform != "linux", reason="limits of other processes are Linux's")
def test_a_disk_that_refuses_writes_is_503_and_loses_no_job(tmp_path: Path):
    with Deployment(tmp_path) as deployment:
        (server,) = deployment.servers
        api = deployment.api()
        running = api.run(_QASM, backend="nap", shots=500)
        api.until(running, job_pb2.Job.running)
        with no_more_room(server):
            answer = until_refused(api)
            assert answer.status_code == 503
            assert reason_of(answer) == "STORE_IO_ERROR"
            until_health(server, 503)
        last = api.finish(running)
        assert last.job.status == job_pb2.Job.completed
        assert dict(last.result.counts) == {"11": 500}


@pytest.mark.parametrize("name", ["quantcloud.db", "quantcloud.db-wal"])
def test_a_removed_file_is_503_at_once_and_loses_no_job(tmp_path: Path, name: str):
    """What is written to a removed file is lost when the server ends."""
    with Deployment(tmp_path) as deployment:
        (server,) = deployment.servers
        api = deployment.api()
        earlier = api.run(ASYMMETRIC, shots=10)
        running = api.run(_QASM, backend="nap", shots=500)
        api.until(running, job_pb2.Job.running)
        file = server.data_dir / name
        aside = file.rename(file.with_suffix(".aside"))
        answer = api.rest("POST", "/v1/circuits/run", {"qasm": ASYMMETRIC})
        assert (answer.status_code, reason_of(answer)) == (503, "STORE_GONE")
        with pytest.raises(grpc.RpcError) as refused:
            api.run(_QASM, backend="nap")
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert dict(result_of(api, earlier).counts) == {"001": 10}
        until_health(server, 503)
        aside.rename(file)
        assert dict(api.finish(running).result.counts) == {"11": 500}
        until_health(server, 200)


@pytest.mark.parametrize("room", [0, 64, 200, 208, 232])
def test_a_start_on_a_full_disk_fails_with_one_line(disk: Path, room: int):
    """A new service needs 252 KiB for its files when it starts."""
    fill(disk, but=room)
    one_line(serve(disk / "data", "--http-port", "0"), disk)


@pytest.mark.parametrize("room", [0, 40])
def test_a_restart_on_a_full_disk_fails_with_one_line(disk: Path, room: int):
    with Server(disk / "data", "--no-envoy"):
        pass
    filler = fill(disk, but=room)
    one_line(serve(disk / "data", "--no-envoy"), disk)
    filler.unlink()
    with Server(disk / "data", "--no-envoy"):
        pass


def one_line(failed: "subprocess.CompletedProcess[str]", disk: Path) -> None:
    assert failed.returncode == 1
    (line,) = failed.stderr.splitlines()
    assert line.startswith("quantcloud: ")
    assert "full" in line or "No space left on device" in line
    assert f"{disk}/data/" in line


def test_a_database_that_cannot_be_written_is_a_clear_error(tmp_path: Path):
    data = tmp_path / "data"
    with Server(data, "--no-envoy"):
        pass
    database = data / "quantcloud.db"
    database.chmod(0o444)
    failed = serve(data, "--no-envoy", before=[sys.executable, "-c", _WITHOUT_RIGHTS])
    assert failed.returncode == 1
    assert failed.stderr == f"quantcloud: cannot open the database {database}: Permission denied\n"


def serve(
    data: Path, *options: str, before: Sequence[str] = ()
) -> "subprocess.CompletedProcess[str]":
    """Run a server that fails to start."""
    return subprocess.run(
        [*before, *quantcloud("serve", "--data-dir", str(data), "--grpc-port", "0",
                                "--admin-port", "0", *options)],
        capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "QUANTCLOUD_LOG_LEVEL": "error", "QUANTCLOUD_ROUTER_CALIBRATE": "false"},
    )  # fmt: skip


def test_an_emptied_database_is_a_clear_error(tmp_path: Path, used):
    data = tmp_path / "data"
    shutil.copytree(used[0], data)
    database = data / "quantcloud.db"
    os.truncate(database, 0)
    (data / "quantcloud.db-wal").unlink(missing_ok=True)
    failed = serve(data, "--no-envoy")
    assert failed.returncode == 1
    (line,) = failed.stderr.splitlines()
    assert line.startswith(f"quantcloud: the database {database} is empty, though it was in use")
    assert "backup" in line
    assert database.stat().st_size == 0


def damage(database: Path, table: str) -> None:
    """Overwrite the first page of `table`."""
    connection = sqlite3.connect(database)
    query = "SELECT rootpage FROM sqlite_master WHERE name = ?"
    (page,) = connection.execute(query, [table]).fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    with database.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A data folder with a completed job, the job, and its account's credential.

    The server was killed while it ran another job, so the next server has one to recover.
    """
    data = tmp_path_factory.mktemp("used") / "data"
    with Server(data, "--no-envoy") as server:
        api = server.api()
        job = api.run(ASYMMETRIC, shots=10)
        api.finish(job)
        api.until(api.run(slow(), backend="aer_simulator", shots=1), job_pb2.Job.running)
        server.kill()
    return data, job, api.credential


def test_a_damaged_table_of_jobs_keeps_the_server_from_starting(tmp_path: Path, used):
    data = tmp_path / "data"
    shutil.copytree(used[0], data)
    damage(data / "quantcloud.db", "jobs")
    failed = serve(data, "--no-envoy")
    assert failed.returncode == 1
    database = data / "quantcloud.db"
    assert failed.stderr == (
        "quantcloud: the service's database is damaged; "
        f"{database}: database disk image is malformed\n"
    )


def test_a_damaged_result_is_an_error_and_no_wrong_answer(tmp_path: Path, used):
    original, job, credential = used
    data = tmp_path / "data"
    shutil.copytree(original, data)
    damage(data / "quantcloud.db", "job_results")
    with Server(data, "--no-envoy") as server:
        api = Api(server.channel, server.rest, credential)
        found = api.jobs.GetJob(job_pb2.GetJobRequest(id=job), metadata=api.metadata)
        assert found.status == job_pb2.Job.completed
        for _ in range(5):
            with pytest.raises(grpc.RpcError) as refused:
                result_of(api, job)
            assert refused.value.code() is grpc.StatusCode.INTERNAL
            (info,) = error_info(refused.value)
            assert info.reason == "STORE_DAMAGED"
            assert info.metadata["request_id"] in (refused.value.details() or "")
            assert str(data) not in (refused.value.details() or "")
        lines = [each for each in server.log_path.read_text().splitlines() if "damaged" in each]
        (line,) = lines
        assert f"{data}/quantcloud.db: database disk image is malformed" in line
        assert '"level": "error"' in line
        statuses = [event.job.status for event in api.watch(job)]
        assert statuses[-1] == job_pb2.Job.completed


def error_info(error: grpc.RpcError) -> list[error_details_pb2.ErrorInfo]:
    found = []
    for packed in rpc_status.from_call(error).details:
        if packed.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            packed.Unpack(info := error_details_pb2.ErrorInfo())
            found.append(info)
    return found


def test_new_jobs_that_meet_damage_make_the_server_unhealthy(tmp_path: Path):
    with Server(tmp_path / "data") as server:
        api = server.api()
        damage_open(server.data_dir / "quantcloud.db", "jobs")
        answer = api.rest("POST", "/v1/circuits/run", {"qasm": ASYMMETRIC})
        assert answer.status_code == 500
        assert reason_of(answer) == "STORE_DAMAGED"
        assert "try again" not in answer.json()["detail"]
        until_health(server, 503)
        assert reason_of(server.get("/health")) == "STORE_DAMAGED"
        assert "Traceback" not in server.log_path.read_text()


def damage_open(database: Path, table: str) -> None:
    """Damage the first page of a table while a server has the database open."""
    connection = sqlite3.connect(database)
    # Pages in the write-ahead log take precedence over pages in the file.
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    damage(database, table)
    # A connection that read the page before reads it again after a commit.
    connection = sqlite3.connect(database)
    connection.execute("DELETE FROM idempotency_keys")
    connection.execute("UPDATE accounts SET turn = turn + 1")
    connection.commit()
    connection.close()
