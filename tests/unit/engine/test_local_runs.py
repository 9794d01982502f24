"""Runs and analyses on the engine of one machine, with real processes."""

import asyncio
import os
import signal

import pytest
import pytest_asyncio

from quantcloud.aio import offload
from quantcloud.domain.errors import CircuitError, InvalidArgument
from quantcloud.engine import local
from quantcloud.engine.base import ExecutionFailed, ExecutionTimedOut, OutOfMemory, WorkerLost
from quantcloud.engine.examining import examination_cost
from quantcloud.openqasm import parse
from unit.engine.harness import BELL, DEADLINE, Ends, Runner, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

MEMORY_LIMIT = 256 << 20


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def single():
    """A runner on an engine with one worker."""
    async with running(memory_limit=MEMORY_LIMIT) as engine:
        yield Runner(engine)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def double():
    """A runner on an engine with two workers."""
    async with running(workers=2) as engine:
        yield Runner(engine)


async def test_outcome_of_a_run(single):
    outcome = await single("succeed", shots=24)
    assert outcome.counts == {"00": 24}
    assert outcome.execution_time_ms == 1.5
    assert outcome.metadata["qubits"] == 2
    assert outcome.statevector is None
    assert outcome.memory is None
    assert outcome.metadata["pid"] != os.getpid()


async def test_large_outcome(single):
    outcome = await single("give_many")
    assert len(outcome.counts) == 100_000
    assert outcome.counts["00000000000000001000"] == 2
    assert outcome.statevector.real == (0.1,) * 65_536
    assert outcome.statevector.imag == (float("-inf"),) * 65_536
    assert outcome.memory[99_999] == f"{99_999:020b}"


async def test_outcome_of_a_circuit_without_bits(single):
    outcome = await single("give_nothing", shots=3)
    assert outcome.counts == {"": 3}
    assert outcome.memory == ("", "", "")


async def test_the_start_is_reported_once_and_before_the_outcome(single):
    events = []
    await single.engine.execute(
        single.execution("succeed"),
        time_limit=DEADLINE,
        on_start=lambda: events.append("start"),
    )
    events.append("outcome")
    assert events == ["start", "outcome"]


async def test_two_runs_at_once(double):
    first = await double.begin("loop_in_c")
    second = await double.begin("loop_in_c")
    assert not first.done()
    for task in (first, second):
        task.cancel()
    await asyncio.gather(first, second, return_exceptions=True)


async def test_slots(single, double):
    assert (single.engine.slots, double.engine.slots) == (1, 2)


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("raise_exit", "SystemExit: enough"),
        ("recurse", "RecursionError: maximum recursion depth exceeded"),
        ("give_unencodable", "TypeError: Object of type object is not JSON serializable"),
    ],
)
async def test_any_error_of_a_backend_fails_its_run(single, method, message):
    pid = await single.pid()
    with pytest.raises(ExecutionFailed, match=message):
        await single(method)
    assert await single.pid() == pid


async def test_the_message_of_a_failure_is_short_and_shows_no_path(single):
    with pytest.raises(ExecutionFailed) as caught:
        await single("raise_error")
    assert str(caught.value).startswith("cannot open secret.db [31m xxx")
    assert len(str(caught.value)) == 500


async def test_unknown_backend_and_unreadable_circuit(single):
    with pytest.raises(ExecutionFailed, match="no backend 'nothing'"):
        await single("succeed", backend="nothing")
    with pytest.raises(ExecutionFailed, match="line 1, column"):
        await single("succeed", qasm="qreg q[;")


async def test_time_limit_stops_a_run(single):
    ends = Ends([await single.pid()])
    with pytest.raises(ExecutionTimedOut, match=r"time limit of 0\.1 s"):
        await single("loop_in_c", limit=0.1)
    assert await asyncio.to_thread(ends.wait)
    assert (await single("succeed")).counts


async def test_time_limit_counts_from_the_start(single):
    first = await single.begin("last_a_while")
    second = asyncio.ensure_future(single("succeed", limit=0.2))
    await first
    assert (await second).counts


async def test_cancelling_a_run_frees_its_slot(single):
    ends = Ends([await single.pid()])
    task = await single.begin("loop_in_c")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(ends.wait)
    assert (await single("succeed")).counts


async def test_cancelling_a_waiting_run_affects_no_other(single):
    first = await single.begin("last_a_while")
    second = asyncio.ensure_future(single("succeed"))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    assert (await first).counts


async def test_cancelling_one_run_affects_no_other(double):
    first = await double.begin("last_a_while")
    second = await double.begin("loop_in_c")
    second.cancel()
    assert (await first).counts


@pytest.mark.parametrize(
    ("method", "cause"),
    [
        ("crash", "by SIGSEGV; it may have needed more memory than the"),
        ("leave", "with exit status 3"),
    ],
)
async def test_the_death_of_a_worker_ends_only_its_run(double, method, cause):
    other = await double.begin("last_a_while")
    with pytest.raises(WorkerLost, match=f"ended during the run {cause}"):
        await double(method)
    assert (await other).counts
    assert (await double("succeed")).counts


async def test_killed_worker(single):
    pid = await single.pid()
    task = await single.begin("loop_in_c")
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(WorkerLost, match="by SIGKILL"):
        await task
    assert await single.pid() != pid


async def test_worker_killed_while_idle_is_replaced(single):
    pid = await single.pid()
    os.kill(pid, signal.SIGKILL)
    assert await single.pid() != pid


async def test_workers_ignore_signals_for_the_server(single):
    pid = await single.pid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, number)
    assert await single.pid() == pid


@pytest.mark.parametrize("method", ["eat_memory", "say_out_of_memory"])
async def test_memory_limit(single, method):
    with pytest.raises(OutOfMemory, match="more memory than the 256 MiB"):
        await single(method)
    # The memory that the run held is freed with its worker.
    assert (await single("succeed")).counts


async def test_a_run_may_use_what_it_reserves(monkeypatch):
    """A worker may use 128 MiB, a run that reserves more up to 512 MiB."""
    monkeypatch.setattr(local, "default_memory_limit", lambda workers: (512 << 20) // workers)
    async with running(workers=4) as engine:
        assert engine.memory_limit == 512 << 20
        run = Runner(engine)
        with pytest.raises(OutOfMemory, match="more memory than the 128 MiB"):
            await run("take_much")
        await run("take_much", reserved=200 << 20)
        # The limit holds again for other runs.
        for _ in range(4):
            with pytest.raises(OutOfMemory, match="more memory than the 128 MiB"):
                await run("take_much")
        with pytest.raises(OutOfMemory, match="more memory than the 512 MiB"):
            await run("eat_memory", reserved=1 << 30)


async def test_memory_that_other_runs_left_does_not_fail_a_run(single):
    first = (await single("keep_much")).metadata["pid"]
    assert (await single("take_much")).metadata["pid"] != first


async def test_a_run_retried_on_a_new_worker_keeps_its_time_limit(single):
    await single("keep_much")
    with pytest.raises(ExecutionTimedOut, match=r"time limit of 0\.5 s"):
        await single("take_much_late", limit=0.5)
    assert (await single("succeed")).counts


async def test_an_error_in_on_start_reaches_the_caller(single):
    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await single.engine.execute(
            single.execution("loop_in_c"), time_limit=DEADLINE, on_start=fail
        )
    assert (await single("succeed")).counts


async def test_examination_of_small_and_large_circuits_agrees(single):
    small = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; h q[0]; cx q[0],q[1];'
    large = small + "//" + " " * 10_000
    assert examination_cost(small) <= offload.BUDGET
    assert examination_cost(large) > offload.BUDGET
    here, elsewhere = [await single.engine.examine(source) for source in (small, large)]
    assert here.analysis == elsewhere.analysis
    # Only a circuit that was parsed in this process is returned.
    assert here.circuit == parse(small)
    assert elsewhere.circuit is None


async def test_examination_does_not_wait_for_runs(single):
    task = await single.begin("loop_in_c")
    analysis, _ = await single.engine.examine(BELL + " " * 10_000)
    assert analysis.num_qubits == 2
    assert not task.done()
    task.cancel()


@pytest.mark.parametrize("tail", ["", " " * 10_000], ids=["small", "large"])
async def test_an_error_in_a_circuit_keeps_its_position(single, tail):
    with pytest.raises(CircuitError) as caught:
        await single.engine.examine("OPENQASM 2.0;\nqreg q[2];\n  nonsense q[0];" + tail)
    error = caught.value
    assert (error.field, error.line, error.column) == ("qasm", 3, 3)
    assert error.message.startswith("qasm: line 3, column 3: ")
    assert error.reason == "INVALID_CIRCUIT"
    assert error.metadata["line"] == "3"


async def test_examination_has_a_time_limit():
    async with running(examination_limit=0.05) as engine:
        source = "OPENQASM 2.0; qreg q[1]; qreg r[1];" + "U(0.1,0.2,0.3) q; U(1,2,3) r;" * 200_000
        with pytest.raises(InvalidArgument, match=r"qasm: takes longer than 0\.05 seconds"):
            await engine.examine(source)
        assert (await engine.examine(BELL + " " * 10_000)).analysis.num_qubits == 2


@pytest.mark.parametrize(
    "source",
    [
        "qreg q[" + "1" * 5000 + "];",
        "gate a q { U(0,0,0) q; }",
        "qreg q[1000]; " + "U(0,0,0) q;" * 10,
        "qreg q[/*\n*/1000]; " + "U(0,0,0) q;" * 10,
        " " * 5000,
    ],
)
async def test_large_circuits_are_not_small(source):
    assert examination_cost(source) > offload.BUDGET


async def test_angles_do_not_make_a_circuit_large():
    source = "qreg q[2]; U(0.7853981633974483,-1.5e-05,.3333333333333) q[0];"
    assert examination_cost(source) <= offload.BUDGET
