"""Settings of Envoy that need an Envoy of their own."""

import asyncio
import socket

import httpx
import pytest

from support.api import error_json
from unit.proxy.envoys import DEADLINE
from unit.proxy.upstream import gate as make_gate
from unit.proxy.upstream import use_template

pytestmark = pytest.mark.slow


def test_a_server_that_is_too_slow_is_504(tmp_path, monkeypatch):
    use_template(monkeypatch, tmp_path, "timeout: 60s", "timeout: 0.1s")

    async def answer(*_):
        await asyncio.Event().wait()

    with make_gate(tmp_path / "data") as gate:
        gate.answer("GetJobResult", answer)
        got = httpx.get(f"{gate.url}/v1/jobs/j/result")
    assert got.status_code == 504
    assert got.headers["content-type"] == "application/json"
    assert got.json() == error_json("The service took too long to answer.")


def test_origins_proxies_and_connection_limits_are_settings(tmp_path):
    origins = ("https://studio.example", "https://other.example")
    limits = {"cors_origins": origins, "trusted_proxies": 1, "max_connections": 2}
    with make_gate(tmp_path, **limits) as gate, httpx.Client(base_url=gate.url) as http:
        for origin, allowed in [(origins[0], True), (origins[1], True), ("https://x.y", False)]:
            asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
            preflight = http.options("/v1/jobs", headers=asked)
            assert preflight.status_code == 200
            assert ("access-control-allow-origin" in preflight.headers) is allowed
            answer = http.get("/health", headers={"Origin": origin})
            assert ("access-control-allow-origin" in answer.headers) is allowed

        forwarded = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7"}
        http.get("/v1/jobs/j", headers=forwarded)
        assert gate.last("GetJob")[1]["x-forwarded-for"] == "198.51.100.7"

        address = ("127.0.0.1", gate.envoy.http_port)
        with socket.create_connection(address, DEADLINE) as second:
            second.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
            assert second.recv(12) == b"HTTP/1.1 200"
            with socket.create_connection(address, DEADLINE) as third:
                assert third.recv(1) == b""
