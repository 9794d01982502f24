"""Envoy's access log: who may read it, and what it shows."""

import asyncio
import json
import os
import signal
import stat

import grpc
import httpx
import jwt
import pytest

from unit.proxy.envoys import DEADLINE, asked, make
from unit.proxy.upstream import gate as make_gate

pytestmark = pytest.mark.slow


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


async def test_only_its_owner_can_read_the_access_log_even_after_rotation(tmp_path):
    log = tmp_path / "access.log"
    log.touch(0o644)
    log.chmod(0o644)
    envoy = make(tmp_path)
    before = os.umask(0o022)
    try:
        await envoy.start()
        assert mode(log) == 0o600
        log.rename(tmp_path / "access.log.1")
        os.kill(envoy.pid, signal.SIGUSR1)
        async with asyncio.timeout(DEADLINE):
            # Envoy reopens the file at its next write.
            while not log.exists():
                await asked(envoy)
        assert mode(log) == 0o600
    finally:
        os.umask(before)
        await envoy.stop()


async def test_an_access_log_that_the_operator_names_keeps_its_mode(tmp_path):
    log = tmp_path / "shared.log"
    log.touch()
    log.chmod(0o640)
    envoy = make(tmp_path, access_log=log)
    await envoy.start()
    await envoy.stop()
    assert mode(log) == 0o640


def test_the_access_log_has_all_but_secrets(tmp_path):
    secret = {"Authorization": "Bearer s3cret", "X-API-Key": "qc_live_s3cret"}
    forged = {"X-Envoy-Original-Method": "PUT", "X-Envoy-Original-Path": "/forged"}
    with make_gate(tmp_path) as gate:
        answer = httpx.get(f"{gate.url}/v1/jobs?limit=3&status=failed", headers=secret | forged)
        refused = httpx.get(f"{gate.url}/nope?token=s3cret", headers=secret)
        httpx.head(f"{gate.url}/health")
        httpx.delete(f"{gate.url}/nope", headers=forged)
    text = (tmp_path / "access.log").read_text()
    assert "s3cret" not in text
    first, second, *others = map(json.loads, text.splitlines())
    assert {
        "request_id": answer.headers["x-request-id"],
        "client": "127.0.0.1",
        "protocol": "HTTP/1.1",
        "method": "GET",
        "path": "/v1/jobs",
        "status": 200,
        "grpc_status": 0,
        "details": "via_upstream",
        "bytes_received": 0,
        "bytes_sent": len(answer.content),
    }.items() <= first.items()
    assert isinstance(first["duration_ms"], int)
    assert isinstance(first["upstream_ms"], int)
    assert first["user_agent"].startswith("python-httpx")
    assert first["upstream"] == f"127.0.0.1:{gate.upstream.port}"
    assert first["response_flags"] == "-"
    assert second["request_id"] == refused.headers["x-request-id"]
    assert (second["path"], second["status"]) == ("/nope", 404)
    logged = [(each["method"], each["path"]) for each in others]
    assert logged == [("HEAD", "/health"), ("DELETE", "/nope")]


KEY = "qc_live_s3cret-s3cret_s3cret"


TOKEN = jwt.encode({"sub": "s3cret"}, "s3cret" * 8, algorithm="HS256")


PREFLIGHT = {"Origin": "https://page", "Access-Control-Request-Method": "GET"}


@pytest.mark.parametrize("secret", [KEY, TOKEN, TOKEN.rpartition(".")[0]])
def test_the_access_log_shows_no_key_or_token_in_any_place(tmp_path, secret):
    shown = secret[: 8 if secret == KEY else 3] + "..."
    with make_gate(tmp_path) as gate:
        answer = httpx.get(f"{gate.url}/v1/jobs/x{secret}", headers={"X-Request-Id": secret})
        assert answer.status_code == 200
        assert gate.last("GetJob")[0].id == f"x{shown}"
        refused = httpx.get(
            f"{gate.url}/no/{secret}?{secret}", headers={"User-Agent": f"me {secret}"}
        )
        assert shown in refused.json()["detail"]
        # Refused before our filters run.
        httpx.options(f"{gate.url}/v1/jobs/{secret}", headers=PREFLIGHT)
        assert httpx.get(f"{gate.url}/v1/%00{secret}").status_code == 400
        options = [("grpc.primary_user_agent", secret)]
        with (
            grpc.insecure_channel(gate.url.removeprefix("http://"), options) as channel,
            pytest.raises(grpc.RpcError) as error,
        ):
            channel.unary_unary(f"/thequantcloud.v1.JobService/{secret}")(b"")
        assert secret not in error.value.details()
    lines = (tmp_path / "access.log").read_text().splitlines()
    requests = list(map(json.loads, lines))
    logged = [(request["path"], request["user_agent"]) for request in requests]
    agent = f"python-httpx/{httpx.__version__}"
    hidden = "(holds a key or a token)"
    assert logged == [
        (f"/v1/jobs/x{shown}", agent), (f"/no/{shown}", hidden), (hidden, agent), (hidden, agent),
        (f"/thequantcloud.v1.JobService/{shown}", hidden),
    ]  # fmt: skip
    assert [request["client_request_id"] for request in requests] == [hidden, *[None] * 4]
    for part in secret.removeprefix("qc_live_").split("."):
        assert part[8:] not in "".join(lines)
