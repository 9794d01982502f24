"""Permission to begin: what is in a pipe is there for one of two sides to take, never for both.

The server puts a byte into the pipe for each request before it sends it, and the worker takes one
before it begins on a request. As long as the server can take a byte back, there is a request that
the worker will not begin on: the last that was sent. So the server knows of every request whether
it was begun, also of those that had been read by a worker that is dead.
"""

import os
from contextlib import suppress

# More than are ever in the pipe.
_MANY = 4096


class Permits:
    """The server's side: both ends of a pipe whose reading end does not block."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading = reading
        self._writing = writing

    def give(self, count: int) -> None:
        os.write(self._writing, bytes(count))

    def take_back(self) -> int:
        """Take all that are left; their number."""
        with suppress(BlockingIOError):
            return len(os.read(self._reading, _MANY))
        return 0

    def close(self) -> None:
        os.close(self._reading)
        os.close(self._writing)


def take(reading: int) -> bool:
    """Take one, in the worker; whether there was one."""
    try:
        return len(os.read(reading, 1)) == 1
    except BlockingIOError:
        return False
