"""Requests that are no HTTP, no JSON or too large."""

import json
import re
import socket

import httpx
import pytest

from support.api import error_json
from unit.proxy.answers import check, invalid


def exchange(gate, raw):
    """Send bytes and read the answer."""
    with socket.create_connection(("127.0.0.1", gate.envoy.http_port), timeout=5) as connection:
        connection.sendall(raw)
        answer = connection.makefile("rb")
        head = b"".join(iter(answer.readline, b"\r\n")).decode().lower()
        body = answer.read(int(re.search(r"content-length: (\d+)", head)[1]))
    return head, body.decode()


@pytest.mark.parametrize(
    "raw",
    [
        b"nonsense\r\n\r\n",
        b"FROB / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\n\r\n",
        b"GET /health#top HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /\x01 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nhost: x\r\nx-a: \x00\r\n\r\n",
        b"GET /health HTTP/1.1\r\nhost: x\r\ncontent-length: many\r\n\r\n",
        b"POST /v1/circuits/run HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_a_request_that_is_not_http_is_400(gate, raw):
    head, body = exchange(gate, raw)
    assert head.startswith("http/1.1 400 bad request")
    assert "content-type: application/json" in head
    sentence = (
        "This is not a valid HTTP request: check the method, the path, which has no '#' nor "
        "spaces, Host, Content-Length and the characters of the headers."
    )
    assert json.loads(body) == invalid(sentence, "request", sentence)
    assert gate.upstream.refused == []


def test_a_path_with_quotes_is_shown_as_valid_json(gate):
    raw = b'GET /a"b\\c HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'
    head, body = exchange(gate, raw)
    assert head.startswith("http/1.1 404")
    assert httpx.Response(404, text=body).json()["detail"].startswith("There is nothing at /a")


JSON = "Content-Type: must be application/json, got "


CONTENT = {
    "text/plain; charset=utf-8": f"{JSON}text/plain.",
    "application/x-www-form-urlencoded": f"{JSON}application/x-www-form-urlencoded.",
    "multipart/form-data; boundary=x": f"{JSON}multipart/form-data.",
    "application/jsonx": f"{JSON}application/jsonx.",
    "application/grpc": (
        "There is no gRPC at this path: it takes JSON, as Content-Type: application/json."
    ),
}


@pytest.mark.parametrize("size", [2, 20_000])
@pytest.mark.parametrize(("kind", "detail"), CONTENT.items(), ids=CONTENT)
def test_a_body_that_is_not_json_is_415(gate, http, kind, detail, size):
    body = b"x" * size
    got = http.post("/v1/circuits/run", content=body, headers={"Content-Type": kind})
    assert check(got, 415) == detail
    reached = [*(metadata for _, _, metadata in gate.upstream.requests), *gate.upstream.uploads]
    assert got.headers["x-request-id"] not in [one.get("x-request-id") for one in reached]


@pytest.mark.parametrize("kind", [None, "", "Application/JSON", "application/json; charset=utf-8"])
def test_a_body_without_a_content_type_is_json(http, kind):
    headers = {} if kind is None else {"Content-Type": kind}
    assert http.post("/v1/circuits/run", content=b"{}", headers=headers).status_code == 202


def test_the_content_type_of_an_empty_body_is_ignored(http):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert http.post("/v1/jobs/j/cancel", content=b"", headers=headers).status_code == 200
    assert http.get("/v1/jobs/j", headers=headers).status_code == 200


@pytest.mark.parametrize("protocol", ["websocket", "another"])
def test_an_upgrade_is_refused_and_the_alternative_named(http, protocol):
    headers = {"Connection": "Upgrade", "Upgrade": protocol}
    assert check(http.get("/v1/jobs/events", headers=headers), 400) == (
        "Upgrade: is not supported, nor are WebSockets. Events come as server-sent events, "
        "as from GET /v1/jobs/events."
    )


def test_a_transfer_encoding_other_than_chunked_is_refused(gate):
    raw = b"POST /v1/circuits/run HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n"
    head, body = exchange(gate, raw)
    assert head.startswith("http/1.1 400")
    problem = "must be chunked, or left out."
    assert json.loads(body) == invalid(
        f"Transfer-Encoding: {problem}", "Transfer-Encoding", problem
    )


def test_headers_that_are_too_large_are_431(http):
    got = http.get("/health", headers={"x-large": "x" * 13_000})
    assert got.status_code == 431
    assert got.headers["content-type"] == "application/json"
    assert got.json() == error_json(
        "The headers are too large: they may have 12 KiB in all, with 32 bytes more for each."
    )
    # More than Envoy itself accepts.
    assert http.get("/health", headers={"x-large": "x" * 100_000}).json() == got.json()
    assert http.get("/health", headers={"x-large": "x" * 11_000}).status_code == 200
    many = {f"x-{number}": "x" * 50 for number in range(90)}
    assert http.get("/health", headers=many).status_code == 200
