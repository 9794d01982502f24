"""Runs on backends that a worker must prepare first."""

import asyncio
import os

import pytest

from quantcloud.engine.base import ExecutionFailed
from quantcloud.engine.pool import messages
from quantcloud.engine.pool.call import Call, NotPrepared, TimeLimitReached
from quantcloud.engine.pool.messages import Frame, MalformedAnswer
from unit.engine.harness import DEADLINE, Runner, has_unstarted_calls, running
from unit.engine.puppet import ready


async def prepared(puppet, **arguments):
    """Return a call whose backend the worker is preparing."""
    request = Frame(messages.PREPARE_AND_EXECUTE, b"1")
    only = Call(request, **{"time_limit": DEADLINE, **arguments})
    await ready(puppet)
    puppet.worker.take(only)
    await puppet.begin()
    return only


async def test_a_run_starts_and_its_time_counts_when_its_backend_is_prepared(puppet):
    starts = []
    only = await prepared(puppet, time_limit=0.01, on_start=lambda: starts.append(1))
    puppet.worker._on_timer()
    assert starts == []
    assert puppet.worker._due > puppet.worker._began + 1
    puppet.say(messages.PREPARED)
    with pytest.raises(TimeLimitReached):
        await only.answer
    assert starts == [1]


async def test_a_worker_that_never_prepares_the_backend_is_killed(puppet):
    only = await prepared(puppet)
    puppet.worker._due = 0
    puppet.worker._on_timer()
    with pytest.raises(NotPrepared):
        await only.answer
    assert not puppet.worker.alive


async def test_a_run_whose_backend_is_never_prepared_fails_without_starting(site, monkeypatch):
    gate = site / "prepare"
    begun = asyncio.Event()
    async with running() as engine:
        run = Runner(engine)
        await run("succeed")
        os.mkfifo(gate)
        monkeypatch.setattr("quantcloud.engine.pool.worker_process.START_LIMIT", 0.1)
        execution = run.execution("succeed", backend="slow")
        with pytest.raises(ExecutionFailed, match="its backend could not be prepared within"):
            await engine.execute(execution, time_limit=DEADLINE, on_start=begun.set)
        gate.unlink()
        monkeypatch.undo()
        assert not begun.is_set()
        assert (await run("succeed", backend="slow")).counts


async def test_a_backend_is_not_prepared_twice(puppet):
    only = await prepared(puppet)
    puppet.say(messages.PREPARED)
    puppet.say(messages.PREPARED)
    with pytest.raises(MalformedAnswer):
        await only.answer


async def test_a_run_starts_when_its_backend_is_prepared(site):
    gate = site / "prepare"
    os.mkfifo(gate)
    async with running() as engine:
        begun = asyncio.Event()
        task = asyncio.ensure_future(
            engine.execute(Runner.execution("succeed"), time_limit=DEADLINE, on_start=begun.set)
        )
        workers = engine._supervisor._workers.values()

        def is_at_work(worker):
            return worker.ready and not worker.idle and not has_unstarted_calls(worker)

        while not any(map(is_at_work, workers)):  # noqa: ASYNC110 (no event tells of it)
            await asyncio.sleep(0)
        assert not begun.is_set()
        # Opening a FIFO waits for the other end.
        await asyncio.to_thread(lambda: gate.open("w").close())
        assert (await task).counts
        assert begun.is_set()
        gate.unlink()
        assert (await Runner(engine)("succeed")).counts
