"""No call is lost with a worker that had not started it, and no call starts twice."""

import asyncio
import contextlib
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantcloud.engine.pool import messages, start_tokens
from quantcloud.engine.pool.call import Call, WorkerEnded
from quantcloud.engine.pool.messages import Frame
from quantcloud.engine.pool.start_tokens import StartTokens
from quantcloud.engine.pool.worker_process import WorkerProcess

# A header, and a payload of one byte: the call's number.
SIZE = messages.HEADER.size + 1


class Play:
    """A worker that acts one step at a time, and the server's side of it."""

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
        self.started = []
        self.calls = []
        self.returned_calls = []
        self.say(messages.READY)

    # Events that the server receives.

    def changed(self, worker):
        pass

    def returned(self, calls):
        self.returned_calls += calls

    # Actions of the server.

    def take(self):
        call = Call(Frame(messages.EXECUTE, bytes([len(self.calls)])), time_limit=60, expected=1e-6)
        if self.worker.alive and self.worker.wait_for(call) is not None:
            self.calls.append(call)
            self.worker.take(call)

    def take_back(self):
        if self.worker.alive and self.worker.ready:
            self.worker._take_back_waiting()

    def cancel(self):
        """Cancel the second waiting call. Cancelling the first would kill the worker, as `kill`."""
        waiting = [call for call in self.calls if not call.answer.done()][1:2]
        for call in waiting:
            call.answer.cancel()
            if call not in self.returned_calls:
                self.worker.give_up(call)

    def kill(self):
        self.worker.kill()

    def catch_up(self):
        """Do the same as a timer or a cancelled call: read at once."""
        self.worker._connection.catch_up()

    # Actions of the worker.

    def say(self, kind):
        with contextlib.suppress(ConnectionError):
            self.socket.send(messages.frame(kind))

    def work(self):
        """Answer the run in progress. Otherwise read on, and start a call if it has a token."""
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
            self.started.append(request[-1])
            self.at_work = True
        else:
            self.say(messages.NOT_BEGUN)

    def crash(self):
        self.dead = True
        self.socket.close()

    async def end(self):
        self.crash()
        while not self.worker._hung_up:  # noqa: ASYNC110 (no event tells of it)
            await asyncio.sleep(0)
        self.reading.close()


@given(
    st.lists(
        st.sampled_from(
            [
                *(*["take"] * 6, *["work"] * 6, *["yield"] * 4, *["catch_up"] * 2),
                *("take_back", "cancel", "kill", "crash"),
            ]
        ),
        max_size=80,
    )
)
def test_no_call_is_lost_or_started_twice_in_any_order_of_events(acts):
    async def perform():
        play = Play()
        patch.setattr("quantcloud.engine.pool.worker_process.os.kill", lambda *_: play.crash())
        for act in acts:
            if act == "yield":
                await asyncio.sleep(0)
            else:
                getattr(play, act)()
        await play.end()
        return play

    with pytest.MonkeyPatch.context() as patch:
        play = asyncio.run(perform())
    assert len(set(play.started)) == len(play.started)
    for number, call in enumerate(play.calls):
        times_returned = play.returned_calls.count(call)
        assert times_returned == (number not in play.started)
        if call.answer.cancelled():
            continue
        # A returned call waits for another worker.
        assert call.answer.done() is not bool(times_returned)
        if call.answer.done() and (error := call.answer.exception()) is not None:
            assert isinstance(error, WorkerEnded)
