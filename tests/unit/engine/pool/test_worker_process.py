"""The server's side of a worker, against a worker that a test controls step by step."""

import asyncio

import pytest

from quantcloud.engine.pool import messages, start_tokens
from quantcloud.engine.pool.call import TimeLimitReached, WorkerEnded
from quantcloud.engine.pool.messages import Frame
from unit.engine.harness import DEADLINE
from unit.engine.puppet import Puppet, call, ended, given, ready


async def test_calls_that_were_read_but_not_started_are_returned_in_order(puppet):
    first, second, third = await given(puppet, b"1", b"2", b"3")
    assert await puppet.begin() == b"1"
    assert [await puppet.read(), await puppet.read()] == [b"2", b"3"]
    puppet.die()
    with pytest.raises(WorkerEnded):
        await first.answer
    assert puppet.back == [second, third]
    assert not second.answer.done()
    assert not third.answer.done()


async def test_a_call_that_an_idle_worker_never_read_is_returned_and_fails_the_third_time(puppet):
    (only,) = await given(puppet, b"1")
    puppet.die()
    await ended(puppet)
    assert puppet.back == [only]
    for _ in range(2):
        assert not only.answer.done()
        another = Puppet()
        another.say(messages.READY)
        await ready(another)
        another.worker.take(only)
        another.die()
        await ended(another)
        another.end()
    with pytest.raises(WorkerEnded):
        await only.answer


async def test_a_dead_workers_answers_count_and_its_started_call_is_lost(puppet):
    first, second, third = await given(puppet, b"1", b"2", b"3")
    await puppet.begin()
    puppet.say(messages.OUTCOME, b"one")
    await puppet.begin()
    puppet.die()
    # The failed write to the worker does not lose its answers either.
    late = call(b"4")
    puppet.worker.take(late)
    puppet.worker._connection.flush()
    assert await first.answer == Frame(messages.OUTCOME, b"one")
    with pytest.raises(WorkerEnded):
        await second.answer
    assert puppet.back == [third, late]


async def test_the_start_is_reported_when_the_previous_answer_came(puppet):
    starts = []
    (first,) = await given(puppet, b"1", on_start=lambda: starts.append(1))
    await given(puppet, b"2", on_start=lambda: starts.append(2))
    assert starts == [1]
    await puppet.begin()
    puppet.say(messages.OUTCOME)
    await first.answer
    assert starts == [1, 2]


async def test_calls_behind_an_overdue_run_are_taken_back(puppet):
    first, second, third = await given(puppet, b"1", b"2", b"3")
    await puppet.begin()
    async with asyncio.timeout(DEADLINE):
        while not puppet.back:  # noqa: ASYNC110 (no event tells of it)
            await asyncio.sleep(0)
    assert puppet.back == [second, third]
    assert not start_tokens.take(puppet.reading)
    # The worker gets nothing more until it has dropped them.
    assert puppet.worker.wait_for(second) is None
    puppet.say(messages.OUTCOME)
    await first.answer
    for _ in range(2):
        assert puppet.worker.wait_for(second) is None
        await puppet.read()
        puppet.say(messages.NOT_BEGUN)
    while not puppet.worker.idle:  # noqa: ASYNC110 (no event tells of it)
        await asyncio.sleep(0)
    assert puppet.worker.wait_for(second) == 0
    puppet.worker.take(second)
    assert await puppet.begin() == b"2"
    puppet.say(messages.OUTCOME)
    await second.answer


async def test_the_time_limit_of_a_call_that_waited(puppet):
    first, second = [*await given(puppet, b"1"), *await given(puppet, b"2", time_limit=0.01)]
    await puppet.begin()
    puppet.say(messages.OUTCOME)
    await puppet.begin()
    await first.answer
    with pytest.raises(TimeLimitReached):
        await second.answer
    assert puppet.process.wait(DEADLINE) < 0


async def test_a_call_that_started_after_it_was_cancelled_is_soon_killed(puppet):
    _, second, third = await given(puppet, b"1", b"2", b"3")
    second.answer.cancel()
    puppet.worker.give_up(second)
    await puppet.begin()
    puppet.say(messages.OUTCOME)
    await puppet.begin()
    async with asyncio.timeout(DEADLINE):
        while puppet.worker.alive:  # noqa: ASYNC110 (no event tells of it)
            await asyncio.sleep(0)
    assert puppet.back == [third]


async def unread(puppet):
    """Give calls of which the worker answered two, the second unread, and started a third.

    Nothing is read before the test yields. The returned calls begin with the second.
    """
    calls = await given(puppet, b"1", b"2", b"3", b"4")
    for _ in range(3):
        await puppet.begin()
    puppet.say(messages.OUTCOME)
    await calls[0].answer
    puppet.say(messages.OUTCOME)
    assert not calls[1].answer.done()
    return calls[1:]


async def test_unread_answers_survive_their_worker(puppet):
    calls = await unread(puppet)
    puppet.die()
    while not puppet.worker._hung_up:
        puppet.worker._connection.catch_up()
        await asyncio.sleep(0)
    assert await calls[0].answer == Frame(messages.OUTCOME, b"")
    with pytest.raises(WorkerEnded):
        await calls[1].answer
    assert puppet.back == calls[2:]


async def test_cancelling_a_call_just_answered_affects_no_other(puppet):
    calls = await given(puppet, b"1", b"2")
    await puppet.begin()
    puppet.say(messages.OUTCOME)
    # The event loop has not read the answer, and the worker may be running the other call.
    puppet.worker.give_up(calls[0])
    assert calls[0].answer.done()
    assert puppet.worker.alive


async def test_cancelling_a_call_with_an_unread_answer_affects_no_other(puppet):
    calls = await unread(puppet)
    puppet.worker.give_up(calls[0])
    assert calls[0].answer.done()
    assert puppet.worker.alive


async def test_cancelling_the_running_call_behind_an_unread_answer_kills_the_worker(puppet):
    calls = await unread(puppet)
    calls[1].answer.cancel()
    puppet.worker.give_up(calls[1])
    assert not puppet.worker.alive
    assert calls[0].answer.result() == Frame(messages.OUTCOME, b"")
    assert puppet.back == calls[2:]


async def test_an_answer_in_time_that_was_not_read_is_not_late(puppet):
    calls = await unread(puppet)
    puppet.worker._due = 0
    puppet.worker._on_timer()
    assert calls[0].answer.result() == Frame(messages.OUTCOME, b"")
    assert puppet.worker.alive


async def test_a_call_started_behind_a_killed_run_is_innocent(puppet):
    first, second, third = await given(puppet, b"1", b"2", b"3")
    await puppet.begin()
    await puppet.begin()
    first.answer.cancel()
    puppet.worker.give_up(first)
    puppet.die()
    with pytest.raises(WorkerEnded) as lost:
        await second.answer
    assert lost.value.innocent
    assert puppet.back == [third]


async def test_a_call_started_when_its_worker_ends_by_itself_is_not_innocent(puppet):
    (only,) = await given(puppet, b"1")
    await puppet.begin()
    puppet.die()
    with pytest.raises(WorkerEnded) as lost:
        await only.answer
    assert not lost.value.innocent
