"""When the system cannot start a process or open a file, calls keep waiting."""

import asyncio
import os
import resource
import signal
from contextlib import ExitStack
from pathlib import Path

import pytest

from quantcloud.engine.pool import messages
from quantcloud.engine.pool.call import Call
from quantcloud.engine.pool.control import Role
from quantcloud.engine.pool.messages import Frame
from quantcloud.engine.pool.slots import Slots
from quantcloud.engine.pool.supervisor import ForkFailed
from unit.engine.harness import DEADLINE, Runner, running
from unit.engine.puppet import Puppet


class Forks:
    """A fork server that a test controls."""

    preloaded = 0
    is_warm = True

    def __init__(self):
        self.orders = asyncio.Queue()

    def fork(self, _role):
        order = asyncio.get_running_loop().create_future()
        self.orders.put_nowait(order)
        return order

    async def refuse(self):
        async with asyncio.timeout(DEADLINE):
            order = await self.orders.get()
        order.set_exception(ForkFailed("no process for a worker"))
        await asyncio.sleep(0)


@pytest.fixture
def forks():
    return Forks()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr("quantcloud.engine.pool.slots._FIRST_PAUSE", 0.001)
    monkeypatch.setattr("quantcloud.engine.pool.slots._LONGEST_PAUSE", 0.002)


def submitted(slots, count):
    calls = [Call(Frame(messages.EXECUTE, b"1"), time_limit=DEADLINE) for _ in range(count)]
    for call in calls:
        slots.submit(call)
    return calls


async def test_waiting_calls_run_when_processes_are_available_again(forks):
    slots = Slots(forks, Role.EXECUTION, 1, max_wait=DEADLINE)
    calls = submitted(slots, 3)
    for _ in range(5):
        await forks.refuse()
    assert not any(call.answer.done() for call in calls)
    puppet = Puppet()
    (await forks.orders.get()).set_result(puppet.worker)
    puppet.say(messages.READY)
    for call in calls:
        await puppet.begin()
        puppet.say(messages.OUTCOME)
        assert (await call.answer).kind == messages.OUTCOME
    puppet.end()


async def test_several_refusals_at_once_cause_one_pause(forks):
    slots = Slots(forks, Role.EXECUTION, 2, max_wait=DEADLINE)
    slots._pause = DEADLINE
    submitted(slots, 2)
    slots.dispatch()
    await forks.refuse()
    await forks.refuse()
    assert slots.pausing
    # A new call meanwhile does not order another worker either.
    submitted(slots, 1)
    assert forks.orders.empty()
    slots.close(RuntimeError("closed"))
    assert not slots.pausing


async def test_a_worker_is_kept_while_no_other_can_be_started(forks):
    slots = Slots(forks, Role.EXECUTION, 2, max_wait=DEADLINE)
    slots._pause = DEADLINE
    calls = submitted(slots, 2)
    slots.dispatch()
    puppet = Puppet()
    (await forks.orders.get()).set_result(puppet.worker)
    puppet.say(messages.READY)
    await forks.refuse()
    for call in calls:
        await puppet.begin()
        puppet.say(messages.OUTCOME)
        await call.answer
    assert slots.pausing
    slots.renew_idle()
    assert puppet.worker.alive
    puppet.end()
    slots.close(RuntimeError("closed"))


async def test_a_run_that_waits_long_for_a_new_worker_takes_a_used_one(forks):
    slots = Slots(forks, Role.EXECUTION, 1, max_wait=DEADLINE)
    (first,) = submitted(slots, 1)
    puppet = Puppet()
    (await forks.orders.get()).set_result(puppet.worker)
    puppet.say(messages.READY)
    await puppet.begin()
    fresh = Call(Frame(messages.EXECUTE, b"2"), time_limit=DEADLINE, fresh=True)
    slots.submit(fresh)
    fresh.made -= DEADLINE
    puppet.say(messages.OUTCOME)
    await first.answer
    assert await puppet.begin() == b"2"
    puppet.say(messages.OUTCOME)
    await fresh.answer
    puppet.end()


async def test_a_call_that_waited_too_long_fails_and_a_newer_one_waits(forks):
    slots = Slots(forks, Role.EXECUTION, 1, max_wait=DEADLINE)
    early, late = submitted(slots, 2)
    await forks.refuse()
    slots._short_since -= DEADLINE
    early.made -= DEADLINE
    await forks.refuse()
    with pytest.raises(ForkFailed):
        await early.answer
    assert not late.answer.done()
    slots.close(RuntimeError("closed"))


async def test_calls_wait_for_a_remaining_worker(forks):
    slots = Slots(forks, Role.EXECUTION, 2, max_wait=0)
    first, second = submitted(slots, 2)
    puppet = Puppet()
    (await forks.orders.get()).set_result(puppet.worker)
    await forks.refuse()
    await forks.refuse()
    assert not second.answer.done()
    puppet.say(messages.READY)
    for call in (first, second):
        await puppet.begin()
        puppet.say(messages.OUTCOME)
        await call.answer
    puppet.end()


async def test_a_call_that_suits_no_present_worker_fails_in_time(forks, puppet):
    slots = Slots(forks, Role.EXECUTION, 2, max_wait=0)
    (first,) = submitted(slots, 1)
    (await forks.orders.get()).set_result(puppet.worker)
    await puppet.begin()
    later = Call(Frame(messages.EXECUTE, b"2"), time_limit=DEADLINE, preloaded=1)
    slots.submit(later)
    (suited,) = submitted(slots, 1)
    await forks.refuse()
    with pytest.raises(ForkFailed):
        async with asyncio.timeout(DEADLINE):
            await later.answer
    puppet.say(messages.OUTCOME)
    await first.answer
    await puppet.begin()
    puppet.say(messages.OUTCOME)
    await suited.answer
    slots.close(RuntimeError("closed"))


async def test_slots_are_refilled_when_processes_are_available_even_without_calls(forks):
    slots = Slots(forks, Role.EXECUTION, 3, max_wait=DEADLINE)
    slots.renew_idle()
    for _ in range(5):
        await forks.refuse()
    with ExitStack() as ends:
        for _ in range(3):
            async with asyncio.timeout(DEADLINE):
                order = await forks.orders.get()
            puppet = Puppet()
            ends.callback(puppet.end)
            order.set_result(puppet.worker)
            await asyncio.sleep(0)
        assert all(slot.worker for slot in slots._slots)
        assert forks.orders.empty()
        slots.close(RuntimeError("closed"))


async def test_a_worker_whose_sockets_did_not_all_arrive_is_replaced():
    async with running() as engine:
        run = Runner(engine)
        pid = await run.pid()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        tried = asyncio.Event()
        fork = engine._supervisor.fork

        def counted(role):
            order = fork(role)
            order.add_done_callback(lambda _: tried.set())
            return order

        engine._supervisor.fork = counted
        # A lower limit closes no file. With one number free below it, one of three sockets fits.
        free = os.open(os.devnull, os.O_RDONLY)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, hard))
        try:
            os.kill(pid, signal.SIGKILL)
            waiting = asyncio.ensure_future(run("succeed"))
            async with asyncio.timeout(DEADLINE):
                await tried.wait()
            assert not waiting.done()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert (await waiting).metadata["pid"] != pid
        # No worker without an owner is left.
        workers = engine._supervisor._workers
        assert len(workers) == 1 + 3
        assert {worker.pid for worker in workers.values()} == set(children(engine))


async def test_a_worker_that_could_not_be_started_is_there_before_the_next_run(caplog):
    async with running() as engine:
        pid = await Runner(engine).pid()
        (slot,) = engine._executions._slots
        fork_server = engine._supervisor._process.pid
        limits = resource.prlimit(fork_server, resource.RLIMIT_NOFILE)
        resource.prlimit(fork_server, resource.RLIMIT_NOFILE, (0, limits[1]))
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(DEADLINE):
            while not engine._executions.pausing:  # noqa: ASYNC110 (no event tells of it)
                await asyncio.sleep(0)
            resource.prlimit(fork_server, resource.RLIMIT_NOFILE, limits)
            while slot.worker is None:  # noqa: ASYNC110 (no event tells of it)
                await asyncio.sleep(0)
        assert slot.worker.pid != pid
    assert "workers are missing: no process for a worker: Too many open files" in caplog.text


def children(engine):
    pid = engine._supervisor._process.pid
    return map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
