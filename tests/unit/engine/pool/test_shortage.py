"""Where the system has no process or no open file to give, what waits goes on waiting."""

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
    """A fork server that does as a test says."""

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


async def test_what_waits_is_run_when_there_are_processes_again(forks):
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


async def test_several_that_are_refused_at_once_make_one_pause(forks):
    slots = Slots(forks, Role.EXECUTION, 2, max_wait=DEADLINE)
    slots._pause = DEADLINE
    submitted(slots, 2)
    slots.dispatch()
    await forks.refuse()
    await forks.refuse()
    assert slots.pausing
    # Nor does whoever comes meanwhile ask for more.
    submitted(slots, 1)
    assert forks.orders.empty()
    slots.close(RuntimeError("closed"))
    assert not slots.pausing


async def test_a_worker_that_is_there_stays_while_no_other_is_to_be_had(forks):
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


async def test_a_run_that_wants_a_new_worker_takes_another_in_the_end(forks):
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


async def test_what_has_waited_too_long_is_told_why_and_a_later_one_is_not(forks):
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


async def test_one_worker_that_is_left_is_enough_to_wait_for(forks):
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


async def test_what_no_worker_that_is_there_suits_does_not_wait_for_ever(forks, puppet):
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


async def test_places_are_filled_again_when_there_are_processes_though_nothing_waits(forks):
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


async def test_a_worker_of_which_not_all_came_is_ended_and_another_had():
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
        # A lower limit closes nothing; with one number free below it, one of three comes.
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
        # Nobody's worker is left.
        workers = engine._supervisor._workers
        assert len(workers) == 1 + 3
        assert {worker.pid for worker in workers.values()} == set(children(engine))


async def test_a_worker_that_could_not_be_had_is_there_before_the_next_run(caplog):
    async with running() as engine:
        pid = await Runner(engine).pid()
        (slot,) = engine._executions._slots
        fork_server = engine._supervisor._process.pid
        limits = resource.prlimit(fork_server, resource.RLIMIT_NOFILE)
        resource.prlimit(fork_server, resource.RLIMIT_NOFILE, (0, limits[1]))
        os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(DEADLINE):
            while not engine._executions.pausing:  # noqa: ASYNC110 (nobody else is told)
                await asyncio.sleep(0)
            resource.prlimit(fork_server, resource.RLIMIT_NOFILE, limits)
            while slot.worker is None:  # noqa: ASYNC110 (nor of that)
                await asyncio.sleep(0)
        assert slot.worker.pid != pid
    assert "workers are missing: no process for a worker: Too many open files" in caplog.text


def children(engine):
    pid = engine._supervisor._process.pid
    return map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
