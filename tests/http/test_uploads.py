"""Long requests are not buffered before authentication, and an account may have few at once.

The environment variable UPLOADS is the number of requests that never end.
"""

import asyncio
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from quantcloud.api import uploads as asked
from support.api import error_json
from support.circuits import BELL
from support.clients import http2
from support.clients.uploads import Upload, envoy_pid, resident_mib, under_way
from support.server import Server, newcomers_token

UPLOADS = int(os.environ.get("UPLOADS", "60"))
SIZE = 8_000_000
# The most memory that the uploads may add.
MOST_MIB = 230
TIMEOUT_SECONDS = 30
SECRET = "s" * 32


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with limits, and with a secret that the test knows."""
    with Server(
        tmp_path_factory.mktemp("strict") / "data",
        QUANTCLOUD_FAILED_LOGINS_PER_MINUTE="3",
        QUANTCLOUD_PROXY_SECRET=SECRET,
        QUANTCLOUD_TIERS=json.dumps({}),
    ) as running:
        yield running


async def healthy(server: Server, until: asyncio.Future[Any]) -> float:
    """Assert that health answers until `until`; return Envoy's peak memory in MiB."""
    pid, most = envoy_pid(server), 0.0
    async with httpx.AsyncClient(base_url=server.endpoints.http, timeout=10) as client:
        while not until.done():
            assert (await client.get("/health")).status_code == 200
            most = max(most, resident_mib(pid))
            await asyncio.wait([until], timeout=0.05)
    return most


@pytest.mark.parametrize("many", [False, True], ids=["one address", "many addresses"])
@pytest.mark.parametrize("token", [None, "bogus"])
@pytest.mark.parametrize("kind", ["grpc", "json"])
async def test_unauthenticated_uploads_are_refused_while_they_are_sent(
    server: Server, kind: str, token: str | None, *, many: bool
):
    before = resident_mib(envoy_pid(server))
    sent = [
        Upload(kind, SIZE, token, f"127.0.0.{2 + n % 200}" if many else "127.0.0.1")
        for n in range(UPLOADS)
    ]
    async with asyncio.timeout(TIMEOUT_SECONDS), under_way(server, sent) as tasks:
        most = await healthy(server, asyncio.ensure_future(asyncio.wait(tasks)))
    for upload in sent:
        status = "HTTP/1.1 401" if kind == "json" else "HTTP/1.1 200"
        assert upload.answer.startswith(status)
        assert ("grpc-status: 16" in upload.answer) is (kind == "grpc")
    assert most - before < MOST_MIB


def test_an_unauthenticated_short_body_is_refused_before_its_end_over_http_2(server: Server):
    """An HTTP/2 connection can have many such bodies at once, unlike one of HTTP/1.1."""
    begun = http2.headers(1, 0, [
        (":method", "POST"), (":scheme", "http"), (":path", "/v1/circuits/run"),
        (":authority", "x"), ("content-type", "application/json"), ("content-length", "100"),
        ("x-no-long-body", "yes"),
    ])  # fmt: skip
    with http2.RawConnection(server.endpoints.http.removeprefix("http://")) as connection:
        connection.send(begun)
        answer = next(got for got in connection.frames() if got.kind == http2.HEADERS)
    assert http2.status(answer.payload) == "401"


@pytest.mark.parametrize("kind", ["grpc", "json"])
async def test_uploads_of_an_account_are_limited_and_others_are_served(server: Server, kind: str):
    ada, bob = server.api(), server.api()
    before = resident_mib(envoy_pid(server))
    sent = [Upload(kind, SIZE, ada.credential) for _ in range(UPLOADS)]
    async with asyncio.timeout(TIMEOUT_SECONDS), under_way(server, sent) as tasks:
        # Excess uploads are refused after they waited.
        refused = asyncio.ensure_future(asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED))
        most = await healthy(server, refused)
        assert await asyncio.to_thread(bob.run, BELL)
        large = {"qasm": BELL + "//" + "x" * 20_000}
        answer = await asyncio.to_thread(bob.rest, "POST", "/v1/circuits/run", large)
        assert answer.status_code == 202
    answers = [upload.answer for upload in sent if upload.answer]
    wanted = "grpc-status: 8" if kind == "grpc" else "HTTP/1.1 429"
    assert answers
    assert all(wanted in answer for answer in answers)
    assert most - before < MOST_MIB


def test_a_long_body_is_refused_like_a_short_one(server: Server, strict: Server):
    def refusal(size: int, headers: dict[str, str]) -> httpx.Response:
        body = {"qasm": "x" * size}
        return strict.rest.post("/v1/circuits/run", json=body, headers=headers)

    def content(answer: httpx.Response) -> tuple[Any, ...]:
        names = ("www-authenticate", "content-type", "cache-control", "x-content-type-options")
        return answer.status_code, answer.json(), *(answer.headers[name] for name in names)

    for headers in ({}, {"Authorization": "Basic eA=="}, {"X-API-Key": "qc_live_" + "x" * 40}):
        short = server.rest.post("/v1/circuits/run", json={"qasm": "x"}, headers=headers)
        # Each counts as one failed login.
        long = refusal(20_000, headers)
        assert long.status_code == 401
        assert content(long) == content(short)
    short, long = refusal(1, {}), refusal(20_000, {})
    assert short.status_code == long.status_code == 429
    assert long.json()["details"][0] == short.json()["details"][0]
    assert "failed logins from this address" in long.json()["detail"]
    assert 0 < int(long.headers["retry-after"]) <= 60


def test_a_long_request_counts_once(strict: Server):
    headers = {"Authorization": f"Bearer {newcomers_token()}"}
    for left in (29, 28):
        body = {"qasm": BELL + "//" + "x" * 20_000}
        answer = strict.rest.post("/v1/circuits/run", json=body, headers=headers)
        assert answer.status_code == 202
        assert answer.headers["x-ratelimit-remaining"] == str(left)


def test_only_envoy_may_call_the_authorization_service(strict: Server):
    """Other callers cannot reach it, not even through Envoy."""
    token = ("authorization", f"Bearer {newcomers_token()}")
    envoy = strict.endpoints.http.removeprefix("http://")
    for address, metadata in (
        (strict.endpoints.grpc, [token]),
        (strict.endpoints.grpc, [token, ("x-quantcloud-proxy-secret", "t" * 32)]),
        (envoy, [token, ("x-quantcloud-proxy-secret", SECRET)]),
    ):
        with grpc.insecure_channel(address) as channel:
            answers = channel.stream_stream(asked.PATH)(iter([b""]), metadata=metadata)
            with pytest.raises(grpc.RpcError) as error:
                next(answers)
            assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("path", ["/v1/backends", "/v1/status", "/health", "/v1/jobs/j/cancel"])
def test_a_long_body_that_no_one_needs_is_413(server: Server, path: str):
    ada = server.api()
    method = "POST" if path.endswith("cancel") else "GET"
    refused = ada.rest(method, path, content=b"x" * 20_000)
    assert refused.status_code == 413
    assert refused.json() == error_json("The body is too large: it may have 16384 bytes here.")


@pytest.mark.parametrize("path", ["/nope", "/v1/nope", "/v1/jobs"])
def test_a_path_without_post_is_answered_before_the_body(server: Server, path: str):
    host, port = server.endpoints.http.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=TIMEOUT_SECONDS) as connection:
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {SIZE}\r\n\r\n"
        connection.sendall(head.encode())
        answer = connection.recv(65536).decode()
    assert answer.startswith(("HTTP/1.1 404", "HTTP/1.1 405"))


def test_without_a_secret_any_envoy_may_call_the_authorization_service(tmp_path: Path):
    with Server(tmp_path / "data", "--no-envoy") as server:
        api = server.newcomer()
        with grpc.insecure_channel(server.endpoints.grpc) as channel:
            call = channel.stream_stream(asked.PATH)(iter([b""]), metadata=api.metadata)
            assert next(call) == asked.CONTINUE
