"""No call is lost with a worker that had not begun on it, and none is begun twice."""

import asyncio
import contextlib
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantcloud.engine.pool import messages, start_tokens
from quantcloud.engine.pool.call import Call, WorkerEnded
from quantcloud.engine.pool.messages import Frame
from quantcloud.engine.pool.start_tokens import StartTokens
from quantcloud.engine.pool.worker_process import WorkerProcess

# A header, and a payload of one byte: the call's number.
SIZE = messages.HEADER.size + 1


class Play:
    """A worker, played one act at a time, and the server's side of it."""

    def __init__(self):
        ours, self.socket = socket.socketpair()
        self.socket.setblocking(False)  # noqa: FBT003 (the standard library's signature)
        self.reading, writing = socket.socketpair()
        ends = StartTokens(self.reading.dup(), writing)
        self.worker = WorkerProcess(1, 0, ours, ends, lambda _: None)
        self.worker.owner = self
        self.dead = False
        self.input = b""
        self.at_work = False
        self.begun = []
        self.calls = []
        self.returned_calls = []
        self.say(messages.READY)

    # What the server is told.

    def changed(self, worker):
        pass

    def returned(self, calls):
        self.returned_calls += calls

    # What the server does.

    def take(self):
        call = Call(Frame(messages.EXECUTE, bytes([len(self.calls)])), time_limit=60, expected=1e-6)
        if self.worker.alive and self.worker.wait_for(call) is not None:
            self.calls.append(call)
            self.worker.take(call)

    def relieve(self):
        if self.worker.alive and self.worker.ready:
            self.worker._take_back_waiting()

    def cancel(self):
        """Cancel the second of those that wait: the first is the worker's end, which is `kill`."""
        waiting = [call for call in self.calls if not call.answer.done()][1:2]
        for call in waiting:
            call.answer.cancel()
            if call not in self.returned_calls:
                self.worker.give_up(call)

    def kill(self):
        self.worker.kill()

    def catch_up(self):
        """What comes to the same as the end of the time in which answers gather."""
        self.worker._connection.catch_up()

    # What the worker does.

    def say(self, kind):
        with contextlib.suppress(ConnectionError):
            self.socket.send(messages.frame(kind))

    def work(self):
        """Answer what it is at; else read on, and begin on what it has permission for."""
        if self.dead:
            return
        if self.at_work:
            self.at_work = False
            self.say(messages.OUTCOME)
            return
        if len(self.input) < SIZE:
            with contextlib.suppress(BlockingIOError):
                self.input += self.socket.recv(64)
        request, self.input = self.input[:SIZE], self.input[SIZE:]
        if len(request) < SIZE:
            return
        if start_tokens.take(self.reading):
            self.begun.append(request[-1])
            self.at_work = True
        else:
            self.say(messages.NOT_BEGUN)

    def crash(self):
        self.dead = True
        self.socket.close()

    async def end(self):
        self.crash()
        while not self.worker._hung_up:  # noqa: ASYNC110 (nobody else is told)
            await asyncio.sleep(0)
        self.reading.close()


@given(
    st.lists(
        st.sampled_from(
            [
                *(*["take"] * 6, *["work"] * 6, *["turn"] * 4, *["catch_up"] * 2),
                *("relieve", "cancel", "kill", "crash"),
            ]
        ),
        max_size=80,
    )
)
@settings(deadline=None)
def test_none_is_lost_and_none_begins_twice_whatever_happens_when(acts):
    async def perform():
        play = Play()
        patch.setattr("quantcloud.engine.pool.worker_process._GATHER_FROM", 2)
        patch.setattr("quantcloud.engine.pool.worker_process.os.kill", lambda *_: play.crash())
        for act in acts:
            if act == "turn":
                await asyncio.sleep(0)
            else:
                getattr(play, act)()
        await play.end()
        return play

    with pytest.MonkeyPatch.context() as patch:
        play = asyncio.run(perform())
    assert len(set(play.begun)) == len(play.begun)
    for number, call in enumerate(play.calls):
        times_returned = play.returned_calls.count(call)
        assert times_returned == (number not in play.begun)
        if call.answer.cancelled():
            continue
        # What was returned waits for another worker.
        assert call.answer.done() is not bool(times_returned)
        if call.answer.done() and (error := call.answer.exception()) is not None:
            assert isinstance(error, WorkerEnded)
