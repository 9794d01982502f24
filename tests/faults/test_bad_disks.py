"""A disk that is full, a file that may not be written, a page that is damaged: a clear error each
time, no wrong answer, and nothing that was acknowledged is lost.
"""

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from support.api import Api
from support.circuits import ASYMMETRIC, slow
from support.deployments import Deployment
from support.server import Server, quantcloud
from thequantcloud.v1 import job_pb2

_QASM = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\nmeasure q -> c;\n'
# Root may write everything; without this right it may write what its files' modes say.
_WITHOUT_RIGHTS = """
import ctypes, os, sys
if os.geteuid() == 0:
    PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
    assert ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


@contextmanager
def full_disk(server: Server) -> Iterator[None]:
    """No file of the server can grow: what a full disk does, to one process only."""
    pid = server.process.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def result_of(api: Api, job: str) -> job_pb2.JobResult:
    return api.jobs.GetJobResult(job_pb2.GetJobResultRequest(id=job), metadata=api.metadata)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of other processes are Linux's")
def test_a_full_disk_is_told_and_costs_no_job_anything(tmp_path: Path):
    with Deployment(tmp_path) as deployment:
        (server,) = deployment.servers
        api = deployment.api()
        earlier = api.run(ASYMMETRIC, backend="local_simulator", shots=10)
        assert dict(api.finish(earlier).result.counts) == {"001": 10}
        running = api.run(_QASM, backend="nap", shots=500)
        api.until(running, job_pb2.Job.running)
        with full_disk(server):
            with pytest.raises(grpc.RpcError) as refused:
                api.run(ASYMMETRIC)
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
            answer = api.rest("POST", "/v1/circuits/run", {"qasm": ASYMMETRIC})
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) >= 1
            assert "database" in answer.json()["detail"]
            # What is there can be read all the same.
            assert dict(result_of(api, earlier).counts) == {"001": 10}
        last = api.finish(running)
        assert last.job.status == job_pb2.Job.completed
        assert dict(last.result.counts) == {"11": 500}
        assert api.finish(api.run(ASYMMETRIC, shots=7)).result.counts["001"] == 7
        page = api.jobs.ListJobs(job_pb2.ListJobsRequest(), metadata=api.metadata)
        assert page.total == 3


def test_a_file_that_may_not_be_written(tmp_path: Path):
    data = tmp_path / "data"
    with Server(data, "--no-envoy"):
        pass
    database = data / "quantcloud.db"
    database.chmod(0o444)
    failed = serve(data, sys.executable, "-c", _WITHOUT_RIGHTS)
    assert failed.returncode == 1
    assert failed.stderr == f"quantcloud: cannot open the database {database}: Permission denied\n"


def serve(data: Path, *before: str) -> "subprocess.CompletedProcess[str]":
    """Start a server that does not come up."""
    return subprocess.run(
        [*before, *quantcloud("serve", "--data-dir", str(data), "--no-envoy", "--grpc-port", "0")],
        capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "QUANTCLOUD_LOG_LEVEL": "error", "QUANTCLOUD_ROUTER_CALIBRATE": "false"},
    )  # fmt: skip


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

    The server was killed as it ran another, so the next one has something to take up.
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
    failed = serve(data)
    assert failed.returncode == 1
    assert "the database is damaged: database disk image is malformed" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_damaged_result_is_an_error_and_no_wrong_answer(tmp_path: Path, used):
    original, job, credential = used
    data = tmp_path / "data"
    shutil.copytree(original, data)
    damage(data / "quantcloud.db", "job_results")
    with Server(data, "--no-envoy") as server:
        api = Api(server.channel, server.rest, credential)
        found = api.jobs.GetJob(job_pb2.GetJobRequest(id=job), metadata=api.metadata)
        assert found.status == job_pb2.Job.completed
        with pytest.raises(grpc.RpcError) as refused:
            result_of(api, job)
        assert refused.value.code() is grpc.StatusCode.INTERNAL
        assert "the database is damaged" in server.log_path.read_text()
        statuses = [event.job.status for event in api.watch(job)]
        assert statuses[-1] == job_pb2.Job.completed
