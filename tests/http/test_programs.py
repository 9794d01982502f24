"""QuantStudio's "Run Circuit": a program of the SDK becomes its circuit, and runs."""

from typing import Any

import pytest

from support.api import Api
from support.circuits import ASYMMETRIC
from support.server import Server
from thequantcloud.v1 import circuit_pb2

CODE = """import quantsdk as qs

circuit = qs.Circuit(3, name="one end")
circuit.x(0)
circuit.measure_all()
result = qs.run(circuit, shots=50, backend="aer", seed=7)
print(result.counts)
"""


@pytest.fixture(scope="module")
def key(ada: Api) -> dict[str, str]:
    made = ada.rest("POST", "/v1/auth/api-keys", {"name": "QuantStudio"})
    return {"X-API-Key": made.json()["key"]}


def finished(server: Server, ada: Api, key: dict[str, str], body: Any) -> tuple[Any, Any]:
    """Submit as QuantStudio does; the finished job and its result."""
    response = server.post("/v1/circuits/run", body, headers=key)
    assert response.status_code == 202, response.text
    job_id = response.json()["job_id"]
    ada.finish(job_id)
    job = server.get(f"/v1/jobs/{job_id}", headers=key).json()
    return job, server.get(f"/v1/jobs/{job_id}/result", headers=key).json()


def test_run_as_quantstudio_sends_it(server: Server, ada: Api, key: dict[str, str]):
    body = {"code": CODE, "shots": 1024, "backend": "local_simulator"}
    job, result = finished(server, ada, key, body)
    assert (job["status"], job["backend"], job["shots"]) == ("completed", "local_simulator", 1024)
    assert result["counts"] == {"001": 1024}
    assert job["metadata"]["code"] == {
        "circuit": "one end",
        "reason": "the program runs it on line 6; what follows was not read",
    }


def test_the_program_s_own_settings(server: Server, ada: Api, key: dict[str, str]):
    job, result = finished(server, ada, key, {"code": CODE})
    assert (job["backend"], job["shots"]) == ("aer_simulator", 50)
    assert result["counts"] == {"001": 50}
    assert result["metadata"]["seed"] == 7


@pytest.mark.parametrize("name", ["qasm", "circuit_qasm"])
def test_openqasm_wins(server: Server, ada: Api, key: dict[str, str], name: str):
    body = {"code": "no Python at all", name: ASYMMETRIC, "shots": 9}
    job, result = finished(server, ada, key, body)
    assert result["counts"] == {"001": 9}
    assert "code" not in job["metadata"]


def test_a_program_in_every_submission(ada: Api):
    request = circuit_pb2.RunCircuitRequest(code=CODE, shots=5)
    *_, last = ada.circuits.RunAndWatch(request, metadata=ada.metadata, timeout=ada.timeout)
    assert dict(last.result.counts) == {"001": 5}
    stream = iter([circuit_pb2.RunStreamRequest(circuit=request)])
    told = [
        answer
        for response in ada.circuits.RunStream(stream, metadata=ada.metadata, timeout=ada.timeout)
        for answer in response.answers
    ]
    assert dict(told[-1].event.result.counts) == {"001": 5}
    plan = ada.rest("POST", "/v1/circuits/plan", {"code": CODE}).json()
    assert (plan["backend"], plan["shots"]) == ("aer_simulator", 50)
    batch = ada.rest("POST", "/v1/circuits/run-batch", {"circuits": [{"code": CODE}] * 2})
    assert batch.json()["count"] == 2


@pytest.mark.parametrize(
    ("code", "field", "reason", "says"),
    [
        ("import os", "code", "CODE_NOT_UNDERSTOOD", "code: line 1, column 1: 'os' cannot be"),
        ("while True: pass", "code", "CODE_NOT_UNDERSTOOD", "takes more than"),
        ("import quantsdk", "code", "CODE_NOT_UNDERSTOOD", "quantsdk.Circuit(number_of_qubits)"),
        ("-" * 99_999 + "1", "code", "CODE_NOT_UNDERSTOOD", "nested too deeply"),
        (CODE.replace('"aer"', '"ibm_x"'), "code.backend", "UNKNOWN_BACKEND", "'ibm_x' is unknown"),
        ("#" * 300_000, "code", "INVALID_ARGUMENT", "at most 262144 are accepted"),
        (" ", "qasm", "INVALID_ARGUMENT", "send OpenQASM, or a program in 'code'"),
    ],
)
def test_what_a_program_may_not_be(ada: Api, code: str, field: str, reason: str, says: str):
    refused = ada.rest("POST", "/v1/circuits/run", {"code": code})
    assert refused.status_code == 400, refused.text
    about, fields = refused.json()["details"]
    assert says in refused.json()["detail"]
    assert about["reason"] == reason
    assert fields["field_violations"][0]["field"] == field


def test_a_program_of_a_batch_is_refused_with_its_place(ada: Api):
    body = {"circuits": [{"code": CODE}, {"code": "lambda: 1"}]}
    refused = ada.rest("POST", "/v1/circuits/run-batch", body)
    assert refused.status_code == 400
    assert refused.json()["detail"].startswith("circuits[1].code: line 1, column 1: 'lambda'")


def test_a_saved_circuit_keeps_any_code(ada: Api):
    saved = ada.rest("POST", "/v1/circuits", {"name": "draft", "code": "lambda: os"})
    assert (saved.status_code, saved.json()["code"]) == (201, "lambda: os")
