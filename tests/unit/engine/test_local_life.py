"""The start, imports, confinement and end of the engine's processes."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from quantcloud.backends.base import installed_backends
from quantcloud.domain.execution import RunOptions
from quantcloud.engine.base import ExecutionFailed, MachineLost, WorkerLost
from quantcloud.engine.local import LocalEngine
from quantcloud.engine.pool import preload, supervisor
from quantcloud.engine.sandbox import landlock, seccomp
from quantcloud.openqasm import examine
from unit.engine.harness import ALLOWED, BELL, DEADLINE, Ends, Runner, running

pytestmark = pytest.mark.slow

DRIVER = Path(__file__).parent / "driver.py"


def processes(engine):
    started = engine._supervisor
    return [started._process.pid, *started._workers]


def threads(pid):
    return list(Path(f"/proc/{pid}/task").iterdir())


async def test_a_worker_sees_only_what_it_needs(monkeypatch):
    monkeypatch.setenv("QUANTCLOUD_JWT_SECRET", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("LC_TIME", "C.UTF-8")
    limit = 300 << 20
    inherited, other = socket.socketpair()
    with inherited, other:
        inherited.set_inheritable(True)
        async with running(memory_limit=limit) as engine:
            seen = (await Runner(engine)("look_around")).metadata
    names = set(seen["environment"])
    assert not [name for name in names if name.startswith(("QUANTCLOUD_", "AWS_"))]
    assert "secret" not in seen["environment"].values()
    assert {"PATH", "LC_TIME"} <= names
    assert seen["environment"]["OMP_NUM_THREADS"] == "1"
    # The standard streams, two sockets, and the folder that the probe lists.
    assert len(seen["descriptors"]) == 6
    assert seen["streams"] == ["/dev/null"] * 3
    assert seen["folder"] == "/"
    limits = seen["limits"]
    assert (limits["RLIMIT_CORE"], limits["RLIMIT_FSIZE"], limits["RLIMIT_NOFILE"]) == (0, 0, 64)
    assert limit < limits["RLIMIT_DATA"] < limit + (200 << 20)
    status = dict(line.split(":\t", 1) for line in seen["status"].splitlines())
    assert status["NoNewPrivs"] == "1"
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
    assert status["Threads"] == "1"


@pytest.mark.skipif(
    landlock.abi_version() == 0 or not seccomp.is_supported(),
    reason="this kernel has no Landlock or this machine no seccomp filter",
)
async def test_a_worker_can_do_only_what_is_allowed(site):
    async with running(hidden=[site / "hidden"]) as engine:
        attempts = (await Runner(engine)("break_out")).metadata["attempts"]
    done = {name for name, result in attempts.items() if result == "done"}
    assert done == ALLOWED
    # So Python tells of a limit that may not be set.
    assert {attempts.pop(name) for name in ("raise the limit", "more memory")} == {"ValueError"}
    assert {result for result in attempts.values() if result != "done"} == {"PermissionError"}
    assert (site / "visible.txt").read_text() == "visible"


@pytest.mark.skipif(not seccomp.is_supported(), reason="this machine has no seccomp filter")
@pytest.mark.parametrize(
    ("environment", "result"),
    [
        ({"PROBE_GPU": "1"}, "done"),
        ({"PROBE_GPU": "1", "CUDA_VISIBLE_DEVICES": ""}, "PermissionError"),
        ({"CUDA_VISIBLE_DEVICES": "0"}, "PermissionError"),
    ],
)
async def test_workers_share_memory_only_if_they_have_a_gpu(environment, result):
    async with running(environment=environment) as engine:
        attempts = (await Runner(engine)("break_out")).metadata["attempts"]
    assert attempts["share memory"] == result


async def test_jobs_wait_for_their_own_imports_only(site):
    gate = site / "gate"
    os.mkfifo(gate)
    # Opening a FIFO waits for the other end.
    (site / "slow_import.py").write_text(f"open({str(gate)!r}).close()\n")
    steps = {"probe": ["colorsys"], "slow": ["slow_import"]}
    async with running(workers=2, preload_modules=steps) as engine:
        run = Runner(engine)
        slow = asyncio.ensure_future(run("tell_modules", backend="slow"))
        # The first import is done when this has run. The second cannot be done yet.
        modules = (await run("tell_modules")).metadata["modules"]
        assert "colorsys" in modules
        assert "slow_import" not in modules
        # Cancelling does not wait for an import either.
        task = await run.begin("loop_in_c")
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert (await engine.examine(BELL + " " * 10_000)).analysis.num_qubits == 2
        assert not slow.done()
        await asyncio.to_thread(lambda: gate.open("w").close())
        assert "slow_import" in (await slow).metadata["modules"]
        # Then every slot has a worker with all imports.
        both = await asyncio.gather(run("tell_modules"), run("tell_modules"))
        assert all("slow_import" in outcome.metadata["modules"] for outcome in both)
    gate.unlink()


async def test_first_circuit_on_a_warm_worker_imports_nothing():
    bell = 'include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q -> c;'
    backends = installed_backends()
    async with running(preload_modules=None, memory_limit=1 << 30) as engine:
        run = Runner(engine)
        for name in reversed(preload.MODULES):
            # Wait for the imports of this backend, and so of all before it.
            await engine._supervisor.until_preloaded(name)
            before = (await run("tell_modules")).metadata
            (method, *_) = backends[name].methods(examine(bell), 1024, RunOptions())
            outcome = await run(method.name, qasm=bell, backend=name, shots=1024)
            after = (await run("tell_modules")).metadata
            assert sum(outcome.counts.values()) == 1024
            assert set(outcome.counts) == {"00", "11"}
            assert after["pid"] == before["pid"]
            assert set(after["modules"]) - set(before["modules"]) == set()
        # A fork copies only one thread, so there must be no other.
        assert len(threads(engine._supervisor._process.pid)) == 1


async def test_a_failed_import_is_logged_and_affects_no_other_backend(caplog):
    steps = {"slow": ["no_such_module"], "probe": ["colorsys"]}
    async with running(preload_modules=steps) as engine:
        run = Runner(engine)
        assert "colorsys" in (await run("tell_modules")).metadata["modules"]
        assert (await run("succeed", backend="slow")).counts
    assert "imports for backend slow failed" in caplog.text
    assert "No module named 'no_such_module'" in caplog.text


async def test_a_fork_server_that_dies_is_restarted(caplog):
    async with running() as engine:
        run = Runner(engine)
        task = await run.begin("loop_in_c")
        ends = Ends(processes(engine))
        os.kill(engine._supervisor._process.pid, signal.SIGKILL)
        with pytest.raises(MachineLost, match="ended from outside during the run"):
            await task
        assert await asyncio.to_thread(ends.wait)
        assert (await run("succeed")).counts
        assert (await engine.examine(BELL + " " * 10_000)).analysis.num_qubits == 2
    assert "the fork server ended with status -9" in caplog.text


async def test_a_run_is_not_blamed_if_its_fork_server_died_right_after_its_worker():
    async with running() as engine:
        task = await Runner(engine).begin("loop_in_c")
        fork_server = engine._supervisor._process.pid
        (worker,) = (each for each in engine._supervisor._workers.values() if not each.idle)
        os.kill(fork_server, signal.SIGSTOP)
        os.kill(worker.pid, signal.SIGKILL)
        while not worker._hung_up:  # noqa: ASYNC110 (no event tells of it)
            await asyncio.sleep(0)
        os.kill(fork_server, signal.SIGKILL)
        with pytest.raises(MachineLost, match="ended from outside during the run"):
            await task


async def test_stop_ends_runs_and_all_processes(capfd):
    engine = LocalEngine(workers=2, preload_modules={})
    await engine.start()
    run = Runner(engine)
    tasks = [await run.begin("loop_in_c"), await run.begin("loop_in_c")]
    waiting = asyncio.ensure_future(run("succeed"))
    await asyncio.sleep(0)
    fork_server, *_ = pids = processes(engine)
    ends = Ends(pids)
    await engine.stop()
    assert await asyncio.to_thread(ends.wait)
    for task in (*tasks, waiting):
        with pytest.raises(WorkerLost, match="the server stopped"):
            await task
    with pytest.raises(WorkerLost, match="the server stopped"):
        await run("succeed")
    await engine.stop()
    with pytest.raises(ChildProcessError):
        os.waitpid(fork_server, os.WNOHANG)  # noqa: ASYNC222 (does not wait)
    assert capfd.readouterr() == ("", "")


async def test_stop_while_importing(site):
    gate = site / "closed_gate"
    os.mkfifo(gate)
    (site / "endless_import.py").write_text(f"open({str(gate)!r}).close()\n")
    async with running(preload_modules={"slow": ["endless_import"]}) as engine:
        await Runner(engine)("succeed")
        ends = Ends(processes(engine))
    assert await asyncio.to_thread(ends.wait)


async def test_stop_without_start():
    await LocalEngine(workers=1, preload_modules={}).stop()


async def test_number_of_workers_is_checked():
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        LocalEngine(workers=0)


async def test_unknown_backend_fails_only_its_run():
    async with running() as engine:
        with pytest.raises(ExecutionFailed, match="there is no backend 'missing'"):
            await Runner(engine)("succeed", backend="missing")


@pytest.fixture
def server(site):
    """A server process with a run that never ends, and a watch for the end of its processes."""
    process = subprocess.Popen(
        [sys.executable, "-X", "dev", str(DRIVER), "2", str(site), *sys.path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            pids = [int(word) for word in process.stdout.readline().split()]
            assert len(pids) == 6  # fork server, two workers, three examiners
            yield process, Ends(pids)
        finally:
            process.kill()


def test_a_killed_server_leaves_no_process(server):
    process, ends = server
    process.kill()
    assert ends.wait()
    assert process.stderr.read() == ""


def test_interrupt_from_the_terminal_ends_all_quietly(server):
    process, ends = server
    os.killpg(process.pid, signal.SIGINT)
    assert ends.wait()
    out, err = process.communicate(timeout=DEADLINE)
    assert (out, err) == ("stopped\n", "")


def test_serving_process_imports_no_simulator():
    program = "import sys, quantcloud.engine.local; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    heavy = {"numpy", "qiskit", "qiskit_aer", "cirq", "qsimcirq", "stim", "pennylane"}
    assert not heavy & set(done.stdout.split())


async def test_without_a_fork_server_no_run_can_start(monkeypatch):
    monkeypatch.setattr(supervisor, "_FIRST_DELAY", 0.2)
    async with running() as engine:
        assert engine.trouble is None
        async with asyncio.timeout(DEADLINE):
            os.kill(engine._supervisor._process.pid, signal.SIGKILL)
            while engine.trouble is None:  # noqa: ASYNC110  # no event tells of it
                await asyncio.sleep(0)
            assert engine.trouble == "no worker can be started"
            while engine.trouble is not None:  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.01)
