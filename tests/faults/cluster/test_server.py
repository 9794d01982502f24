"""`quantcloud serve --engine ray` on a real cluster, as its users see it."""

import subprocess
import time

import pytest

from support.circuits import BELL, slow
from support.external.ray import free_port
from support.server import Server, quantcloud
from thequantcloud.v1 import job_pb2

# How long a test may take if it fails, in seconds.
DEADLINE = 240


@pytest.fixture(scope="module")
def server(cluster, site, tmp_path_factory):
    with Server(
        tmp_path_factory.mktemp("ray") / "data", "--engine", "ray",
        "--ray-address", cluster.address,
        QUANTCLOUD_WORKER_MEMORY=str(512 << 20), PYTHONPATH=str(site),
        # How long Ray itself waits for a silent head; the default is a minute.
        RAY_gcs_rpc_server_reconnect_timeout_s="5",
    ) as running:  # fmt: skip
        yield running


@pytest.fixture
def api(server):
    account = server.api()
    account.timeout = DEADLINE
    return account


def until(holds):
    """Wait until `holds` returns true. No event tells of it."""
    deadline = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def assert_ended_once(api, jobs):
    """Check that each job completed once, with its own counts."""
    for job, shots in jobs.items():
        events = [event for event in api.watch(job, with_result=True) if not event.checkpoint]
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert events[-1].job.status == job_pb2.Job.completed, events[-1].job.error_message
        ends = [event for event in events if event.job.status == job_pb2.Job.completed]
        assert len(ends) == 1
        assert dict(events[-1].result.counts) == {"00": shots}


def test_jobs_can_be_cancelled_and_reach_their_time_limit(api):
    job = api.run(slow(23), backend="aer_simulator", shots=1)
    api.until(job, job_pb2.Job.running)
    api.jobs.CancelJob(job_pb2.CancelJobRequest(id=job), metadata=api.metadata)
    limited = api.run(slow(23), backend="aer_simulator", shots=1, options={"timeout_seconds": 1})
    assert api.finish(limited).job.status == job_pb2.Job.timeout
    assert api.finish(job).job.status == job_pb2.Job.cancelled
    assert (
        api.finish(api.run(BELL, backend="aer_simulator", shots=100)).job.status
        == job_pb2.Job.completed
    )


def test_a_backend_runs_on_the_node_that_has_its_resource(server, api):
    backend = server.get("/v1/backends/qpu").json()
    assert backend["status"] == "online"
    last = api.finish(api.run(BELL, backend="qpu", shots=10))
    assert dict(last.result.counts) == {"00": 10}


def is_online(server, backend):
    return server.get(f"/v1/backends/{backend}").json()["status"] == "online"


def test_jobs_end_once_when_a_node_dies(server, api, cluster, site):
    assert not is_online(server, "spare")
    node = cluster.add("--num-cpus=2", packages=site, spare=1)
    until(lambda: is_online(server, "spare"))
    there = api.run(BELL, backend="spare")
    published = len(api.until(there, job_pb2.Job.running))
    jobs = {api.run(BELL, backend="napper", shots=shots): shots for shots in range(10, 30)}
    api.until(list(jobs)[3], job_pb2.Job.running)
    cluster.remove(node)
    assert api.until(there, job_pb2.Job.queued, published) == [job_pb2.Job.queued]
    assert_ended_once(api, jobs)
    # The job waits for what only that node had.
    until(lambda: not is_online(server, "spare"))
    api.jobs.CancelJob(job_pb2.CancelJobRequest(id=there), metadata=api.metadata)
    assert api.finish(there).job.status == job_pb2.Job.cancelled


def test_a_server_without_a_cluster_says_so(tmp_path):
    address = f"127.0.0.2:{free_port()}"
    done = subprocess.run(
        quantcloud("serve", "--data-dir", str(tmp_path / "data"), "--no-envoy", "--grpc-port", "0",
                   "--engine", "ray", "--ray-address", address),
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"cannot join the Ray cluster at '{address}'" in done.stderr


def test_jobs_survive_a_restart_of_the_cluster(server, api, cluster, site):
    jobs = {api.run(BELL, backend="napper", shots=shots): shots for shots in range(10, 30)}
    api.until(list(jobs)[3], job_pb2.Job.running)
    cluster.stop()
    until(lambda: "the Ray driver ended" in server.log_path.read_text())
    # The server still answers. Whether the backend is online depends on whether it lost the nodes
    # or the cluster first.
    assert server.get("/v1/status").json()["active_jobs"] >= 1
    cluster.start(packages=site)
    until(lambda: is_online(server, "napper"))
    jobs[api.run(BELL, backend="napper", shots=99)] = 99
    assert_ended_once(api, jobs)
