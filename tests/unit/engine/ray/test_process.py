"""The server keeps trying to start the process between it and its Ray cluster."""

import asyncio

from quantcloud.engine.ray.process import DriverProcess
from unit.engine.harness import DEADLINE


async def test_a_driver_that_cannot_be_started_is_retried(monkeypatch, caplog):
    tried = asyncio.Queue()

    def start(_errors, _configuration):
        tried.put_nowait(None)
        raise BlockingIOError("no process available")

    monkeypatch.setattr("quantcloud.engine.ray.process._start", start)
    monkeypatch.setattr("quantcloud.engine.ray.process._FIRST_DELAY", 0)
    driver = DriverProcess(lambda: None, lambda _: None, lambda: None)
    running = asyncio.ensure_future(driver.run())
    async with asyncio.timeout(DEADLINE):
        for _ in range(3):
            await tried.get()
    running.cancel()
    await asyncio.wait((running,))
    assert running.cancelled()
    assert "the Ray driver cannot be started: no process available" in caplog.text
