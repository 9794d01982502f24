"""The server's side of a worker process: a socket to ask on, a process to kill.

Not a process pool of `multiprocessing`, `concurrent.futures` or Pebble: their workers share
queues and locks, so that one killed at the wrong moment fails or stalls the others' tasks, and
they unpickle what workers send, which lets whoever takes over a worker run code in the server.
Here each worker has a socket of its own, and what it sends is plain data.
"""

import asyncio
import os
import signal
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from quantcloud.domain.execution import SHORT_SECONDS, is_short
from quantcloud.engine.pool import messages
from quantcloud.engine.pool.call import (
    START_LIMIT,
    Call,
    NotPrepared,
    TimeLimitReached,
    WorkerEnded,
)
from quantcloud.engine.pool.connection import Connection
from quantcloud.engine.pool.messages import Frame, MalformedAnswer
from quantcloud.engine.pool.start_tokens import StartTokens

# What a worker may have before a call that is sent to it: so many others, which are expected to
# take `SHORT_SECONDS` in all, or the last of them a little more.
MOST_AHEAD: Final = 16

# While a worker has so many calls before it, its answers are read late, several at once: none of
# these runs is long, and it has enough to do meanwhile. How late at most, in seconds, where what it
# has is expected to take less than the last figure, and otherwise.
_MANY: Final = MOST_AHEAD * 3 // 4
_SOON, _LATER, _LONG = 0.0005, 0.002, 0.004

# When a run takes so many seconds, those that were sent behind it go to another worker.
_OVERDUE = 0.05

# A call that nobody waits for any more may have been begun before its turn to be taken back came.
# It was expected to be short: after so many seconds its worker is ended.
_GRACE = 0.1


class Owner(Protocol):
    """Whoever gives a worker its calls."""

    def changed(self, worker: "WorkerProcess") -> None:
        """`worker` has become ready, has answered, or has ended."""
        ...

    def returned(self, calls: list[Call]) -> None:
        """A worker will not begin on these calls, oldest first; another may."""
        ...


class WorkerProcess:
    """A worker. It answers calls in order; several may be on their way to it.

    It says once that it is ready. From then on it begins on a call when it has answered the one
    before: to say so each time would wake the server twice for each run. What has not begun can
    be taken back (see `start_tokens`), so that no call is lost with a worker that had not begun on
    it, and none is begun twice.

    `preloaded` is for how many backends the modules were imported when it was forked. `on_end` is
    called once, when the process has hung up, from which on its id may be reaped.
    """

    def __init__(
        self,
        pid: int,
        preloaded: int,
        connection: socket.socket,
        start_tokens: StartTokens,
        on_end: Callable[["WorkerProcess"], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.pid = pid
        self.preloaded = preloaded
        self.owner: Owner | None = None
        self.answered = 0
        self.born = self._loop.time()
        # The exit status: negative for a signal, None where the fork server ended too.
        self.exit_status: asyncio.Future[int | None] = self._loop.create_future()
        self._on_end = on_end
        self._connection = Connection(connection, start_tokens, self)
        # What it has not answered, oldest first; None for what was taken back.
        self._calls: deque[Call | None] = deque()
        self._expected = 0.0
        self._began = 0.0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._taken_back = False
        self._hung_up = False
        self.ready = False
        # Whether it can be asked: it has neither been killed nor hung up.
        self.alive = True

    @property
    def idle(self) -> bool:
        return not self._calls

    @property
    def used(self) -> bool:
        """Whether it has ever begun on a call."""
        return self._began > 0

    def suits(self, call: Call) -> bool:
        """Whether it could ever take `call`."""
        return self.preloaded >= call.preloaded and not (call.fresh and self.used)

    def wait_for(self, call: Call) -> float | None:
        """Seconds after which it would begin on `call`; None if it should not be sent yet.

        Only what is expected to be short is sent behind anything, and only behind such.
        """
        if not self._calls:
            return 0.0
        if (
            not is_short(call.expected)
            or self._expected > SHORT_SECONDS
            or len(self._calls) >= MOST_AHEAD
            or not self.ready
            or self._taken_back
            or self._loop.time() - self._began > _OVERDUE
        ):
            return None
        return self._expected

    def take(self, call: Call) -> None:
        """Send a call: at once to an idle worker, else with whatever else is sent in this turn."""
        call.holder = self
        was_idle = not self._calls
        self._calls.append(call)
        self._expected += _seconds(call)
        self._connection.send(call.data, now=was_idle)
        if not was_idle:
            self._arm()
        elif self.ready:
            self._begin()
        else:
            self._due = self._loop.time() + START_LIMIT
            self._arm()

    def give_up(self, call: Call) -> None:
        """End the process if it is at work on `call`; if that waits, its answer is ignored."""
        # It may have answered, and be at work on another.
        self._connection.catch_up()
        if self._calls and self._calls[0] is call:
            self.kill()

    def kill(self) -> None:
        """End the process at once, whatever it is doing. What it has not begun is returned."""
        if not self.alive:
            return
        self.alive = False
        calls = self._take_back()
        # Until it has hung up nobody has reaped it: the id is still this process's.
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._tell(calls)

    def abandon(self) -> None:
        """Let go of a process that is someone else's to end: its fork server is gone."""
        if not self._hung_up:
            self._hang_up()

    def fail(self, error: Exception) -> None:
        """Answer all that it has not answered with `error`."""
        for call in self._calls:
            if call is not None:
                call.fail(error)

    def read(self, error: MalformedAnswer | None) -> None:
        if error is not None:
            self.fail(error)
            self.kill()
        self._notify()
        if self.alive and len(self._calls) >= _MANY:
            self._connection.let_gather(_SOON if self._expected < _LONG else _LATER)

    def hung_up(self) -> None:
        self._hang_up()
        self._on_end(self)

    def received(self, frame: Frame) -> None:
        if frame.kind == messages.READY and not self.ready:
            self.ready = True
            if self._calls:
                self._begin()
            return
        if frame.kind == messages.PREPARED:
            self._prepared()
            return
        if not self.ready or not self._calls:
            raise MalformedAnswer("not asked for")
        if (self._calls[0] is None) is not (frame.kind == messages.NOT_BEGUN):
            raise MalformedAnswer("not in its turn")
        call = self._calls.popleft()
        if call is not None:
            self.answered += 1
            self._expected -= _seconds(call)
            if not call.answer.done():
                call.answer.set_result(frame)
        if frame.kind == messages.OUT_OF_MEMORY:
            self.kill()  # it may hold on to what it got, and begins on nothing more
        elif self._calls:
            self._begin()
        else:
            self._expected = 0.0
            self._taken_back = False

    def _begin(self) -> None:
        """Count the time from now on: the worker begins on the oldest call, or will in a moment."""
        self._began = self._loop.time()
        call = self._calls[0]
        if call is None or call.answer.done():
            self._due = self._began + _GRACE
        elif call.preparing:
            self._due = self._began + START_LIMIT
        else:
            self._due = self._began + call.time_limit
            try:
                call.start(self._began)
            except Exception as error:  # noqa: BLE001 (handed to the caller, whose it is)
                call.fail(error)
                self.kill()
                return
        self._arm()

    def _prepared(self) -> None:
        """Begin on a call for which something had to be prepared."""
        call = self._calls[0] if self._calls else None
        if call is None or not call.preparing:
            raise MalformedAnswer("nothing to prepare")
        call.preparing = False
        self._begin()

    def _arm(self) -> None:
        """Have the one timer go off when it has to at the latest; it looks what is to be done."""
        due = self._due
        if len(self._calls) > 1 and self.ready and not self._taken_back:
            due = min(due, self._began + _OVERDUE)
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._look)

    def _look(self) -> None:
        self._timer = None
        if not self._calls or not self.alive:
            return
        now = self._loop.time()
        if now >= self._due:
            self._connection.catch_up()
            if not self._calls or not self.alive:
                return
        if now >= self._due:
            self._end_late(self._calls[0])
            return
        if len(self._calls) > 1 and self.ready and now >= self._began + _OVERDUE:
            self._relieve()
        self._arm()

    def _end_late(self, call: Call | None) -> None:
        if call is not None and not self.ready:
            call.count_try(WorkerEnded(self.exit_status, innocent=False))
        elif call is not None:
            call.fail(NotPrepared() if call.preparing else TimeLimitReached())
        self.kill()

    def _relieve(self) -> None:
        """Take back what waits behind a run that takes longer than was expected of it."""
        if self._taken_back:
            return
        calls = self._take_back()
        # The worker says of each that it did not begin; nothing is sent to it before.
        self._taken_back = True
        self._calls.extend([None] * len(calls))
        self._tell(calls)

    def _take_back(self) -> list[Call]:
        """Take what the worker has not begun, which it will not begin any more; oldest first."""
        count = self._connection.take_back()
        calls = [self._calls.pop() for _ in range(min(count, len(self._calls)))]
        return [call for call in reversed(calls) if call is not None]

    def _hang_up(self) -> None:
        """Note the process's end, after all that it has answered was read."""
        # Where the server ended it, what it was ended for has its answer.
        error = WorkerEnded(self.exit_status, innocent=not self.alive)
        nothing_begun = self.alive
        self.alive = False
        self._hung_up = True
        calls = self._take_back()
        self._connection.close()
        if self._timer is not None:
            self._timer.cancel()
        if nothing_begun and not self._calls and calls:
            calls[0].count_try(error)
        self.fail(error)
        self._calls.clear()
        self._tell(calls)

    def _notify(self) -> None:
        if self.owner is not None:
            self.owner.changed(self)

    def _tell(self, calls: list[Call]) -> None:
        if calls and self.owner is not None:
            self.owner.returned(calls)
        self._loop.call_soon(self._notify)


def _seconds(call: Call) -> float:
    """How long a call is taken to be, in a sum: one that nobody knows of is longer than all."""
    return 1e9 if call.expected is None else call.expected
