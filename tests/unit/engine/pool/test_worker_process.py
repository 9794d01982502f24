"""The server's side of a worker, against a worker that a test leads by the hand."""

import asyncio

import pytest

from quantcloud.engine.pool import messages, start_tokens
from quantcloud.engine.pool.call import TimeLimitReached, WorkerEnded
from quantcloud.engine.pool.messages import Frame
from quantcloud.engine.pool.worker_process import _GATHER_FROM
from unit.engine.harness import DEADLINE
from unit.engine.puppet import Puppet, call, ended, given, ready


async def test_what_was_read_but_not_begun_is_returned_in_order(puppet):
    first, second, third = await given(puppet, b"1", b"2", b"3")
    assert await puppet.begin() == b"1"
    assert [await puppet.read(), await puppet.read()] == [b"2", b"3"]
    puppet.die()
    with pytest.raises(WorkerEnded):
        await first.answer
    assert puppet.back == [second, third]
    assert not second.answer.done()
    assert not third.answer.done()


async def test_what_an_idle_worker_never_read_is_returned_and_lost_the_third_time(puppet):
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


async def test_answers_that_a_dead_worker_gave_count_and_what_it_had_begun_is_lost(puppet):
    first, second, third = await given(puppet, b"1", b"2", b"3")
    await puppet.begin()
    puppet.say(messages.OUTCOME, b"one")
    await puppet.begin()
    puppet.die()
    # Nor is what it said lost in the attempt to write to it.
    late = call(b"4")
    puppet.worker.take(late)
    puppet.worker._connection.flush()
    assert await first.answer == Frame(messages.OUTCOME, b"one")
    with pytest.raises(WorkerEnded):
        await second.answer
    assert puppet.back == [third, late]


async def test_start_is_told_when_the_answer_before_came(puppet):
    starts = []
    (first,) = await given(puppet, b"1", on_start=lambda: starts.append(1))
    await given(puppet, b"2", on_start=lambda: starts.append(2))
    assert starts == [1]
    await puppet.begin()
    puppet.say(messages.OUTCOME)
    await first.answer
    assert starts == [1, 2]


async def test_what_waits_behind_an_overdue_run_is_taken_back(puppet):
    first, second, third = await given(puppet, b"1", b"2", b"3")
    await puppet.begin()
    async with asyncio.timeout(DEADLINE):
        while not puppet.back:  # noqa: ASYNC110 (nobody else is told)
            await asyncio.sleep(0)
    assert puppet.back == [second, third]
    assert not start_tokens.take(puppet.reading)
    # Until the worker has dropped them it gets nothing more.
    assert puppet.worker.wait_for(second) is None
    puppet.say(messages.OUTCOME)
    await first.answer
    for _ in range(2):
        assert puppet.worker.wait_for(second) is None
        await puppet.read()
        puppet.say(messages.NOT_BEGUN)
    while not puppet.worker.idle:  # noqa: ASYNC110 (nobody else is told)
        await asyncio.sleep(0)
    assert puppet.worker.wait_for(second) == 0
    puppet.worker.take(second)
    assert await puppet.begin() == b"2"
    puppet.say(messages.OUTCOME)
    await second.answer


async def test_time_limit_of_one_that_waited(puppet):
    first, second = [*await given(puppet, b"1"), *await given(puppet, b"2", time_limit=0.01)]
    await puppet.begin()
    puppet.say(messages.OUTCOME)
    await puppet.begin()
    await first.answer
    with pytest.raises(TimeLimitReached):
        await second.answer
    assert puppet.process.wait(DEADLINE) < 0


async def test_one_that_was_begun_after_it_was_cancelled_has_little_time(puppet):
    _, second, third = await given(puppet, b"1", b"2", b"3")
    second.answer.cancel()
    puppet.worker.give_up(second)
    await puppet.begin()
    puppet.say(messages.OUTCOME)
    await puppet.begin()
    async with asyncio.timeout(DEADLINE):
        while puppet.worker.alive:  # noqa: ASYNC110 (nobody else is told)
            await asyncio.sleep(0)
    assert puppet.back == [third]


@pytest.fixture
async def gathered(puppet, monkeypatch):
    """Give calls of which the worker has answered two, the second unread, and begun a third.

    Nothing is read before `catch_up`. The calls are those from the second on.
    """
    monkeypatch.setattr("quantcloud.engine.pool.worker_process._SOON", 1e9)
    calls = await given(puppet, *(b"%d" % number for number in range(_GATHER_FROM + 1)))
    await puppet.begin()
    puppet.say(messages.OUTCOME)
    await calls[0].answer
    await puppet.begin()
    puppet.say(messages.OUTCOME)
    await puppet.begin()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not calls[1].answer.done()
    return calls[1:]


async def test_answers_that_gather_are_read_together(puppet, gathered):
    puppet.say(messages.OUTCOME)
    puppet.worker._connection.catch_up()
    assert [call.answer.done() for call in gathered[:3]] == [True, True, False]
    # The others are so few that each is read as it comes.
    for each in gathered[2:]:
        await puppet.begin()
        puppet.say(messages.OUTCOME)
        await each.answer


async def test_answers_that_gather_are_read_soon(puppet):
    calls = await given(puppet, *(b"%d" % number for number in range(_GATHER_FROM + 4)))
    for each in calls:
        await puppet.begin()
        puppet.say(messages.OUTCOME)
        async with asyncio.timeout(DEADLINE):
            await each.answer


async def test_answers_that_gather_survive_their_worker(puppet, gathered):
    puppet.die()
    while not puppet.worker._hung_up:
        puppet.worker._connection.catch_up()
        await asyncio.sleep(0)
    assert await gathered[0].answer == Frame(messages.OUTCOME, b"")
    with pytest.raises(WorkerEnded):
        await gathered[1].answer
    assert puppet.back == gathered[2:]


async def test_cancelling_what_was_answered_just_now_ends_no_other(puppet):
    calls = await given(puppet, b"1", b"2")
    await puppet.begin()
    puppet.say(messages.OUTCOME)
    # The event loop has not looked since, and the worker may be at work on the other.
    puppet.worker.give_up(calls[0])
    assert calls[0].answer.done()
    assert puppet.worker.alive


async def test_cancelling_what_was_answered_but_not_read_ends_no_other(puppet, gathered):
    puppet.worker.give_up(gathered[0])
    assert gathered[0].answer.done()
    assert puppet.worker.alive


async def test_cancelling_what_the_worker_is_at_ends_it_though_answers_gather(puppet, gathered):
    gathered[1].answer.cancel()
    puppet.worker.give_up(gathered[1])
    assert not puppet.worker.alive
    assert gathered[0].answer.result() == Frame(messages.OUTCOME, b"")
    assert puppet.back == gathered[2:]


async def test_what_was_answered_in_time_but_not_read_is_not_late(puppet, gathered):
    puppet.worker._due = 0
    puppet.worker._on_timer()
    assert gathered[0].answer.result() == Frame(messages.OUTCOME, b"")
    assert puppet.worker.alive


async def test_what_was_begun_behind_a_run_that_is_ended_is_innocent(puppet):
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


async def test_what_was_begun_when_a_worker_ends_by_itself_is_not(puppet):
    (only,) = await given(puppet, b"1")
    await puppet.begin()
    puppet.die()
    with pytest.raises(WorkerEnded) as lost:
        await only.answer
    assert not lost.value.innocent
