"""Limits over REST, Envoy's settings, and secrets that must not be logged."""

import json
import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import yaml

from support.circuits import BELL
from support.server import Server
from thequantcloud.v1 import account_pb2

STRANGERS = 25
KIB = 1024
ORIGIN = "https://studio.example.org"


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with default tiers, low limits for anonymous callers, and changed Envoy limits."""
    folder = tmp_path_factory.mktemp("limited")
    with Server(
        folder / "data", "--workers", "1",
        QUANTCLOUD_TIERS="{}",
        QUANTCLOUD_ANONYMOUS_REQUESTS_PER_MINUTE=str(STRANGERS),
        QUANTCLOUD_FAILED_LOGINS_PER_MINUTE=str(STRANGERS),
        QUANTCLOUD_CORS_ORIGINS=json.dumps([ORIGIN]),
        QUANTCLOUD_MAX_BODY_BYTES=str(64 * KIB),
        QUANTCLOUD_MAX_HEADER_KIB="4",
        QUANTCLOUD_MAX_CONNECTIONS="40",
        QUANTCLOUD_ACCESS_LOG=str(folder / "requests.log"),
        QUANTCLOUD_LOG_LEVEL="debug",
    ) as running:  # fmt: skip
        yield running


def at(server: Server, address: str) -> httpx.Client:
    """A client with its own loopback address."""
    return httpx.Client(
        base_url=server.endpoints.http, transport=httpx.HTTPTransport(local_address=address)
    )


def test_each_response_shows_the_remaining_requests(limited: Server):
    ada = limited.newcomer()
    job = ada.rest("POST", "/v1/circuits/run", {"qasm": BELL})
    answers = [
        job,
        ada.rest("GET", "/v1/account/usage"),
        ada.rest("GET", "/v1/jobs/nothing"),
        ada.rest("POST", "/v1/circuits/run", {"qasm": "x"}),
        ada.rest("GET", "/v1/account/profile"),
        ada.rest("GET", f"/v1/jobs/{job.json()['job_id']}/events?after_sequence=0"),
        ada.rest("GET", "/v1/jobs/nothing/events"),
    ]
    assert [answer.status_code for answer in answers] == [202, 200, 404, 400, 200, 200, 404]
    headers = [answer.headers for answer in answers]
    assert [h["x-ratelimit-limit"] for h in headers] == ["30"] * 7
    assert [int(h["x-ratelimit-remaining"]) for h in headers] == [29, 28, 27, 26, 25, 24, 23]
    assert all(int(h["x-ratelimit-reset"]) > 1_700_000_000 for h in headers)
    assert "x-ratelimit-limit" not in limited.get("/v1/status").headers


def test_too_many_requests_are_429_and_say_when_to_retry(limited: Server):
    ada = limited.newcomer()
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: ada.rest("GET", "/v1/account/usage"), range(100)))
    assert Counter(answer.status_code for answer in answers) == {200: 30, 429: 70}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["content-type"] == "application/json"
    seconds = int(refused.headers["retry-after"])
    assert 1 <= seconds <= 60
    body = refused.json()
    assert "too many requests for the explorer tier: the limit is 30 a minute" in body["detail"]
    info, retry = body["details"]
    assert (info["reason"], info["metadata"]["maximum"]) == ("RATE_LIMITED", "30")
    assert retry["@type"].endswith("google.rpc.RetryInfo")
    assert seconds <= float(retry["retry_delay"].rstrip("s")) <= 1.5 * seconds
    assert refused.headers["x-ratelimit-remaining"] == "0"


def test_a_quota_is_403_and_says_which(limited: Server):
    ada = limited.newcomer()
    for number in range(5):
        assert ada.rest("POST", "/v1/auth/api-keys", {"name": f"{number}"}).status_code == 201
    body = ada.rest("POST", "/v1/auth/api-keys", {"name": "6"}).json()
    info, failure = body["details"]
    assert info["metadata"] == {
        "limit": "api_keys_limit", "maximum": "5", "used": "5", "requested": "1",
    }  # fmt: skip
    assert failure["violations"][0]["description"] == body["detail"]


@pytest.mark.parametrize(
    ("host", "headers", "path", "passed"),
    [
        ("127.0.1.1", {}, "/v1/status", 200),
        ("127.0.1.2", {"X-API-Key": "qc_live_" + "w" * 40}, "/v1/jobs", 401),
    ],
)
def test_anonymous_callers_are_limited_by_their_real_address(
    limited: Server, host: str, headers: dict[str, str], path: str, passed: int
):
    with at(limited, host) as client:
        codes = Counter(
            client.get(
                path, headers={**headers, "X-Forwarded-For": f"10.0.0.{n}",
                               "X-Envoy-External-Address": f"10.0.0.{n}",
                               "X-QuantCloud-Proxy-Secret": "unset"}
            ).status_code
            for n in range(STRANGERS + 5)
        )  # fmt: skip
        assert codes == {passed: STRANGERS, 429: 5}
        assert client.get("/health").status_code == 200
        refused = client.get(path, headers=headers)
        assert "from this address" in refused.json()["detail"]
        assert int(refused.headers["retry-after"]) >= 1
        ada = limited.newcomer()
        assert client.get("/v1/jobs", headers=ada.headers).status_code == 200
    with at(limited, "127.0.1.3") as client:
        assert client.get(path, headers=headers).status_code == passed


def test_the_sizes_of_bodies_and_headers_are_settable(limited: Server):
    ada = limited.newcomer()
    fits = {"qasm": BELL + "//" + "x" * (63 * KIB)}
    assert ada.rest("POST", "/v1/circuits/run", fits).status_code == 202
    large = ada.rest("POST", "/v1/circuits/run", {"qasm": "x" * (64 * KIB)})
    assert large.status_code == 413
    assert f"{64 * KIB} bytes" in large.json()["detail"]
    large = limited.get("/health", headers={"X-Large": "x" * 4 * KIB})
    assert large.status_code == 431
    assert "4 KiB" in large.json()["detail"]
    assert limited.get("/health", headers={"X-Large": "x" * 3 * KIB}).status_code == 200


def test_the_allowed_origins_are_settable(limited: Server):
    allowed = limited.get("/health", headers={"Origin": ORIGIN})
    assert allowed.headers["access-control-allow-origin"] == ORIGIN
    assert "x-ratelimit-remaining" in allowed.headers["access-control-expose-headers"]
    other = limited.get("/health", headers={"Origin": "https://evil.example.org"})
    assert "access-control-allow-origin" not in other.headers


def test_rest_answers_have_security_headers(limited: Server):
    for path in ("/health", "/v1/jobs", "/nothing"):
        headers = limited.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in headers["content-security-policy"]


def test_connections_are_limited_and_there_is_no_admin_interface(limited: Server):
    config = yaml.safe_load((limited.data_dir / "envoy.yaml").read_text())
    assert config["admin"] == {}
    assert (limited.data_dir / "envoy.yaml").stat().st_mode & 0o777 == 0o600
    host, _, port = limited.endpoints.http.removeprefix("http://").partition(":")
    answered = 0
    connections = []
    try:
        for _ in range(60):
            connection = socket.create_connection((host, int(port)), 5)
            connections.append(connection)
            connection.sendall(b"GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n")
            try:
                answered += connection.recv(64).startswith(b"HTTP/1.1 404")
            except ConnectionResetError:
                continue
    finally:
        for connection in connections:
            connection.close()
    assert 20 <= answered <= 40


def test_a_key_is_in_no_response_and_no_log(limited: Server, tmp_path: Path):
    ada = limited.newcomer()
    made = ada.rest("POST", "/v1/auth/api-keys", {"name": "secret"}).json()
    key, text = made["key"], made["key"].removeprefix("qc_live_")[2:]
    good = {"X-API-Key": key}
    answers = [
        limited.get("/v1/account/usage", headers=good),
        limited.get("/v1/account/usage", headers={"Authorization": f"Bearer {key}"}),
        # Keys in places where they do not belong.
        ada.rest("DELETE", f"/v1/auth/api-keys/{key}"),
        limited.get(f"/v1/jobs/{key}", headers=good),
        limited.get(f"/v1/backends/{key}", headers=good),
        limited.get(f"/v1/jobs?{key}=1", headers=good),
        limited.get(f"/v1/jobs?limit={key}", headers=good),
        limited.get(f"/{key}", headers=good),
        ada.rest("POST", "/v1/circuits/run", {"qasm": BELL, "backend": key}),
        ada.rest("POST", "/v1/circuits/run", {"qasm": f"OPENQASM 2.0;\n{key} q[0];"}),
        ada.rest("POST", "/v1/circuits/run", {"qasm": BELL, "shots": key}),
        limited.get("/v1/account/profile", headers=good),
        ada.rest("DELETE", f"/v1/auth/api-keys/{made['id']}"),
        limited.get("/v1/account/usage", headers=good),
    ]
    assert [answer.status_code for answer in answers] == [
        200, 200, 404, 404, 404, 400, 400, 404, 400, 400, 400, 403, 200, 401,
    ]  # fmt: skip
    for answer in answers:
        assert text not in answer.text
        assert text not in str(answer.headers)
    assert text not in ada.rest("GET", "/v1/auth/api-keys").text
    metadata = (*ada.metadata, ("x-request-id", key))
    ada.account.GetUsage(account_pb2.GetUsageRequest(), metadata=metadata)
    # Envoy flushes its log every half second, and when it ends.
    limited.stop()
    logs = [limited.log_path, limited.data_dir.parent / "requests.log"]
    written = "".join(log.read_text() for log in logs)
    limited.start()
    assert '"/v1/account/usage"' in written
    assert '"/v1/jobs/qc_live_..."' in written
    assert "CreateApiKey" in written
    assert '"client_request_id": "qc_live_..."' in written
    assert text not in written
    for file in limited.data_dir.rglob("*"):
        if file.is_file():
            assert text.encode() not in file.read_bytes(), file
