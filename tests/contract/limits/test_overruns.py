"""Runs that would be stopped long before their end are refused."""

import pytest

from support.api import Api
from support.circuits import BELL, HEADER
from support.clients.run_stream import RunStream
from support.server import Server
from thequantcloud.v1 import job_pb2

# Each shot needs its own simulation of 20 qubits, which is hours of work for any simulator.
MIDWAY = "".join(f"rx(0.3) q[{q}]; measure q[{q}] -> c[{q}]; " for q in range(20))
OVERLONG = HEADER + "qreg q[20]; creg c[20]; h q; rx(0.4) q; " + MIDWAY * 100
BODY = {"qasm": OVERLONG, "shots": 10_000}


@pytest.fixture
def ada(server: Server) -> Api:
    return server.api("explorer")


@pytest.mark.parametrize("backend", [None, "aer_simulator"])
@pytest.mark.parametrize("path", ["run", "plan", "run-and-watch"])
def test_it_is_refused_with_prediction_and_limit(ada: Api, path: str, backend: str | None):
    body = {**BODY, **({"backend": backend} if backend else {})}
    answer = ada.rest("POST", f"/v1/circuits/{path}", body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["detail"].startswith("qasm: is predicted to take ")
    assert "more than 10 times the 60 s after which a run is stopped" in answer.json()["detail"]
    (info,) = [each for each in answer.json()["details"] if each.get("reason")]
    assert info["reason"] == "RUN_TOO_LONG"
    assert float(info["metadata"]["predicted_seconds"]) > 600
    assert info["metadata"]["time_limit_seconds"] == "60"
    assert info["metadata"]["backend"] in (backend, "cirq_simulator")
    assert info["metadata"]["method"] == "statevector"


def test_one_such_run_refuses_its_batch(ada: Api):
    answer = ada.rest("POST", "/v1/circuits/run-batch", {"circuits": [{"qasm": BELL}, BODY]})
    assert answer.status_code == 400, answer.text
    assert answer.json()["detail"].startswith("circuits[1].qasm: is predicted to take ")


def test_on_a_stream_the_other_runs_continue(ada: Api):
    stream = RunStream(ada)
    refused, run = stream.send(OVERLONG, shots=10_000), stream.send(BELL)
    answers = stream.finish()
    (answer,) = answers[refused]
    assert "is predicted to take" in str(answer.error)
    assert answers[run][-1].event.job.status == job_pb2.Job.completed


def test_with_its_own_time_limit_it_runs_until_that(ada: Api):
    body = {**BODY, "backend": "cirq_simulator", "options": {"timeout_seconds": 0.2}}
    assert ada.rest("POST", "/v1/circuits/plan", body).status_code == 200
    job_id = ada.rest("POST", "/v1/circuits/run", body).json()["job_id"]
    assert ada.finish(job_id).job.status == job_pb2.Job.timeout
