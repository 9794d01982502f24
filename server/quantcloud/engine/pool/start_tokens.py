"""Start tokens: bytes on a socket, each of which either the server or the worker can take.

The server writes a token before it sends a request, and the worker takes one before it starts a
request. If the server can take a token back, the worker will not start the last request sent. So
the server knows of each request whether it was started, even if the worker read it and died.

Both sides hold the reading end. They pass a flag with each call instead of making the socket
non-blocking, because either side could change that mode for both. A worker could open a pipe anew
and write to it, but not a socket.
"""

import socket

# More than there ever are.
_MAX_TOKENS = 4096


class StartTokens:
    """The server's side. It has both ends; the worker has `reading` too."""

    def __init__(self, reading: socket.socket, writing: socket.socket) -> None:
        self._reading = reading
        self._writing = writing

    def give(self, count: int) -> None:
        """Write `count` tokens. Raises `OSError` if a worker made that impossible."""
        self._writing.send(bytes(count), socket.MSG_DONTWAIT)

    def take_back(self) -> int:
        """Take all tokens that are left and return their number."""
        try:
            return len(self._reading.recv(_MAX_TOKENS, socket.MSG_DONTWAIT))
        except OSError:
            return 0

    def close(self) -> None:
        self._reading.close()
        self._writing.close()


def take(reading: socket.socket) -> bool:
    """Take a token in the worker, and return whether there was one."""
    try:
        return len(reading.recv(1, socket.MSG_DONTWAIT)) == 1
    except BlockingIOError:
        return False
