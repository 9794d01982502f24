"""What an operator's logs say of calls, jobs and logins, and what they never say."""

import json
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import jwt
import pytest

from support.circuits import BELL
from support.server import SECRET, Server, quantcloud
from thequantcloud.v1 import api_key_pb2, circuit_pb2, job_pb2

DEADLINE = 20
RUN = "/thequantcloud.v1.CircuitService/RunCircuit"
Line = dict[str, Any]


def lines(path: Path) -> list[Line]:
    return [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")]


def found(path: Path, *wanted: Callable[[Line], bool]) -> list[Line]:
    """Wait for a line of each kind, because logs are written after the answers."""
    deadline = time.monotonic() + DEADLINE
    while True:
        present = lines(path)
        got = [[line for line in present if each(line)] for each in wanted]
        if all(got):
            assert [len(each) for each in got] == [1] * len(wanted)
            return [each[0] for each in got]
        assert time.monotonic() < deadline, got
        time.sleep(0.05)


def has(**fields: object) -> Callable[[Line], bool]:
    return lambda line: fields.items() <= line.items()


@pytest.fixture
def access_log(server: Server) -> Path:
    return server.data_dir / "access.log"


@pytest.fixture
def audit_log(server: Server) -> Path:
    return server.data_dir / "audit.log"


def test_each_call_and_each_end_of_a_job_is_one_line(server: Server):
    api = server.api()
    claims = jwt.decode(api.credential, options={"verify_signature": False})
    job = api.run(BELL, backend="aer_simulator")
    api.finish(job)
    call, watch, end = found(
        server.log_path,
        has(event="call", method=RUN, job_id=job),
        has(event="call", method="/thequantcloud.v1.JobService/WatchJob", job_id=job),
        has(event="job ended", job_id=job),
    )
    assert call["account_id"] == watch["account_id"] == end["account_id"] == claims["sub"]
    assert (call["code"], call["peer"], call["level"]) == ("OK", "127.0.0.1", "info")
    assert 0 < call["ms"] < watch["ms"] + 1000
    assert uuid.UUID(call["request_id"])
    assert (end["status"], end["backend"], end["attempt"]) == ("completed", "aer_simulator", 1)
    assert end["ms"] >= end["running_ms"] > 0
    with pytest.raises(grpc.RpcError):
        api.job(missing := str(uuid.uuid4()))
    (refused,) = found(server.log_path, has(event="call", job_id=missing))
    assert refused["code"] == "NOT_FOUND"


def test_a_clients_request_id_stands_beside_the_servers(server: Server, access_log: Path):
    api = server.api()
    mine, over_grpc = str(uuid.uuid4()), str(uuid.uuid4())
    answer = api.rest(
        "GET", "/v1/account/usage", headers={"X-Request-Id": mine, "X-Client-Request-Id": "forged"}
    )
    request_id = answer.headers["x-request-id"]
    assert request_id != mine
    (call,) = found(server.log_path, has(request_id=request_id))
    (request,) = found(access_log, has(request_id=request_id))
    assert call["client_request_id"] == request["client_request_id"] == mine
    job = circuit_pb2.RunCircuitRequest(qasm=BELL)
    api.circuits.RunCircuit(job, metadata=(*api.metadata, ("x-request-id", over_grpc)))
    (call,) = found(server.log_path, has(client_request_id=over_grpc))
    assert call["request_id"] != over_grpc


def test_the_access_log_has_the_status_that_the_server_sent(server: Server, access_log: Path):
    api = server.api()
    job = api.run(BELL)
    api.finish(job)
    trace = uuid.uuid4().hex
    context = {"traceparent": f"00-{trace}-{trace[:16]}-01"}
    ended = api.rest("GET", f"/v1/jobs/{job}/events?after_sequence=7", headers=context)
    unread = api.rest("GET", "/v1/jobs?limit=x")
    refused = api.rest("POST", "/v1/circuits/run", {"qasm": "OPENQASM 2.0; none"})
    usage = api.rest("GET", "/v1/account/usage")
    answers = (ended, unread, refused, usage)
    assert [answer.status_code for answer in answers] == [204, 400, 400, 200]
    logged = found(
        access_log, *(has(request_id=answer.headers["x-request-id"]) for answer in answers)
    )
    assert [line["grpc_status"] for line in logged] == [0, None, None, 0]
    upstream = str(server.data_dir / "grpc.socket")
    assert [line["upstream"] for line in logged] == [upstream, None, upstream, upstream]
    assert {line["response_flags"] for line in logged} == {"-"}
    assert [line["trace_id"] for line in logged] == [trace, None, None, None]


def test_keys_tiers_accounts_and_failed_logins_are_audited(server: Server, audit_log: Path):
    user = f"user-{uuid.uuid4()}"
    server.token(user)
    subprocess.run(
        quantcloud("account", "set-tier", user, "developer", "--data-dir", str(server.data_dir)),
        check=True, timeout=60,
    )  # fmt: skip
    (tier,) = found(audit_log, has(event="tier_changed", account_id=user))
    assert (tier["before"], tier["tier"], tier["by"]) == ("explorer", "developer", "operator")
    api = server.api()
    made = api.keys.CreateApiKey(api_key_pb2.CreateApiKeyRequest(name="x"), metadata=api.metadata)
    api.keys.RevokeApiKey(api_key_pb2.RevokeApiKeyRequest(id=made.id), metadata=api.metadata)
    refused = server.get("/v1/jobs", headers={"X-API-Key": made.key})
    assert refused.status_code == 401
    created, _, failed = found(
        audit_log,
        has(event="key_created", key_id=made.id),
        has(event="key_revoked", key_id=made.id),
        has(event="login_failed", request_id=refused.headers["x-request-id"]),
    )
    assert created["peer"] == "127.0.0.1"
    assert failed["reason"] == "INVALID_API_KEY"
    assert audit_log.stat().st_mode & 0o777 == 0o600


def test_no_log_has_a_circuit_a_key_or_a_token(server: Server):
    api = server.api()
    made = api.rest("POST", "/v1/auth/api-keys", {"name": "mine"}).json()
    key, secret = made["key"], made["key"].removeprefix("qc_live_")
    marker = f"gate_{uuid.uuid4().hex}"
    circuit = BELL.replace("q[", f"{marker}[").replace("measure q", f"measure {marker}")
    token = jwt.encode({"sub": "x"}, SECRET + marker, algorithm="HS256")
    for text in (key, token):
        headers = {"X-API-Key": text, "X-Request-Id": text, "User-Agent": text}
        server.get(f"/v1/jobs/{text}?limit={text}", headers=headers)
        server.post("/v1/circuits/run", {"qasm": text, text: text}, headers={"X-API-Key": text})
    job = api.run(circuit, backend="aer_simulator", name=marker, tags=[marker])
    api.finish(job)
    for wrong in (circuit + f"{marker} {marker};", circuit.replace("measure", marker)):
        assert api.rest("POST", "/v1/circuits/run", {"qasm": wrong}).status_code == 400
    with pytest.raises(grpc.RpcError):
        api.jobs.GetJob(
            job_pb2.GetJobRequest(id=circuit), metadata=(*api.metadata, ("x-request-id", key))
        )
    last = api.rest("GET", f"/v1/jobs/{job}")
    access = server.data_dir / "access.log"
    for log in (server.log_path, access):
        found(log, has(request_id=last.headers["x-request-id"]))
    for log in (server.log_path, access, server.data_dir / "audit.log"):
        text = log.read_text()
        for hidden in (marker, secret, token.split(".")[2], api.credential.split(".")[2]):
            assert hidden not in text
