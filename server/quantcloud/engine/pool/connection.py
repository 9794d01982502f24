"""The server's end of a worker's socket: it sends requests with start tokens, and reads frames."""

import asyncio
import socket
from typing import Protocol

from quantcloud.engine.pool import messages
from quantcloud.engine.pool.messages import Frame, MalformedAnswer
from quantcloud.engine.pool.start_tokens import StartTokens

_CHUNK = 256 << 10


class Receiver(Protocol):
    """What a connection reports to."""

    def received(self, frame: Frame) -> None:
        """Handle a frame. Raises `MalformedAnswer` if the worker must not send it now."""
        ...

    def read(self, error: MalformedAnswer | None) -> None:
        """Note that all frames of one read were handled, up to an invalid one if `error` is set."""
        ...

    def hung_up(self) -> None:
        """Note that the process has closed its socket; all of its frames were handled."""
        ...


class Connection:
    """One worker's socket. Frames sent in one pass of the event loop are written together."""

    def __init__(
        self, worker: socket.socket, start_tokens: StartTokens, receiver: Receiver
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = worker
        self._start_tokens = start_tokens
        self._receiver = receiver
        self._input = bytearray()
        self._output = bytearray()
        self._unsent = 0
        self._flushing = False
        self._writing = False
        self._closed = False
        worker.setblocking(False)  # noqa: FBT003 (the standard library's signature)
        self._loop.add_reader(worker, self._readable)

    def send(self, request: bytes, *, now: bool) -> None:
        """Send a framed request: now, or with all others of this pass of the event loop."""
        self._unsent += 1
        self._output += request
        if now:
            self.flush()
        elif not self._flushing:
            self._flushing = True
            self._loop.call_soon(self.flush)

    def take_back(self) -> int:
        """Take back all requests that the worker has not started: the last ones. Return how many.

        The worker still reads those that were sent, and answers that it did not start them.
        """
        count = self._unsent + self._start_tokens.take_back()
        self._unsent = 0
        return count

    def catch_up(self) -> None:
        """Read the input that has arrived."""
        if not self._closed:
            self._readable()

    def close(self) -> None:
        self._closed = True
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        self._start_tokens.close()

    def flush(self) -> None:
        """Write as much as the socket takes now."""
        self._flushing = False
        if self._closed:
            return
        if self._unsent:
            try:
                self._start_tokens.give(self._unsent)
            except OSError:
                # Report it later, because the sender is in the middle of something.
                error = MalformedAnswer("it accepts no start tokens")
                self._loop.call_soon(self._receiver.read, error)
                return
            self._unsent = 0
        try:
            del self._output[: self._socket.send(self._output)]
        except BlockingIOError:
            pass
        except OSError:
            self._output.clear()  # its end is read after its last answers
        if self._output and not self._writing:
            self._writing = True
            self._loop.add_writer(self._socket, self.flush)
        elif self._writing and not self._output:
            self._writing = False
            self._loop.remove_writer(self._socket)

    def _readable(self) -> None:
        try:
            data = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._receiver.hung_up()
            return
        self._input += data
        error = None
        try:
            self._parse()
        except MalformedAnswer as malformed:
            self._input.clear()
            error = malformed
        self._receiver.read(error)

    def _parse(self) -> None:
        size, offset, end = messages.HEADER.size, 0, len(self._input)
        while end - offset >= size:
            kind, length = messages.HEADER.unpack_from(self._input, offset)
            if length > messages.MAX_ANSWER:
                raise MalformedAnswer("too large")
            start, stop = offset + size, offset + size + length
            if end < stop:
                break
            with memoryview(self._input) as view:
                payload = bytes(view[start:stop])
            offset = stop
            self._receiver.received(Frame(kind, payload))
        del self._input[:offset]
