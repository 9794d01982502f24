"""Runs on a real Ray cluster of two nodes, through the engine alone. Each test leaves it clean."""

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from quantcloud.backends.base import installed_backends
from quantcloud.engine.base import (
    ExecutionFailed,
    ExecutionTimedOut,
    MachineLost,
    OutOfMemory,
    WorkerLost,
)
from quantcloud.engine.ray.engine import RayEngine
from support.circuits import BELL, slow
from support.processes import command, descendants, gone
from unit.engine.harness import ALLOWED, Runner
from unit.engine.harness import BELL as OWN_BELL

pytestmark = pytest.mark.asyncio(loop_scope="module")

IMPORTED_LAST = "pennylane_lightning.lightning_qubit"
MEMORY_LIMIT = 512 << 20

# How long a test may take if it fails, in seconds. Ray starts a process for each new kind of run
# on a node, which takes a while on a busy machine.
DEADLINE = 120


@asynccontextmanager
async def joined(cluster, slots=1, **arguments):
    """An engine on a cluster, once it has at least `slots` slots."""
    engine = RayEngine(
        cluster.address, installed_backends(), **{"memory_limit": MEMORY_LIMIT, **arguments}
    )
    await engine.start()
    try:
        await until(engine, lambda: engine.slots >= slots)
        yield engine
    finally:
        await engine.stop()


async def until(engine, holds):
    """Wait until `holds` returns true, and check after each message of the driver."""
    received = asyncio.Event()
    handle = engine._driver._on_message

    def on_message(message):
        handle(message)
        received.set()

    engine._driver._on_message = on_message
    async with asyncio.timeout(DEADLINE):
        while not holds():
            received.clear()
            await received.wait()


class RayRunner(Runner):
    def __init__(self, engine):
        super().__init__(engine)
        self._begun = []

    async def end(self):
        """Kill the runs that a failed test left."""
        tasks, self._begun = self._begun, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def __call__(self, method, *, limit=600, **fields):
        execution = self.execution(method, **fields)
        async with asyncio.timeout(DEADLINE):
            return await self.engine.execute(execution, time_limit=limit, on_start=lambda: None)

    async def begin(self, method, *, backend="probe", qasm=OWN_BELL, **arguments):
        begun = asyncio.Event()
        task = asyncio.ensure_future(
            self.engine.execute(
                self.execution(method, backend=backend, qasm=qasm),
                **{"time_limit": 600, "on_start": begun.set, **arguments},
            )
        )
        self._begun.append(task)
        waiting = asyncio.ensure_future(begun.wait())
        await asyncio.wait((task, waiting), timeout=DEADLINE, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        assert begun.is_set(), task
        return task


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def runner(cluster, site):
    async with joined(cluster, slots=3, hidden=[site / "hidden"]) as engine:
        yield RayRunner(engine)


@pytest_asyncio.fixture(loop_scope="module")
async def run(runner):
    yield runner
    await runner.end()


def hosts(cluster):
    """Return the processes by which engines have their share of each node."""
    pids = {pid for node in cluster.nodes for pid in descendants(node.process.pid)}
    return {pid for pid in pids if "NodeHost" in command(pid)}


def engines(cluster):
    """Return the processes that circuits run in, and their fork servers."""
    return below(node.process.pid for node in cluster.nodes)


def below(parents):
    pids = {pid for parent in parents for pid in descendants(parent)}
    return {pid for pid in pids if "engine.pool.forkserver" in command(pid)}


def workers(cluster):
    """Return the processes that circuits run in. Fork servers, which may import, have children."""
    return {pid for pid in engines(cluster) if not descendants(pid)}


def busy(pid):
    """Return the processor seconds that a process has used; 0 if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return int(fields[11]) / os.sysconf("SC_CLK_TCK")


async def test_outcomes(run):
    outcome = await run("succeed", shots=24)
    assert outcome.counts == {"00": 24}
    assert outcome.metadata["qubits"] == 2
    many = await run("give_many")
    assert len(many.counts) == 100_000
    assert many.statevector.imag == (float("-inf"),) * 65_536
    for name in ("local_simulator", "aer_simulator", "cirq_simulator"):
        bell = await run("statevector", backend=name, qasm=BELL, shots=100)
        assert set(bell.counts) == {"00", "11"}
        assert sum(bell.counts.values()) == 100


async def test_processes_are_reused(run):
    first = (await run("succeed", backend="qpu")).metadata
    assert (await run("succeed", backend="qpu")).metadata["pid"] == first["pid"]
    # Modules that no circuit has used yet are imported too, sooner or later.
    async with asyncio.timeout(DEADLINE):
        while IMPORTED_LAST not in (await run("tell_modules")).metadata["modules"]:
            pass


async def test_the_start_is_reported_before_the_end(run):
    task = await run.begin("last_a_while")
    assert not task.done()
    assert (await task).counts == {"00": 8}


async def test_time_limit_stops_a_run(run):
    with pytest.raises(ExecutionTimedOut, match=r"time limit of 0\.3 s"):
        await run("loop_in_c", limit=0.3)
    assert (await run("succeed")).counts


async def test_cancelling_kills_a_run_in_the_middle_of_c(run, cluster):
    task = await run.begin("statevector", backend="aer_simulator", qasm=slow())
    before = {pid: busy(pid) for pid in workers(cluster)}
    running = set()
    async with asyncio.timeout(DEADLINE):
        while not running:
            assert not task.done(), task
            await asyncio.sleep(0.05)  # no event tells of it
            now = workers(cluster)
            running = {pid for pid in now if busy(pid) - before.get(pid, 0) > 1}
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(gone, running, DEADLINE) == set()
    assert (await run("succeed")).counts


async def test_cancelling_a_waiting_run_affects_no_other(run):
    tasks = [await run.begin("loop_in_c", backend="qpu")]
    waiting = asyncio.ensure_future(run("succeed", backend="qpu"))
    await asyncio.sleep(0)
    # The only QPU is taken, but other runs do not wait for it.
    assert not run.engine.is_ready("qpu")
    assert run.engine.is_ready("aer_simulator")
    assert (await run("statevector", backend="local_simulator")).counts
    assert not waiting.done()
    waiting.cancel()
    tasks[0].cancel()
    await asyncio.gather(*tasks, waiting, return_exceptions=True)
    assert (await run("succeed", backend="qpu")).counts
    assert run.engine.is_ready("qpu")


@pytest.mark.parametrize(
    ("method", "error", "message"),
    [
        ("raise_error", ExecutionFailed, r"^cannot open secret\.db"),
        ("eat_memory", OutOfMemory, "needs more memory than the 512 MiB"),
        ("leave", WorkerLost, "the worker ended during the run with exit status 3"),
        ("crash", WorkerLost, "by SIGSEGV"),
    ],
)
async def test_an_error_ends_only_its_run(run, method, error, message):
    with pytest.raises(error, match=message):
        await run(method)
    assert (await run("succeed")).counts


async def test_a_circuit_sees_no_secret_and_reaches_nothing(run, site):
    seen = (await run("look_around")).metadata
    names = seen["environment"]
    assert not [name for name in names if name.startswith(("QUANTCLOUD_", "RAY_", "AWS_"))]
    assert seen["streams"] == ["/dev/null"] * 3
    assert "NoNewPrivs:\t1" in seen["status"]
    attempts = (await run("break_out")).metadata["attempts"]
    assert {name for name, result in attempts.items() if result == "done"} == ALLOWED


async def test_a_backend_gets_the_resources_that_it_states(run):
    seen = (await run("look_around", backend="qpu")).metadata
    assert 256 << 20 < seen["limits"]["RLIMIT_DATA"] < 512 << 20
    assert run.engine.memory_limits == {"qpu": 256 << 20}
    tasks = [await run.begin("last_a_while", backend="gpu_probe") for _ in range(1)]
    seen = await run("look_around", backend="gpu_probe")
    devices = {seen.metadata["environment"]["CUDA_VISIBLE_DEVICES"]}
    await asyncio.gather(*tasks)
    assert devices < {"0", "1"}
    assert (await run("look_around")).metadata["environment"]["CUDA_VISIBLE_DEVICES"] == ""


async def test_backends_are_online_if_a_node_can_run_them(run):
    reasons = {name: run.engine.offline_reason(name) for name in installed_backends()}
    assert (
        reasons.pop("spare") == "no node of the Ray cluster has 1 CPU, 512 MiB of memory, 1 spare"
    )
    assert "no CUDA build" in reasons.pop("aer_gpu_simulator")
    assert set(reasons.values()) == {None}
    assert run.engine.offline_reason("nothing") == "no node of the Ray cluster has it installed"
    with pytest.raises(ExecutionFailed, match="there is no backend 'nothing'"):
        await run("succeed", backend="nothing")


async def test_a_host_that_dies_is_restarted(run, cluster):
    task = await run.begin("loop_in_c", backend="qpu")
    hosts = [pid for pid in descendants(cluster.nodes[1].process.pid) if "NodeHost" in command(pid)]
    for pid in hosts:
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(MachineLost, match="the host of the node ended during the run"):
        async with asyncio.timeout(DEADLINE):
            await task
    assert (await run("succeed", backend="qpu")).counts


async def test_the_engine_survives_its_driver(run):
    task = await run.begin("loop_in_c")
    (driver,) = [
        pid for pid in descendants(os.getpid()) if "quantcloud.engine.ray.driver" in command(pid)
    ]
    grown = asyncio.Event()
    run.engine.subscribe(grown.set)
    os.kill(driver, signal.SIGKILL)
    with pytest.raises(MachineLost, match="the connection to the Ray cluster broke"):
        await task
    assert run.engine.slots == 0
    # Jobs wait for the cluster, whose last known state still holds.
    assert run.engine.offline_reason("qpu") is None
    assert (await run("succeed")).counts
    assert grown.is_set()


async def test_stopping_ends_runs_and_leaves_nothing_on_the_nodes(run, cluster):
    # The other engine, which goes on, has all its hosts.
    await until(run.engine, lambda: run.engine.slots >= 3)
    before = hosts(cluster)
    async with joined(cluster, slots=3) as engine:
        task = await RayRunner(engine).begin("loop_in_c")
        own = below(hosts(cluster) - before)
        assert own
        await engine.stop()
        with pytest.raises(WorkerLost, match="the server stopped"):
            await task
        assert await asyncio.to_thread(gone, own, DEADLINE) == set()
