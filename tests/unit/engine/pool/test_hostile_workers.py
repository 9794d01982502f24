"""A worker under an attacker's control can only end its own run."""

import asyncio
import socket

import pytest

from quantcloud.engine.pool import messages
from quantcloud.engine.pool.call import WorkerEnded
from quantcloud.engine.pool.messages import MalformedAnswer
from unit.engine.harness import DEADLINE
from unit.engine.puppet import Puppet, call, given


async def test_a_worker_cannot_make_the_server_wait_for_start_tokens(puppet):
    first, second = await given(puppet, b"1", b"2")
    await puppet.begin()
    await puppet.begin()
    # Both sides share the descriptor, and with it the blocking mode.
    puppet.reading.setblocking(True)  # noqa: FBT003 (the standard library's signature)
    puppet.worker.kill()
    assert puppet.back == []
    puppet.die()
    for each in (first, second):
        with pytest.raises(WorkerEnded):
            await each.answer


async def test_a_worker_that_accepts_no_start_tokens_is_killed(puppet):
    puppet.reading.shutdown(socket.SHUT_RD)
    (only,) = await given(puppet, b"1")
    with pytest.raises(MalformedAnswer, match="accepts no start tokens"):
        await only.answer
    assert not puppet.worker.alive
    assert puppet.process.wait(DEADLINE) < 0


@pytest.mark.parametrize(
    "answer",
    [
        messages.frame(messages.NOT_BEGUN),
        messages.frame(messages.PREPARED),
        messages.frame(messages.OUTCOME) * 3,
        messages.HEADER.pack(messages.OUTCOME, messages.MAX_ANSWER + 1),
        messages.frame(messages.OUTCOME) + messages.frame(messages.NOT_BEGUN),
    ],
    ids=["not taken back", "not to prepare", "unexpected", "too large", "second not taken back"],
)
async def test_a_worker_that_sends_an_invalid_answer_is_killed(puppet, answer):
    calls = await given(puppet, b"1", b"2")
    await puppet.begin()
    await puppet.begin()
    puppet.socket.send(answer)
    assert await asyncio.to_thread(puppet.process.wait, DEADLINE) < 0
    for each in calls:
        if isinstance(error := each.answer.exception(), MalformedAnswer):
            break
        assert error is None
    assert not puppet.worker.alive


async def test_a_worker_that_never_becomes_ready_loses_no_run():
    puppet = Puppet()
    only = call(b"1")
    puppet.worker.take(only)
    puppet.worker._due = 0
    puppet.worker._on_timer()
    assert puppet.back == [only]
    assert not puppet.worker.alive
    puppet.end()
