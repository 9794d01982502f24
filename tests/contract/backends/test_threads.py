"""A wide run on a quiet server has all cores, and leaves a worker for the jobs that come later."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from support.api import Api
from support.circuits import BELL, HEADER
from support.server import Server
from thequantcloud.v1 import circuit_pb2, job_pb2

CORES = len(os.sched_getaffinity(0))
WIDTH = 21
WIDE = HEADER + (
    f"qreg q[{WIDTH}]; creg c[{WIDTH}];"
    + "".join(
        f"rx(0.{place}1) q[{place % WIDTH}]; cx q[{place % WIDTH}],q[{(place + 1) % WIDTH}];"
        for place in range(120)
    )
    + "measure q -> c;"
)


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with two workers that nothing else uses."""
    with Server(
        tmp_path_factory.mktemp("quiet") / "data", "--workers", "2", "--no-envoy"
    ) as running:
        yield running


@pytest.fixture
def ada(quiet: Server) -> Api:
    return quiet.api()


def routing(api: Api, job_id: str) -> dict[str, Any]:
    return MessageToDict(api.job(job_id).metadata)["routing"]


@pytest.mark.skipif(CORES == 1, reason="needs more than one core")
def test_a_wide_run_has_the_idle_cores_and_short_jobs_do_not_wait_for_it(ada: Api):
    ada.finish(ada.run(BELL, backend="aer_simulator"))
    request = circuit_pb2.RunCircuitRequest(qasm=WIDE, backend="aer_simulator")
    planned = ada.circuits.PlanCircuit(request, metadata=ada.metadata)
    assert planned.predicted_threads == planned.candidates[0].predicted_threads == CORES
    wide = ada.run(WIDE, backend="aer_simulator", options={"seed": 5})
    for event in ada.watch(wide):
        if event.job.status == job_pb2.Job.running:
            break
    ada.finish(ada.run(BELL, backend="aer_simulator"))
    assert ada.job(wide).status == job_pb2.Job.running
    counts = ada.finish(wide).result.counts
    about = routing(ada, wide)
    assert (about["predicted_threads"], about["actual_threads"]) == (CORES, CORES)
    # Two runs at the same time have fewer threads each, and the same counts.
    both = [ada.run(WIDE, backend="aer_simulator", options={"seed": 5}) for _ in range(2)]
    assert all(ada.finish(each).result.counts == counts for each in both)
    assert [routing(ada, each).get("actual_threads", 1) for each in both] != [CORES, CORES]


def test_a_short_run_has_one_thread(ada: Api):
    job = ada.run(BELL, backend="aer_simulator")
    ada.finish(job)
    assert "actual_threads" not in routing(ada, job)
