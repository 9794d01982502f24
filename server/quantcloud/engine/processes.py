"""The server's side of its processes: one fork server, and the workers that it forks.

Not a process pool of `multiprocessing`, `concurrent.futures` or Pebble: their workers share
queues and locks, so that one killed at the wrong moment fails or stalls the others' tasks, and
they unpickle what workers send, which lets whoever takes over a worker run code in the server.
Here each worker has a socket of its own, and what it sends is plain data.
"""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress

from quantcloud.engine import messages
from quantcloud.engine.messages import Frame, MalformedAnswer

# A new worker is ready after it has made its executors, which takes a fraction of a second. One
# that is not after so many seconds never will be.
_START_LIMIT = 60.0


class WorkerEnded(Exception):
    """The worker ended before it answered; `started` tells whether it may have begun."""

    def __init__(self, worker: "WorkerProcess", *, started: bool) -> None:
        super().__init__(worker, started)
        self.worker = worker
        self.started = started


class TimeLimitReached(Exception):
    """The worker had not answered when its time was over."""


class WorkerProcess(asyncio.Protocol):
    """A worker, as the server sees it: a socket to ask on, a process to kill.

    It says once that it is ready, and then begins on a request when it comes: to say so each time
    would wake the server twice for each run.

    `preloaded` is for how many backends the modules were imported when it was forked.
    `on_end` is called once, when the process has hung up, from which on its id may be reaped.
    """

    def __init__(self, pid: int, preloaded: int, on_end: Callable[["WorkerProcess"], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self.pid = pid
        self.preloaded = preloaded
        self.answered = 0
        self.born = self._loop.time()
        # The exit status: negative for a signal, None where nobody can tell.
        self.exit_status: asyncio.Future[int | None] = self._loop.create_future()
        self._on_end = on_end
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._answer: asyncio.Future[Frame] | None = None
        self._on_start: Callable[[], None] = _nothing
        self._time_limit = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._ready = False
        self._alive = True
        self._hung_up = False

    @property
    def alive(self) -> bool:
        """Whether it can be asked: it has neither been killed nor hung up."""
        return self._alive

    async def ask(
        self, request: Frame, *, time_limit: float, on_start: Callable[[], None]
    ) -> Frame:
        """Send a request and give the answer; cancelling kills the worker.

        `on_start` is called as the worker begins, and `time_limit` seconds count from there.
        Raises `TimeLimitReached`, `WorkerEnded` or `MalformedAnswer`, all of which are the
        worker's end too.
        """
        if self._transport is None or not self._alive:
            raise WorkerEnded(self, started=False)
        self._answer = self._loop.create_future()
        self._on_start = on_start
        self._time_limit = time_limit
        self._transport.write(messages.frame(request.kind, request.payload))
        if self._ready:
            self._begin()
        else:
            unready = WorkerEnded(self, started=False)
            self._timer = self._loop.call_later(_START_LIMIT, self._fail, unready)
        try:
            answer = await self._answer
        except BaseException:
            self.kill()
            raise
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self._answer = None
        self.answered += 1
        return answer

    def kill(self) -> None:
        """End the process at once, whatever it is doing."""
        self._alive = False
        # Until it has hung up nobody has reaped it: the id is still this process's.
        if not self._hung_up:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def abandon(self) -> None:
        """Let go of a process that is someone else's to end: its fork server is gone."""
        self._alive = False
        self._hung_up = True
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 (narrows the type)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        size = messages.HEADER.size
        while len(self._buffer) >= size:
            kind, length = messages.HEADER.unpack_from(self._buffer)
            if length > messages.MAX_ANSWER:
                self._fail(MalformedAnswer("too large"))
                return
            if len(self._buffer) < size + length:
                return
            with memoryview(self._buffer) as view:
                payload = bytes(view[size : size + length])
            del self._buffer[: size + length]
            self._received(Frame(kind, payload))

    def connection_lost(self, exc: Exception | None) -> None:
        # A socket that is closed with something unread in it is reset: then the process ended
        # before it took the request. (Linux. Elsewhere such a request counts as begun.)
        started = self._ready and not isinstance(exc, ConnectionError)
        self._fail(WorkerEnded(self, started=started))
        self._hung_up = True
        self._on_end(self)

    def _received(self, frame: Frame) -> None:
        asked = self._answer is not None and not self._answer.done()
        if frame.kind == messages.READY and not self._ready:
            self._ready = True
            if asked:
                self._begin()
        elif self._answer is not None and asked and self._ready:
            self._answer.set_result(frame)
        else:
            self._fail(MalformedAnswer("not asked for"))

    def _begin(self) -> None:
        """Count the time from now on; the worker has the request before it, or will in a moment."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(self._time_limit, self._fail, TimeLimitReached())
        try:
            self._on_start()
        except Exception as error:  # noqa: BLE001 (handed to the caller, whose it is)
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Answer the request, if there is one, with `error`, and end the process."""
        self.kill()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


def _nothing() -> None:
    pass
