"""`quantcloud serve --engine ray` on a real cluster, as its users see it."""

import subprocess

import pytest

from support.circuits import BELL, slow
from support.ray import free_port
from support.server import Server, quantcloud
from thequantcloud.v1 import job_pb2


@pytest.fixture(scope="module")
def server(cluster, site, tmp_path_factory):
    with Server(
        tmp_path_factory.mktemp("ray") / "data", "--engine", "ray",
        "--ray-address", cluster.address,
        QUANTCLOUD_WORKER_MEMORY=str(512 << 20), PYTHONPATH=str(site),
    ) as running:  # fmt: skip
        yield running


def test_jobs_end_once_though_a_node_dies(server, cluster, site):
    node = cluster.add("--num-cpus=1", packages=site)
    api = server.api()
    jobs = [api.run(BELL, backend="napper", shots=10 + number) for number in range(20)]
    api.until(jobs[3], job_pb2.Job.running)
    cluster.remove(node)
    for number, job in enumerate(jobs):
        events = list(api.watch(job, with_result=True))
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert events[-1].job.status == job_pb2.Job.completed, events[-1].job.error_message
        assert dict(events[-1].result.counts) == {"00": 10 + number}


def test_cancel_and_time_limit(server):
    api = server.api()
    job = api.run(slow(), backend="aer_simulator", shots=1)
    api.until(job, job_pb2.Job.running)
    api.jobs.CancelJob(job_pb2.CancelJobRequest(id=job), metadata=api.metadata)
    limited = api.run(slow(), backend="aer_simulator", shots=1, options={"timeout_seconds": 1})
    assert api.finish(limited).job.status == job_pb2.Job.timeout
    assert api.finish(job).job.status == job_pb2.Job.cancelled
    assert api.finish(api.run(BELL, shots=100)).job.status == job_pb2.Job.completed


def test_a_backend_runs_where_its_machine_is(server):
    backend = server.get("/v1/backends/qpu").json()
    assert backend["status"] == "online"
    api = server.api()
    last = api.finish(api.run(BELL, backend="qpu", shots=10))
    assert dict(last.result.counts) == {"00": 10}


def test_a_server_without_a_cluster_says_so(tmp_path):
    address = f"127.0.0.2:{free_port()}"
    done = subprocess.run(
        quantcloud("serve", "--data-dir", str(tmp_path / "data"), "--no-envoy", "--grpc-port", "0",
                   "--engine", "ray", "--ray-address", address),
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"cannot join the Ray cluster at '{address}'" in done.stderr
    done = subprocess.run(
        quantcloud("serve", "--engine", "ray", "--ray-address", "ray://head:10001"),
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "is not HOST:PORT of the cluster's head" in done.stderr
