"""Waits that share one timer."""

import asyncio

import pytest

from quantcloud.aio.deadlines import Deadlines


async def _answer(value: object) -> object:
    return value


async def test_a_result_in_time_is_returned():
    deadlines = Deadlines(60)
    assert await asyncio.gather(*(deadlines.wait(_answer(n)) for n in range(100))) == [*range(100)]


async def test_each_wait_times_out_after_its_own_start():
    deadlines = Deadlines(0.05)
    loop = asyncio.get_running_loop()
    never, later = loop.create_future(), asyncio.Event()

    async def wait() -> float:
        began = loop.time()
        with pytest.raises(TimeoutError):
            await deadlines.wait(asyncio.shield(never))
        return loop.time() - began

    async with asyncio.timeout(10):
        first = [asyncio.ensure_future(wait()) for _ in range(10)]
        loop.call_later(0.02, later.set)
        await later.wait()
        # This wait times out later than the time for which the timer is set.
        lasted = await asyncio.gather(*first, wait())
        assert all(seconds >= 0.05 for seconds in lasted)
        # A new wait starts when no other is in progress.
        assert await wait() >= 0.05
    assert await deadlines.wait(_answer(1)) == 1


async def test_a_cancelled_task_is_cancelled():
    deadlines = Deadlines(60)
    waiting = asyncio.ensure_future(deadlines.wait(asyncio.get_running_loop().create_future()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_wait_that_is_cancelled_as_it_times_out_is_cancelled():
    deadlines = Deadlines(0.01)
    never = asyncio.get_running_loop().create_future()

    async def wait() -> None:
        try:
            await deadlines.wait(never)
        finally:
            ended.set()

    ended = asyncio.Event()
    waiting = asyncio.ensure_future(wait())
    # The wait times out at the same time, before the task runs again.
    never.add_done_callback(lambda _: waiting.cancel())
    await ended.wait()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_suppressed_timeout_leaves_no_cancellation():
    deadlines = Deadlines(0.01)

    async def answer_anyway() -> int:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            return 1

    assert await deadlines.wait(answer_anyway()) == 1
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_an_error_is_raised_unchanged():
    async def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await Deadlines(60).wait(fail())
