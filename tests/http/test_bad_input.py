"""Bad input through Envoy gets the right status, and a detail that says what is valid."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest

from support.api import Api
from support.circuits import BELL, HEADER, slow, wide
from support.server import SECRET, Server

MIB = 1024 * 1024
MISSING = "00000000-0000-4000-8000-000000000000"


def detail(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    body = response.json()
    assert next(iter(body)) == "detail"
    assert body["error"] == body["detail"]
    return body["detail"]


def token(**changes: Any) -> str:
    claims = {"sub": "eve", "aud": "authenticated", "exp": datetime.now(UTC) + timedelta(hours=1)}
    return jwt.encode({**claims, **changes}, SECRET, algorithm="HS256")


BAD_CREDENTIALS = {
    "none": ({}, "credentials are missing"),
    "garbage": ({"Authorization": "Bearer x.y.z"}, "neither a JWT nor an API key"),
    "expired": (
        {"Authorization": f"Bearer {token(exp=datetime.now(UTC) - timedelta(hours=1))}"},
        "expired",
    ),
    "wrong audience": ({"Authorization": f"Bearer {token(aud='anon')}"}, "audience"),
    "alg none": (
        {"Authorization": "Bearer " + jwt.encode({"sub": "eve"}, None, algorithm="none")},
        "algorithm",
    ),
    "other secret": (
        {"Authorization": "Bearer " + jwt.encode({"sub": "eve"}, "x" * 32, algorithm="HS256")},
        "signature",
    ),
    "basic": ({"Authorization": "Basic YTpi"}, "'Bearer'"),
    "unknown key": ({"X-API-Key": "qc_live_" + "a" * 40}, "unknown or revoked"),
    "empty key": ({"X-API-Key": ""}, "unknown or revoked"),
}


@pytest.mark.parametrize("kind", BAD_CREDENTIALS)
@pytest.mark.parametrize("path", ["/v1/jobs", f"/v1/jobs/{MISSING}/events"])
def test_bad_credentials_are_401(server: Server, kind: str, path: str):
    headers, says = BAD_CREDENTIALS[kind]
    response = server.get(path, headers=headers)
    assert says in detail(response, 401)
    assert response.headers["www-authenticate"].startswith("Bearer")


def test_a_revoked_key_is_401(server: Server, ada: Api):
    key = ada.rest("POST", "/v1/auth/api-keys", {"name": "short-lived"}).json()
    assert server.get("/v1/jobs", headers={"X-API-Key": key["key"]}).status_code == 200
    ada.rest("DELETE", f"/v1/auth/api-keys/{key['id']}")
    detail(server.get("/v1/jobs", headers={"X-API-Key": key["key"]}), 401)


def test_an_api_key_on_a_jwt_path_is_403(server: Server, ada: Api):
    key = ada.rest("POST", "/v1/auth/api-keys", {"name": "limited"}).json()["key"]
    for method, path in [
        ("GET", "/v1/auth/api-keys"), ("POST", "/v1/auth/api-keys"),
        ("DELETE", f"/v1/auth/api-keys/{MISSING}"), ("GET", "/v1/account/profile"),
    ]:  # fmt: skip
        response = server.rest.request(method, path, headers={"X-API-Key": key},
                                       content=b"{}" if method == "POST" else None)  # fmt: skip
        assert "JWT" in detail(response, 403)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/v1/jobs/{MISSING}"),
        ("GET", f"/v1/jobs/{MISSING}/result"),
        ("GET", f"/v1/jobs/{MISSING}/events"),
        ("POST", f"/v1/jobs/{MISSING}/cancel"),
        ("GET", "/v1/jobs/not-a-uuid"),
        ("GET", f"/v1/circuits/{MISSING}"),
        ("PUT", f"/v1/circuits/{MISSING}"),
        ("DELETE", f"/v1/circuits/{MISSING}"),
        ("DELETE", f"/v1/auth/api-keys/{MISSING}"),
        ("GET", "/v1/backends/no_such_simulator"),
        ("GET", "/v1/nothing"),
        ("GET", "/console/none.js"),
        ("GET", "/v2/jobs"),
    ],
)
def test_missing_resources_are_404(ada: Api, method: str, path: str):
    assert detail(ada.rest(method, path, {} if method == "PUT" else None), 404)


def test_resources_of_other_accounts_look_like_missing_ones(server: Server, ada: Api):
    eve = server.api()
    job = ada.rest("POST", "/v1/circuits/run", {"qasm": BELL}).json()["job_id"]
    circuit = ada.rest("POST", "/v1/circuits", {"name": "mine", "qasm": BELL}).json()["id"]
    key = ada.rest("POST", "/v1/auth/api-keys", {"name": "mine"}).json()["id"]
    for method, path, identifier in [
        ("GET", "/v1/jobs/{}", job), ("GET", "/v1/jobs/{}/result", job),
        ("GET", "/v1/jobs/{}/events", job), ("POST", "/v1/jobs/{}/cancel", job),
        ("GET", "/v1/circuits/{}", circuit), ("PUT", "/v1/circuits/{}", circuit),
        ("DELETE", "/v1/circuits/{}", circuit), ("DELETE", "/v1/auth/api-keys/{}", key),
    ]:  # fmt: skip
        body = {} if method == "PUT" else None
        theirs = eve.rest(method, path.format(identifier), body)
        nobodys = eve.rest(method, path.format(MISSING), body)
        assert detail(theirs, 404).replace(identifier, "X") == detail(nobodys, 404).replace(
            MISSING, "X"
        )
    assert eve.rest("GET", "/v1/jobs").json()["total"] == 0
    assert ada.rest("GET", f"/v1/jobs/{job}").status_code == 200
    assert ada.rest("GET", f"/v1/circuits/{circuit}").status_code == 200


BAD_RUNS = {
    "empty": ({}, "qasm: is empty"),
    "blank": ({"qasm": " \n"}, "qasm: is empty"),
    "malformed": ({"qasm": HEADER + "qreg q[2];\nh q[0]\nx q[1];"}, "line 4, column"),
    "unknown gate": ({"qasm": HEADER + "qreg q[2];\ncnot q[0],q[1];"}, "line 4, column 1"),
    "not QASM": ({"qasm": "<html>"}, "line 1, column 1"),
    "zero shots": ({"qasm": BELL, "shots": 0}, "shots: must be 1 or more, is 0"),
    "negative shots": ({"qasm": BELL, "shots": -5}, "shots: must be 1 or more, is -5"),
    "unknown backend": ({"qasm": BELL, "backend": "ibm_q"}, "known are aer_gpu_simulator, aer"),
    "too wide": ({"qasm": wide(22), "backend": "local_simulator"}, "backend: "),
    "bad enum": ({"qasm": BELL, "optimize_for": "beauty"}, "balanced, speed, accuracy, cost"),
    "text for a number": ({"qasm": BELL, "shots": "many"}, "shots"),
    "fraction": ({"qasm": BELL, "shots": 1.5}, "shots"),
    "object for text": ({"qasm": {"a": 1}}, "qasm"),
    "unknown option": ({"qasm": BELL, "options": {"sed": 1}}, "options.sed: is unknown"),
    "bad option": ({"qasm": BELL, "options": {"seed": -1}}, "options.seed"),
    "bad cost": ({"qasm": BELL, "max_cost_usd": -1}, "max_cost_usd: must be 0 or more, is -1"),
    "bad fidelity": ({"qasm": BELL, "min_fidelity": 2}, "min_fidelity: must be 0 to 1, is 2"),
    "GPU offline": ({"qasm": BELL, "backend": "aer_gpu_simulator"}, "offline"),
}


@pytest.mark.parametrize("path", ["/v1/circuits/run", "/v1/circuits/plan"])
@pytest.mark.parametrize("kind", BAD_RUNS)
def test_a_bad_submission_is_400_and_names_the_field(ada: Api, kind: str, path: str):
    body, says = BAD_RUNS[kind]
    assert says in detail(ada.rest("POST", path, body), 400)


def test_a_bad_circuit_has_line_and_column_for_programs(ada: Api):
    qasm = HEADER + "qreg q[2];\nbogus q[0];"
    body = ada.rest("POST", "/v1/circuits/run", {"qasm": qasm}).json()
    info, bad_request = body["details"]
    assert (info["reason"], info["domain"]) == ("INVALID_CIRCUIT", "thequantcloud.com")
    assert info["metadata"] == {"line": "4", "column": "1"}
    assert bad_request["field_violations"][0]["field"] == "qasm"


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/v1/jobs?colour=red", "colour"),
        ("/v1/jobs?status=done", "completed"),
        ("/v1/jobs?limit=-1", "limit: must be 1 or more, is -1"),
        ("/v1/jobs?limit=0", "limit: must be 1 or more, is 0"),
        ("/v1/jobs?limit=ten", "limit"),
        ("/v1/jobs?offset=-1", "offset: must be 0 or more, is -1"),
        ("/v1/jobs?status=failed&status_filter=completed", "status_filter"),
        ("/v1/jobs?limit=1&limit=2", "limit: is given more than once"),
        ("/v1/jobs/events?with_result=true&with_result=true", "with_result: is given more than"),
        ("/v1/circuits?limit=-1", "limit: must be 1 or more, is -1"),
        (f"/v1/jobs/{MISSING}/events?after_sequence=-1", "after_sequence: must be 0 or more"),
        ("/v1/jobs/events?after_cursor=x", "after_cursor: must be a cursor from a response"),
    ],
)
def test_bad_query_parameters_are_400(ada: Api, path: str, says: str):
    assert says in detail(ada.rest("GET", path), 400)


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff\xfe", b'{"qasm": "x"', b"nul"])
def test_malformed_json_is_400(ada: Api, server: Server, body: bytes):
    headers = {**ada.headers, "Content-Type": "application/json"}
    response = server.rest.post("/v1/circuits/run", content=body, headers=headers)
    assert "JSON" in detail(response, 400)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "name"),
        ({"name": ""}, "name: must have 1 to 200 printable"),
        ({"name": "x" * 201, "qasm": BELL}, "name: must have 1 to 200 printable"),
        ({"name": "x"}, "qasm: is missing"),
        ({"name": "x", "qasm": BELL, "num_qubits": 0}, "num_qubits: must be 1 or more, is 0"),
    ],
)
def test_a_bad_saved_circuit_is_400(ada: Api, body: dict[str, Any], says: str):
    assert says in detail(ada.rest("POST", "/v1/circuits", body), 400)


@pytest.mark.parametrize("name", ["", " ", "x" * 101])
def test_a_bad_key_name_is_400(ada: Api, name: str):
    response = ada.rest("POST", "/v1/auth/api-keys", {"name": name})
    assert "name: must have 1 to 100 printable" in detail(response, 400)


@pytest.mark.parametrize("name", ["~", "x!y", "a'b"])
def test_a_header_that_grpc_does_not_know_is_ignored(ada: Api, name: str):
    assert ada.rest("GET", "/v1/jobs", headers={name: "x"}).status_code == 200


@pytest.mark.parametrize("path", ["run", "run-and-watch", "run-batch", "plan"])
@pytest.mark.parametrize("size", [2, 20_000])
def test_a_body_of_another_type_is_415(ada: Api, path: str, size: int):
    headers = {"Content-Type": "text/plain"}
    got = ada.rest("POST", f"/v1/circuits/{path}", content=b"x" * size, headers=headers)
    assert detail(got, 415) == "Content-Type: must be application/json, got text/plain."


def padded(size: int) -> bytes:
    """Return a run request of exactly `size` bytes, most of them a comment in its circuit."""
    empty = json.dumps({"qasm": BELL + "//"}).encode()
    return json.dumps({"qasm": BELL + "//" + "x" * (size - len(empty))}).encode()


def test_a_body_of_8_mib_passes_and_a_larger_one_is_413(ada: Api, server: Server):
    headers = {**ada.headers, "Content-Type": "application/json"}
    url = "/v1/circuits/run"
    fits = server.rest.post(url, content=padded(8 * MIB), headers=headers)
    assert fits.status_code == 202, fits.text
    over = server.rest.post(url, content=padded(8 * MIB + 1), headers=headers)
    assert "8388608 bytes" in detail(over, 413)


def test_a_result_of_an_unfinished_job_is_400_with_the_status(ada: Api):
    body = {"qasm": slow(), "backend": "aer_simulator"}
    job = ada.rest("POST", "/v1/circuits/run", body).json()["job_id"]
    assert "its status is '" in detail(ada.rest("GET", f"/v1/jobs/{job}/result"), 400)
    assert ada.rest("POST", f"/v1/jobs/{job}/cancel").status_code == 200
    assert "'cancelled'" in detail(ada.rest("GET", f"/v1/jobs/{job}/result"), 400)
    assert ada.rest("POST", f"/v1/jobs/{job}/cancel").status_code == 200


def test_cancelling_a_completed_job_is_400(ada: Api):
    job = ada.rest("POST", "/v1/circuits/run", {"qasm": BELL}).json()["job_id"]
    ada.finish(job)
    assert "completed" in detail(ada.rest("POST", f"/v1/jobs/{job}/cancel"), 400)


def test_exceeding_a_limit_of_the_tier_is_403(server: Server):
    ada = server.api("explorer")
    shots = ada.rest("POST", "/v1/circuits/run", {"qasm": BELL, "shots": 10_001})
    assert "10001 requested, the explorer tier allows 10000" in detail(shots, 403)
    width = ada.rest("POST", "/v1/circuits/run", {"qasm": HEADER + "qreg q[26];\nh q;"})
    assert "26 requested, the explorer tier allows 25" in detail(width, 403)
    for number in range(5):
        assert ada.rest("POST", "/v1/auth/api-keys", {"name": f"{number}"}).status_code == 201
    sixth = ada.rest("POST", "/v1/auth/api-keys", {"name": "6"})
    assert "5" in detail(sixth, 403)
    assert [d["@type"].rsplit(".")[-1] for d in sixth.json()["details"]] == [
        "ErrorInfo",
        "QuotaFailure",
    ]
