"""The parts of the Ray engine by themselves, without a cluster."""

import asyncio
import importlib.util
import socket
from contextlib import asynccontextmanager

import pytest

from quantcloud.backends.base import installed_backends
from quantcloud.backends.resources import Resources
from quantcloud.engine.base import EngineError
from quantcloud.engine.local import LocalEngine
from quantcloud.engine.pool import messages
from quantcloud.engine.ray import messages as ray_messages
from quantcloud.engine.ray.engine import RayEngine
from quantcloud.engine.ray.messages import Cluster, Configuration, Message, Node, Request
from unit.engine.harness import DEADLINE, Runner

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray has no wheel for this platform"
)

SILENT = Cluster((), 0, "the head of the Ray cluster does not answer")
TOTALS = {"CPU": 1.0, "memory": 2.0**30}
READY = Cluster((Node("127.0.0.2", TOTALS, {"probe": None}),), 1 << 29)


class Driver:
    """A driver whose messages a test sends."""

    def __init__(self):
        self.sent = []
        self.clusters = []

    def send(self, message):
        self.sent.append(message)

    async def run(self):
        for cluster in self.clusters:
            self.receive(cluster)
        await asyncio.Event().wait()


@pytest.fixture
def driver():
    return Driver()


@pytest.fixture
def engine(driver):
    engine = RayEngine("127.0.0.1:1", installed_backends())
    engine._driver = driver
    driver.receive = lambda new: engine._received(Message(ray_messages.NODES, 0, new.encode()))
    return engine


def asked(engine):
    return asyncio.ensure_future(
        engine.execute(Runner.execution("succeed"), time_limit=1, on_start=lambda: None)
    )


async def cancelled(*tasks):
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_cluster_that_is_silent_at_first_is_joined_later(engine, driver):
    driver.receive(SILENT)
    assert (engine.slots, engine.memory_limit) == (0, 0)
    driver.receive(READY)
    assert (engine.slots, engine.memory_limit) == (1, 1 << 29)
    # The limit is kept when the next driver has not seen any node.
    driver.receive(SILENT)
    assert (engine.slots, engine.memory_limit) == (0, 1 << 29)
    run = asked(engine)
    await asyncio.sleep(0)
    (sent,) = driver.sent
    assert Request.unpack(sent.payload).resources == Resources(memory_bytes=1 << 29)
    await cancelled(run)


@needs_ray
async def test_a_cluster_that_never_lists_its_nodes_is_not_joined(engine, driver, monkeypatch):
    monkeypatch.setattr("quantcloud.engine.ray.engine._START_LIMIT", 0.05)
    driver.clusters.append(SILENT)
    with pytest.raises(EngineError, match="the head of the Ray cluster does not answer"):
        await engine.start()


async def test_a_run_cancelled_while_the_cluster_is_unreachable_is_never_sent(engine, driver):
    driver.receive(READY)
    engine._lost()
    gone, other = asked(engine), asked(engine)
    await asyncio.sleep(0)
    await cancelled(gone)
    driver.receive(READY)
    assert [message.run for message in driver.sent if message.kind == ray_messages.RUN] == [2]
    await cancelled(other)
    assert not engine._in_progress.total()


@needs_ray
async def test_a_run_cancelled_before_its_task_started_has_no_task():
    from quantcloud.engine.ray.driver import Driver as RayDriver  # noqa: PLC0415 (imports Ray)

    reader = asyncio.StreamReader()
    driver = RayDriver(Configuration(0, "", "", 1, ()), reader, None)
    request = Request(Runner.execution("succeed"), 1, Resources(memory_bytes=1)).pack()
    run = Message(ray_messages.RUN, 1, request).pack()
    waiting = Message(ray_messages.RUN, 2, request).pack()
    # Together: the driver receives both before it starts either.
    reader.feed_data(waiting + run + Message(ray_messages.CANCEL, 1, b"").pack())
    listening = asyncio.ensure_future(driver._listen())
    async with asyncio.timeout(DEADLINE):
        while [*driver._runs] != [2]:  # noqa: ASYNC110 (no event tells of it)
            await asyncio.sleep(0)
        # This run waits for a node that can run it.
        reader.feed_data(Message(ray_messages.CANCEL, 2, b"").pack())
        while driver._tasks:  # noqa: ASYNC110 (as above)
            await asyncio.sleep(0)
        reader.feed_eof()
        await listening
    assert not driver._runs
    assert not driver._streams


@asynccontextmanager
async def hosted():
    """A host of a node, which the test asks as a run's task does."""
    from quantcloud.engine.ray.node import NodeHost  # noqa: PLC0415 (imports Ray)

    host = NodeHost("tests", TOTALS, Resources(memory_bytes=1 << 29), ())
    try:
        yield host
    finally:
        host._loop.close()
        for pool in host._pools.values():
            await pool.stop()


async def answers(host):
    """Have a host run a circuit, and return its output."""
    request = Request(Runner.execution("succeed"), DEADLINE, Resources(memory_bytes=1 << 29))
    ours, theirs = socket.socketpair()
    serving = asyncio.ensure_future(host._serve(*await asyncio.open_connection(sock=theirs)))
    reader, writer = await asyncio.open_connection(sock=ours)
    writer.write(messages.frame(b"g") + messages.frame(ray_messages.RUN, request.pack()))
    async with asyncio.timeout(DEADLINE):
        said = await reader.read()
        await serving
    writer.close()
    await writer.wait_closed()
    return said


@needs_ray
async def test_workers_that_cannot_be_started_fail_one_run_and_are_retried(monkeypatch):
    async def fail(_):
        raise BlockingIOError(11, "no process available")

    async with hosted() as host:
        with monkeypatch.context() as patch:
            patch.setattr(LocalEngine, "start", fail)
            said = await answers(host)
        reason = b"its node could not start workers: no process available"
        assert said == messages.frame(ray_messages.GONE, reason)
        said = await answers(host)
        begun = messages.frame(ray_messages.BEGUN)
        assert said.startswith(begun + ray_messages.OUTCOME)
