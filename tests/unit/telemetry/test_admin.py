"""The operator's listener."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from quantcloud.telemetry import admin, metrics
from quantcloud.telemetry.admin import AdminListener


@pytest.fixture
async def listener() -> AsyncIterator[AdminListener]:
    made = AdminListener(lambda: {"database": None, "engine": None})
    made.start("127.0.0.1", 0, 0)
    yield made
    await made.stop()


async def ask(listener: AdminListener, path: str, method: str = "GET") -> httpx.Response:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listener.port}") as client:
        return await client.request(method, path, timeout=10)


async def test_metrics_are_in_the_format_of_prometheus(listener: AdminListener):
    metrics.LEASES_EXPIRED.inc(0)
    answer = await ask(listener, "/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "# TYPE quantcloud_rpc_seconds histogram" in answer.text


async def test_readiness_names_the_part_that_does_not_work(listener: AdminListener):
    assert (await ask(listener, "/readyz")).json() == {
        "ready": True, "parts": {"database": "ok", "engine": "ok"},
    }  # fmt: skip
    listener._parts = lambda: {"database": "the disk is full", "engine": None}
    answer = await ask(listener, "/readyz")
    assert answer.status_code == 503
    assert json.loads(answer.text)["parts"]["database"] == "the disk is full"


async def test_liveness_fails_while_the_event_loop_is_stuck(listener: AdminListener):
    assert (await ask(listener, "/livez")).status_code == 200
    url = f"http://127.0.0.1:{listener.port}/livez"
    stuck = threading.Event()

    def request() -> httpx.Response:
        stuck.wait()
        return httpx.get(url, timeout=10)

    asked = asyncio.ensure_future(asyncio.to_thread(request))
    asyncio.get_running_loop().call_soon(stuck.set)
    await asyncio.sleep(0)
    time.sleep(3)  # noqa: ASYNC251  # what this test is about
    assert (await asked).status_code == 503


@pytest.mark.parametrize(("method", "path", "status"), [
    ("HEAD", "/metrics", 200), ("POST", "/metrics", 405), ("GET", "/", 404),
    ("GET", "/metrics/../../etc/passwd", 404),
])  # fmt: skip
async def test_other_requests_are_refused(listener, method: str, path: str, status: int):
    answer = await ask(listener, path, method)
    assert answer.status_code == status
    assert method != "HEAD" or not answer.content


async def test_a_default_port_that_is_taken_is_replaced_and_a_given_one_fails():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        listener = AdminListener(dict)
        with pytest.raises(OSError, match=f"^cannot serve metrics at 127.0.0.1:{taken}"):
            listener.start("127.0.0.1", taken, 0)
        listener.start("127.0.0.1", None, taken)
        assert listener.port != taken
        assert (await ask(listener, "/livez")).status_code == 200
        await listener.stop()


async def test_idle_and_slow_peers_keep_no_operator_out(listener: AdminListener, capfd):
    before = threading.active_count()
    idle = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(200)]
    assert (await ask(listener, "/livez")).status_code == 200
    assert threading.active_count() - before < 100
    # The oldest connections have ended.
    assert await asyncio.wait_for(idle[0][0].read(), 5) == b""
    for _, writer in idle:
        writer.transport.abort()
    while threading.active_count() > before:  # noqa: ASYNC110  # threads tell no event
        await asyncio.sleep(0.01)
    assert capfd.readouterr().err == ""


async def test_a_peer_that_trickles_its_request_is_cut_off(listener, monkeypatch):
    monkeypatch.setattr(admin, "_CONNECTION_SECONDS", 0.5)
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    ended = asyncio.ensure_future(reader.read())
    began = time.monotonic()
    while not ended.done():
        writer.write(b"G")
        await asyncio.wait([ended], timeout=0.1)
        assert time.monotonic() - began < 5
    writer.close()
