"""Waits that are bounded together."""

import asyncio

import pytest

from quantcloud.aio.deadlines import Deadlines


async def _answer(value: object) -> object:
    return value


async def test_what_comes_in_time_is_given():
    patience = Deadlines(60)
    assert await asyncio.gather(*(patience.wait(_answer(n)) for n in range(100))) == [*range(100)]


async def test_each_wait_ends_in_its_own_time():
    patience = Deadlines(0.05)
    loop = asyncio.get_running_loop()
    never, later = loop.create_future(), asyncio.Event()

    async def wait() -> float:
        began = loop.time()
        with pytest.raises(TimeoutError):
            await patience.wait(asyncio.shield(never))
        return loop.time() - began

    async with asyncio.timeout(10):
        first = [asyncio.ensure_future(wait()) for _ in range(10)]
        loop.call_later(0.02, later.set)
        await later.wait()
        # Its end is another than that for which the timer is set.
        lasted = await asyncio.gather(*first, wait())
        assert all(seconds >= 0.05 for seconds in lasted)
        # Another begins once nobody waits.
        assert await wait() >= 0.05
    assert await patience.wait(_answer(1)) == 1


async def test_whoever_is_cancelled_meanwhile_is_cancelled():
    patience = Deadlines(60)
    waiting = asyncio.ensure_future(patience.wait(asyncio.get_running_loop().create_future()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_wait_that_is_cancelled_as_it_ends_is_cancelled():
    patience = Deadlines(0.01)
    never = asyncio.get_running_loop().create_future()

    async def wait() -> None:
        try:
            await patience.wait(never)
        finally:
            ended.set()

    ended = asyncio.Event()
    waiting = asyncio.ensure_future(wait())
    # At the same time as the patience ends, and before the task hears of it.
    never.add_done_callback(lambda _: waiting.cancel())
    await ended.wait()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_cancellation_that_became_something_else_is_taken_back():
    patience = Deadlines(0.01)

    async def answer_all_the_same() -> int:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            return 1

    assert await patience.wait(answer_all_the_same()) == 1
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_what_fails_fails_as_it_does():
    async def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await Deadlines(60).wait(fail())
