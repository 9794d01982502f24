"""What happens to jobs, watches and processes when the server stops or dies."""

import os
import signal
import socket
import subprocess
from pathlib import Path

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from support.api import Api
from support.circuits import ASYMMETRIC, slow
from support.processes import command, descendants, gone
from support.server import Server, quantcloud
from thequantcloud.v1 import account_pb2, job_pb2


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_no_job_is_lost(tmp_path: Path, number: signal.Signals):
    """Jobs that run and jobs that wait when the server ends all reach their end later."""
    server = Server(tmp_path / "data", "--workers", "2")
    server.start()
    api = server.api()
    long = [api.run(slow(), backend="aer_simulator", shots=1) for _ in range(2)]
    for job in long:
        api.until(job, job_pb2.Job.running)
    waiting = [api.run(ASYMMETRIC, backend="aer_simulator", shots=10) for _ in range(5)]
    processes = descendants(server.process.pid)
    assert len(processes) >= 4
    code = server.stop(number)
    assert code == (-signal.SIGKILL if number is signal.SIGKILL else 0)
    assert {pid: command(pid) for pid in gone(processes, 10)} == {}
    with server:
        api = Api(server.channel, server.rest, api.credential)
        for job in long:
            statuses = [event.job.status for event in take_until_running_again(api, job)]
            assert statuses.count(job_pb2.Job.queued) == 2
            api.jobs.CancelJob(job_pb2.CancelJobRequest(id=job), metadata=api.metadata)
        for job in waiting:
            last = api.finish(job)
            assert last.job.status == job_pb2.Job.completed
            assert dict(last.result.counts) == {"001": 10}
        usage = api.account.GetUsage(account_pb2.GetUsageRequest(), metadata=api.metadata)
        assert usage.current_month.total_jobs == 7


def take_until_running_again(api: Api, job: str) -> list[job_pb2.JobEvent]:
    events: list[job_pb2.JobEvent] = []
    for event in api.watch(job):
        # A checkpoint only repeats the state of the job.
        if not event.checkpoint:
            events.append(event)
        if [event.job.status for event in events].count(job_pb2.Job.running) == 2:
            break
    return events


def test_ctrl_c_is_quiet(tmp_path: Path):
    server = Server(tmp_path / "data", QUANTCLOUD_LOG_LEVEL="warning")
    server.start()
    assert server.stop(signal.SIGINT) == 0
    assert server.log_path.read_text() == ""


def test_a_drain_ends_watches_so_that_they_can_resume(tmp_path: Path):
    with Server(tmp_path / "data", QUANTCLOUD_DRAIN_SECONDS="0") as server:
        api = server.api()
        job = api.run(slow(), backend="aer_simulator", shots=1)
        watch = api.watch(job)
        events = [next(watch)]
        while events[-1].job.status != job_pb2.Job.running:
            events.append(next(watch))
        server.process.send_signal(signal.SIGTERM)
        with pytest.raises(grpc.RpcError) as ended:
            events.extend(watch)
        assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
        details = rpc_status.from_call(ended.value).details
        assert any(detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR) for detail in details)
        assert server.process.wait(30) == 0
        server.stop()
        last = events[-1].sequence
        credential = api.credential
        server.start()
        again = Api(server.channel, server.rest, credential)
        resumed = next(again.watch(job, after_sequence=last))
        assert resumed.sequence == last + 1
        assert resumed.job.status == job_pb2.Job.queued
        again.jobs.CancelJob(job_pb2.CancelJobRequest(id=job), metadata=again.metadata)


def test_failed_starts_do_not_count_against_a_job(tmp_path: Path):
    server = Server(tmp_path / "data")
    server.start()
    api = server.api()
    job = api.run(slow(), backend="aer_simulator", shots=1)
    api.until(job, job_pb2.Job.running)
    server.stop()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for _ in range(3):
            failed = subprocess.run(
                quantcloud("serve", "--data-dir", str(server.data_dir), "--grpc-port", "0",
                           "--http-port", str(taken.getsockname()[1])),
                capture_output=True, check=False, timeout=60,
            )  # fmt: skip
            assert failed.returncode == 1
    with server:
        api = Api(server.channel, server.rest, api.credential)
        statuses = api.until(job, job_pb2.Job.running, after_sequence=6)
        assert job_pb2.Job.failed not in statuses
        api.jobs.CancelJob(job_pb2.CancelJobRequest(id=job), metadata=api.metadata)


def test_health_is_503_during_a_drain(tmp_path: Path):
    with Server(tmp_path / "data") as server:
        api = server.api()
        job = api.run(slow(), backend="aer_simulator", shots=1)
        api.until(job, job_pb2.Job.running)
        watch = api.watch(job)
        next(watch)
        server.process.send_signal(signal.SIGTERM)
        with pytest.raises(grpc.RpcError):
            list(watch)  # it ends when the drain begins; the run may still finish
        assert server.get("/health").status_code == 503
        api.jobs.CancelJob(job_pb2.CancelJobRequest(id=job), metadata=api.metadata)
        assert server.process.wait(30) == 0


def test_envoy_is_restarted(tmp_path: Path):
    with Server(tmp_path / "data") as server:
        (envoy,) = [pid for pid in descendants(server.process.pid) if "envoy.yaml" in command(pid)]
        assert server.get("/health").status_code == 200
        os.kill(envoy, signal.SIGKILL)
        # Until then it may still accept a connection.
        assert not gone({envoy}, 30)
        transport = httpx.HTTPTransport(retries=8)
        with httpx.Client(base_url=server.endpoints.http, transport=transport) as fresh:
            assert fresh.get("/health").status_code == 200


def test_a_command_line_watch_survives_a_restart(tmp_path: Path):
    """`quantcloud watch` resumes by itself, and neither misses nor repeats an event."""
    server = Server(tmp_path / "data")
    server.start()
    api = server.api()
    job = api.run(slow(), backend="aer_simulator", shots=1)
    grpc_port = server.endpoints.grpc.rpartition(":")[2]
    command_line = quantcloud("watch", job, "--server", server.endpoints.grpc)
    with subprocess.Popen(
        command_line, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "QUANTCLOUD_TOKEN": api.credential},
    ) as watch:  # fmt: skip
        assert watch.stdout is not None
        assert next(watch.stdout).split() == ["job", job]
        printed = []
        for line in watch.stdout:
            # Such as "29.8 ms  routing".
            printed.append(line.split()[2])
            if printed[-1] == "running":
                break
        server.kill()
        with Server(tmp_path / "data", "--grpc-port", grpc_port) as again:
            api = Api(again.channel, again.rest, api.credential)
            take_until_running_again(api, job)
            api.jobs.CancelJob(job_pb2.CancelJobRequest(id=job), metadata=api.metadata)
            printed += [line.split()[2] for line in watch.stdout]
            assert watch.wait(30) == 3
    once = ["queued", "dispatched", "running"]
    assert printed == ["submitted", "analyzing", "routing", *once, *once, "cancelled"]
