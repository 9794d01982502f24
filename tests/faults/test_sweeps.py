"""A sweep that lost its worker and its server ends as one that was left alone."""

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from quantcloud.domain.sweep import point_seed
from support.api import Api
from support.packages import install
from support.processes import command, descendants, gone
from support.server import Server
from thequantcloud.v1 import job_pb2, sweep_pb2

POINTS = 600
QASM = 'OPENQASM 3.0; include "stdgates.inc"; input float[64] theta; qubit q; ry(theta) q;'
REQUEST: dict[str, Any] = {
    "backend": "doze",
    "shots": 10,
    "parameters": {"theta": sweep_pb2.ParameterValues(values=[n / 100 for n in range(POINTS)])},
    "options": {"seed": 5},
}
# The seed of a job whose first point is a bad one for the backend.
SEED = {"seed": next(seed for seed in range(1000) if point_seed(seed, 0) % 100 == 0)}
# A run takes one millisecond for each shot, and its counts depend on its seed.
BACKEND = """
import time

from quantcloud.domain.backend import BackendInfo
from quantcloud.domain.execution import Outcome
from quantcloud.routing.method import Method


class Dozer:
    def run(self, circuit, execution):
        time.sleep(execution.shots / 1000)
        if execution.shots == 11 and execution.seed % 100 == 0:
            raise ValueError("this seed is bad")
        ones = execution.seed % (execution.shots + 1)
        return Outcome({"1": ones, "0": execution.shots - ones}, execution.shots)


class Backend:
    info = BackendInfo("doze", "tests", 30, (), "Dozes.")
    executor = Dozer

    def offline_reason(self):
        return None

    def methods(self, analysis, shots, options):
        return [Method("doze", memory_bytes=1, seconds=shots / 1000)]


DOZE = Backend()
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    install(tmp_path / "site", "dozing_backend", BACKEND, {"doze": "dozing_backend:DOZE"})
    site = str(tmp_path / "site")
    with Server(tmp_path / "data", "--workers", "2", PYTHONPATH=site) as running:
        yield running


def told(api: Api, job_id: str) -> list[Any]:
    """Return all points that are done."""
    points: list[Any] = []
    while True:
        request = job_pb2.GetJobResultRequest(id=job_id, point_offset=len(points))
        sweep = api.jobs.GetJobResult(request, metadata=api.metadata).sweep
        if not sweep.points:
            assert len(points) == sweep.points_done
            return points
        points += sweep.points


def until_more(api: Api, job_id: str, done: int) -> int:
    """Wait for an event that tells of more points; return how many."""
    for event in api.watch(job_id, after_sequence=0):
        if event.checkpoint or "sweep" not in event.job.metadata:
            continue
        points = int(event.job.metadata["sweep"]["points_done"])
        if points > done:
            assert event.job.status == job_pb2.Job.running, event.job
            return points
    raise AssertionError("the job ended before")


def kill_workers(server: Server) -> None:
    below = descendants(server.process.pid)
    fork_server = min(pid for pid in below if "forkserver" in command(pid))
    for pid in descendants(fork_server):
        os.kill(pid, signal.SIGKILL)


def test_killed_workers_and_a_killed_server_change_no_point(server: Server):
    api = server.api()
    job_id = api.run(QASM, **REQUEST)
    done = until_more(api, job_id, 0)
    first = told(api, job_id)
    assert done <= len(first) < POINTS
    kill_workers(server)
    until_more(api, job_id, len(first))
    second = told(api, job_id)
    assert second[: len(first)] == first
    below = descendants(server.process.pid)
    server.kill()
    assert not gone(below, 10)
    server.start()
    api = Api(server.channel, server.rest, api.credential)
    last = api.finish(job_id)
    assert last.job.status == job_pb2.Job.completed, last.job.error_message
    assert last.job.metadata["sweep"]["points_done"] == POINTS
    statuses = [event.job.status for event in api.watch(job_id) if not event.checkpoint]
    assert statuses.count(job_pb2.Job.queued) == 3
    third = told(api, job_id)
    assert third[: len(second)] == second
    undisturbed = api.run(QASM, **REQUEST)
    api.finish(undisturbed)
    assert third == told(api, undisturbed)
    # The time of the runs whose points were kept counts, and no other.
    results = [
        api.jobs.GetJobResult(job_pb2.GetJobResultRequest(id=each), metadata=api.metadata)
        for each in (job_id, undisturbed)
    ]
    assert [each.execution_time_ms for each in results] == pytest.approx([10 * POINTS] * 2)


def test_a_sweep_that_ends_early_keeps_the_points_that_are_done(server: Server):
    api = server.api()
    job_id = api.run(QASM, **REQUEST)
    done = until_more(api, job_id, 0)
    api.cancel(job_id)
    assert api.finish(job_id).job.status == job_pb2.Job.cancelled
    answer = api.rest("GET", f"/v1/jobs/{job_id}/result", params={"point_limit": 1})
    assert answer.status_code == 200, answer.text
    sweep = answer.json()["sweep"]
    assert done <= sweep["points_done"] < sweep["points_total"] == POINTS
    assert len(sweep["points"]) == 1
    timed = api.run(QASM, **{**REQUEST, "options": {"timeout_seconds": 1.2}})
    ended = api.finish(timed).job
    assert ended.status == job_pb2.Job.timeout
    assert ended.error_message == "reached its time limit of 1.2 s"
    assert len(told(api, timed)) == ended.metadata["sweep"]["points_done"] > 0


def test_a_sweep_that_fails_keeps_the_points_before_the_bad_one(server: Server):
    api = server.api()
    bad = next(n for n in range(POINTS) if point_seed(5, n) % 100 == 0)
    failing = api.run(QASM, **{**REQUEST, "shots": 11})
    ended = api.finish(failing).job
    assert ended.status == job_pb2.Job.failed
    first, last = map(int, re.findall(r"\d+", ended.error_message))
    assert ended.error_message == f"at points {first} to {last}: this seed is bad"
    assert first <= bad <= last
    assert 0 < len(told(api, failing)) == ended.metadata["sweep"]["points_done"] <= first
    # Without any point the answer says why.
    early = {"theta": sweep_pb2.ParameterValues(values=[0.0])}
    nothing = api.run(QASM, **{**REQUEST, "shots": 11, "parameters": early, "options": SEED})
    api.finish(nothing)
    with pytest.raises(grpc.RpcError, match=r"has no result.*this seed is bad"):
        told(api, nothing)
