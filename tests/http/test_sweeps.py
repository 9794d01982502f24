"""Sweeps over REST: JSON of requests and results, server-sent events, and packed shots."""

import json
import math
from base64 import b64decode
from typing import Any

import pytest

from support.api import Api
from support.circuits import BELL, TURN
from support.openapi import API, conforms

PARAMETERS = {"theta": {"values": [0, 0.5, 1]}, "w": {"values": [0.25, 0.75]}}
OBSERVABLES = [
    {"terms": [{"pauli": "ZI"}, {"sparse": "Z0", "coefficient": -0.5}]},
    {"terms": [{"projector": "00"}]},
]
RESULT = API["components"]["schemas"]["JobResult"]


def run(api: Api, qasm: str, **fields: Any) -> str:
    answer = api.rest("POST", "/v1/circuits/run", {"qasm": qasm, **fields})
    assert answer.status_code == 202, answer.text
    job_id = answer.json()["job_id"]
    api.finish(job_id)
    return job_id


def result(api: Api, job_id: str, **query: int) -> dict[str, Any]:
    answer = api.rest("GET", f"/v1/jobs/{job_id}/result", params=query)
    assert answer.status_code == 200, answer.text
    conforms(answer.json(), RESULT)
    return answer.json()


def test_values_and_gradients_are_plain_json(ada: Api):
    job_id = run(ada, TURN, parameters=PARAMETERS, observables=OBSERVABLES, gradient=True)
    answer = result(ada, job_id, point_offset=1, point_limit=1)
    (point,) = answer["sweep"].pop("points")
    assert answer["sweep"] == {
        "points_total": 3, "points_done": 3, "point_offset": 1, "registers": [],
    }  # fmt: skip
    value = math.cos(1) - 0.5 * math.cos(0.5)
    assert point["expectation_values"][0] == pytest.approx(value)
    assert point["gradients"][0]["parameters"] == {
        "theta": {"values": [pytest.approx(0.5 * math.sin(0.5))]},
        "w": {"values": [pytest.approx(-math.sin(1))] * 2},
    }
    assert (answer["counts"], answer["probabilities"]) == ({}, {})


def test_a_job_runs_again_as_it_was_asked_for(ada: Api):
    first = run(ada, TURN, parameters=PARAMETERS, observables=OBSERVABLES, shots=50)
    stored = ada.rest("GET", f"/v1/jobs/{first}/circuit").json()
    again = run(
        ada, stored["qasm"], shots=stored["shots"], backend=stored["backend"],
        options={"seed": stored["options"]["seed"]}, **stored["sweep"],
    )  # fmt: skip
    assert result(ada, again)["sweep"] == result(ada, first)["sweep"]


def test_the_events_of_a_run_tell_the_points(ada: Api):
    body = {"qasm": TURN, "parameters": PARAMETERS, "observables": OBSERVABLES}
    *_, last = ada.event_json("/v1/circuits/run-and-watch", body)
    assert last["job"]["status"] == "completed"
    assert last["job"]["metadata"]["sweep"] == {"points": 3, "points_done": 3}
    assert len(last["result"]["sweep"]["points"]) == 3


def test_another_job_has_no_sweep_and_no_null_for_it(ada: Api):
    job_id = run(ada, BELL, shots=10)
    for path in ("", "/result", "/circuit"):
        assert "sweep" not in ada.rest("GET", f"/v1/jobs/{job_id}{path}").text


def test_packed_shots_take_little_room(ada: Api):
    qasm = 'OPENQASM 3.0; include "stdgates.inc"; qubit[30] q; h q[0]; cx q[0], q[29];'
    job_id = run(ada, qasm, packed=True, shots=100_000)
    answer = ada.rest("GET", f"/v1/jobs/{job_id}/result", headers={"Accept-Encoding": "identity"})
    assert len(answer.content) < 600_000
    (register,) = answer.json()["sweep"]["registers"]
    assert (register["name"], register["num_bits"]) == ("meas", 30)
    assert len(b64decode(register["data"])) == 100_000 * 4


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"parameters": {"theta": [1]}}, "parameters"),
        ({"parameters": {"theta": {"value": [1]}}}, "parameters.theta.value: is unknown"),
        ({"parameters": {"theta": {"values": ["NaN"]}, "w": {"values": [1, 2]}}},
         "parameters.theta.values[0]: must be a finite number"),
        ({"parameters": {"theta": {"values": [0, "-Infinity"]}, "w": {"values": [1, 2]}}},
         "parameters.theta.values[1]: must be a finite number"),
        ({"parameters": {"theta": {"values": [1, "x"]}}}, "x"),
        ({"parameters": PARAMETERS, "observable": []}, "observable: is unknown"),
        ({"parameters": PARAMETERS, "observables": [{"terms": [{"paulis": "ZZ"}]}]},
         "observables[0].terms[0].paulis: is unknown"),
        ({"parameters": PARAMETERS, "observables": OBSERVABLES, "pairing": "both"}, "pairing"),
        ({"parameters": PARAMETERS, "observables": OBSERVABLES, "precision": -1},
         "precision: must be greater than 0, is -1"),
        ({}, "parameters.theta: is missing; the circuit declares this input"),
    ],
)  # fmt: skip
def test_a_wrong_request_says_what_is_wrong(ada: Api, fields, detail):
    answer = ada.rest("POST", "/v1/circuits/run", {"qasm": TURN, **fields})
    assert answer.status_code == 400, answer.text
    assert detail in answer.json()["detail"]


def test_results_over_256_mib_are_refused_with_the_figure(ada: Api):
    qasm = "".join(
        ['OPENQASM 3.0; include "stdgates.inc"; input float[64] t; qubit[15] q;']
        + [f"ry(t) q[{qubit}];" for qubit in range(15)]
    )
    fields = {"parameters": {"t": {"values": [0.1] * 2000}}, "probabilities": True, "shots": 1}
    answer = ada.rest("POST", "/v1/circuits/run", {"qasm": qasm, **fields})
    assert answer.status_code == 400
    assert "probabilities: makes results of 500.1 MiB" in answer.json()["detail"]
    (info, *_) = answer.json()["details"]
    assert info["reason"] == "RESULT_TOO_LARGE"
    assert info["metadata"]["maximum_bytes"] == str(256 << 20)


def test_the_account_shows_its_limit_of_points(ada: Api):
    usage = ada.rest("GET", "/v1/account/usage").json()
    assert usage["limits"]["max_points"] == 10_000
    text = json.dumps([0.5] * 100_000)
    body = f'{{"qasm": {json.dumps(TURN)}, "parameters": {{"theta": {{"values": {text}}}}}}}'
    answer = ada.rest(
        "POST", "/v1/circuits/run", headers={"content-type": "application/json"}, content=body
    )
    assert answer.status_code == 400
    assert "parameters.w: is missing" in answer.json()["detail"]
