"""The server's side of a worker process: a socket for requests, and a process to kill.

The pools of `multiprocessing`, `concurrent.futures` and Pebble do not fit. Their workers share
queues and locks, so killing one can fail or stall the tasks of others. They also unpickle what
workers send, so an attacker who controls a worker could run code in the server. Here each worker
has its own socket and sends plain data.
"""

import asyncio
import os
import signal
import socket
from collections import deque
from collections.abc import Callable, Mapping
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
from quantcloud.engine.sandbox.memory import grant, restore

# How many calls a worker may have before another one is sent to it. Together they are expected to
# take `SHORT_SECONDS`, or a little more because of the last one.
MOST_AHEAD: Final = 16

# A worker is replaced after this many answers. Otherwise a simulator's memory leaks would sooner or
# later make an unrelated run exceed its memory limit.
_MAX_ANSWERS: Final = 4000

# If a run takes longer than this, in seconds, the calls behind it go to another worker.
_OVERDUE_SECONDS = 0.05

# An abandoned call may have started before it could be taken back. It was expected to be short, so
# its worker is killed after this many seconds.
_ABANDONED_SECONDS = 0.1


class Owner(Protocol):
    """The object that gives a worker its calls."""

    def changed(self, worker: "WorkerProcess") -> None:
        """Note that `worker` became ready, answered, or ended."""
        ...

    def returned(self, calls: list[Call]) -> None:
        """Take back calls, oldest first, that a worker will not start; another may."""
        ...


class WorkerProcess:
    """A worker. It answers calls in order, and several may be on their way to it.

    It reports once that it is ready. From then on it starts each call after it answered the one
    before; reporting each start would wake the server twice for each run. Calls that have not
    started can be taken back (see `start_tokens`). So a call that has not started is never lost
    with its worker, and no call starts twice.

    `preloaded` is how many backends were imported when it was forked. `on_end` is called once, when
    the process closed its socket; only then may its id be reaped.
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
        # The exit status: negative for a signal, None if the fork server ended too.
        self.exit_status: asyncio.Future[int | None] = self._loop.create_future()
        self._on_end = on_end
        self._connection = Connection(connection, start_tokens, self)
        # The calls that it has not answered, oldest first; None for each that was taken back.
        self._calls: deque[Call | None] = deque()
        self._expected = 0.0
        # A call that waits until the worker is ready.
        self._unsent: Call | None = None
        # The memory limits before the present run, if it may use more.
        self._before_grant: Mapping[int, int] = {}
        self._began = 0.0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._taken_back = False
        self._hung_up = False
        self.ready = False
        # Whether it can take calls: it was not killed and has not closed its socket.
        self.alive = True

    @property
    def idle(self) -> bool:
        return not self._calls

    @property
    def used(self) -> bool:
        """Whether it has ever started a call."""
        return self._began > 0

    @property
    def is_worn(self) -> bool:
        """Whether it has answered so many calls that it should be replaced when it is idle."""
        return self.answered >= _MAX_ANSWERS

    def suits(self, call: Call) -> bool:
        """Return whether it could ever take `call`."""
        return self.preloaded >= call.preloaded and not (call.fresh and self.used)

    def wait_for(self, call: Call) -> float | None:
        """Return the seconds until it would start `call`; None if it should not get it yet.

        Only calls that should be short are queued, and only behind calls that should be short.
        """
        if not self._calls:
            return 0.0
        if (
            not is_short(call.expected)
            or self._expected > SHORT_SECONDS
            or len(self._calls) >= MOST_AHEAD
            or not self.ready
            or self.is_worn
            or self._taken_back
            or self._loop.time() - self._began > _OVERDUE_SECONDS
        ):
            return None
        return self._expected

    def take(self, call: Call) -> None:
        """Send a call: at once if idle, else with all others of this pass of the event loop."""
        call.holder = self
        was_idle = not self._calls
        self._calls.append(call)
        self._expected += call.seconds
        if call.extra_memory and not self.ready:
            # It has no limits yet that could be raised.
            self._unsent = call
        else:
            self._send(call, now=was_idle)
        if not was_idle:
            self._set_timer()
        elif self.ready:
            self._begin()
        else:
            self._due = self._loop.time() + START_LIMIT
            self._set_timer()

    def _send(self, call: Call, *, now: bool) -> None:
        if call.extra_memory:
            self._before_grant = grant(self.pid, call.extra_memory)
        self._connection.send(messages.frame(*call.request), now=now)

    def give_up(self, call: Call) -> None:
        """Kill the process if it works on `call`. If the call still waits, ignore its answer."""
        # It may have answered already, and work on another call.
        self._connection.catch_up()
        if self._calls and self._calls[0] is call:
            self.kill()

    def kill(self) -> None:
        """Kill the process at once. Calls that it has not started are returned."""
        if not self.alive:
            return
        self.alive = False
        calls = self._take_back()
        # It has not closed its socket, so it was not reaped: the id is still this process's.
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._return(calls)

    def abandon(self) -> None:
        """Give up a process that the server cannot reap, because its fork server is gone."""
        if not self._hung_up:
            self._hang_up()

    def fail(self, error: Exception) -> None:
        """Answer all open calls with `error`."""
        for call in self._calls:
            if call is not None:
                call.fail(error)

    def read(self, error: MalformedAnswer | None) -> None:
        """Note that all frames of one read were handled, up to an invalid one if `error` is set."""
        if error is not None:
            self.fail(error)
            self.kill()
        self._notify()

    def hung_up(self) -> None:
        """Note that the process has closed its socket; all of its frames were handled."""
        self._hang_up()
        self._on_end(self)

    def received(self, frame: Frame) -> None:
        """Handle a frame. Raises `MalformedAnswer` if the worker must not send it now."""
        if frame.kind == messages.READY and not self.ready:
            self._become_ready()
            return
        if frame.kind == messages.PREPARED:
            self._prepared()
            return
        if not self.ready or not self._calls:
            raise MalformedAnswer("unexpected answer")
        if (self._calls[0] is None) is not (frame.kind == messages.NOT_BEGUN):
            raise MalformedAnswer("answer out of order")
        call = self._calls.popleft()
        if call is not None:
            self.answered += 1
            self._expected -= call.seconds
            self._end_grant()
            if not call.answer.done():
                call.answer.set_result(frame)
        if frame.kind == messages.OUT_OF_MEMORY:
            self.kill()  # it may keep its memory, and starts nothing more
        elif self._calls:
            self._begin()
        else:
            self._expected = 0.0
            self._taken_back = False

    def _become_ready(self) -> None:
        self.ready = True
        if self._unsent is not None:
            unsent, self._unsent = self._unsent, None
            self._send(unsent, now=True)
        if self._calls:
            self._begin()

    def _begin(self) -> None:
        """Start the clock of the oldest call: the worker starts it now or in a moment."""
        self._began = self._loop.time()
        call = self._calls[0]
        if call is None or call.answer.done():
            self._due = self._began + _ABANDONED_SECONDS
        elif call.preparing:
            self._due = self._began + START_LIMIT
        else:
            self._due = self._began + call.time_limit
            try:
                call.start(self._began)
            except Exception as error:  # noqa: BLE001 (the caller gets the error of its callback)
                call.fail(error)
                self.kill()
                return
        self._set_timer()

    def _prepared(self) -> None:
        """Start a call whose backend is prepared now."""
        call = self._calls[0] if self._calls else None
        if call is None or not call.preparing:
            raise MalformedAnswer("nothing was to be prepared")
        call.preparing = False
        self._begin()

    def _set_timer(self) -> None:
        """Set the timer for the next thing to check, unless it fires earlier anyway."""
        due = self._due
        if len(self._calls) > 1 and self.ready and not self._taken_back:
            due = min(due, self._began + _OVERDUE_SECONDS)
        if self._timer is not None:
            if self._timer.when() <= due:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._on_timer)

    def _on_timer(self) -> None:
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
        if len(self._calls) > 1 and self.ready and now >= self._began + _OVERDUE_SECONDS:
            self._take_back_waiting()
        self._set_timer()

    def _end_late(self, call: Call | None) -> None:
        if call is not None and not self.ready:
            call.count_try(WorkerEnded(self.exit_status, innocent=False))
        elif call is not None:
            call.fail(NotPrepared() if call.preparing else TimeLimitReached())
        self.kill()

    def _take_back_waiting(self) -> None:
        """Take back the calls that wait behind a run that takes longer than expected."""
        if self._taken_back:
            return
        calls = self._take_back()
        # The worker answers that it did not start these; it gets no new calls before that.
        self._taken_back = True
        self._calls.extend([None] * len(calls))
        self._return(calls)

    def _take_back(self) -> list[Call]:
        """Take back and return the calls that the worker has not started, oldest first."""
        count = self._connection.take_back() + (self._unsent is not None)
        self._unsent = None
        calls = [self._calls.pop() for _ in range(min(count, len(self._calls)))]
        return [call for call in reversed(calls) if call is not None]

    def _end_grant(self) -> None:
        """Take back the memory beyond the usual limit. Only the one run that has it is here."""
        if self._before_grant and self.alive:
            restore(self.pid, self._before_grant)
        self._before_grant = {}

    def _hang_up(self) -> None:
        """Note the process's end, after all of its answers were read."""
        # If the server killed it, the call that caused the kill already has its answer.
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
        self._return(calls)

    def _notify(self) -> None:
        if self.owner is not None:
            self.owner.changed(self)

    def _return(self, calls: list[Call]) -> None:
        if calls and self.owner is not None:
            self.owner.returned(calls)
        self._loop.call_soon(self._notify)
