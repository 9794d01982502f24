"""Permission to begin: what is there on a socket is for one of two sides to take, never for both.

The server puts a byte there for each request before it sends it, and the worker takes one before it
begins on a request. As long as the server can take a byte back, there is a request that the worker
will not begin on: the last that was sent. So the server knows of every request whether it was
begun, also of those that had been read by a worker that is dead.

Both sides hold the reading end. Whether to wait is said with each call: what a descriptor itself
says of that, either side could change for both. Nor could a worker open a socket anew to write to
it, as it could a pipe.
"""

import socket

# More than are ever there.
_MANY = 4096


class StartTokens:
    """The server's side: both ends, `reading` as it is in the worker."""

    def __init__(self, reading: socket.socket, writing: socket.socket) -> None:
        self._reading = reading
        self._writing = writing

    def give(self, count: int) -> None:
        """Give so many. Raises `OSError` where a worker has seen to it that none can be given."""
        self._writing.send(bytes(count), socket.MSG_DONTWAIT)

    def take_back(self) -> int:
        """Take all that are left; their number."""
        try:
            return len(self._reading.recv(_MANY, socket.MSG_DONTWAIT))
        except OSError:
            return 0

    def close(self) -> None:
        self._reading.close()
        self._writing.close()


def take(reading: socket.socket) -> bool:
    """Take one, in the worker; whether there was one."""
    try:
        return len(reading.recv(1, socket.MSG_DONTWAIT)) == 1
    except BlockingIOError:
        return False
