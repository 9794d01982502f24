"""A server that switches its metrics and logs on and off by itself, in short slices.

The first argument is a file; the others are those of `quantcloud`. After each `SLICE` calls of
RunAndWatch, the program appends a line to the file: the mode, and the nanoseconds of processor
time that the event loop's thread used in it. All metrics and logs are made there; the threads of
gRPC would only add their noise. Then the program turns to the next mode. What waits to be counted
or logged is done before a slice ends.
"""

import asyncio
import itertools
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TextIO

import grpc

from quantcloud.__main__ import main
from quantcloud.api.session import Session
from quantcloud.storage.unit_of_work import group_commit
from quantcloud.telemetry import commits, later, logs, metrics

MODES = ("neither", "metrics", "both")
SLICE = 25
_METHOD = "/thequantcloud.v1.CircuitService/RunAndWatch"


class _Silent:
    """A metric that counts nothing."""

    def labels(self, *_: str) -> "_Silent":
        return self

    def count(self, *_: float) -> None:
        """Do nothing."""

    inc = dec = observe = count


def _nothing(*_: object) -> None:
    """Neither count nor log."""


# What the server uses for its metrics and logs, and what it uses without them.
_USED: tuple[tuple[ModuleType, str, object], ...] = (
    (commits, "observe", _nothing),
    (group_commit, "observe", _nothing),
    (metrics, "RPCS_STARTED", _Silent()),
    (metrics, "OPEN_STREAMS", _Silent()),
    (metrics, "JOBS_SUBMITTED", _Silent()),
    (metrics, "PREDICTION_RATIO", _Silent()),
)


class _Switch:
    def __init__(self, output: TextIO) -> None:
        self._output = output
        self._real = [getattr(module, name) for module, name, _ in _USED]
        self._ended = Session._ended
        self._modes = _modes()
        self._mode = ""
        self._calls = 0
        self._used = 0

    def end(self, session: Session, code: grpc.StatusCode) -> None:
        """End a call as the server does, and begin the next slice after the last one of a slice."""
        if self._mode != "neither":
            self._ended(session, code)
        if session._path == _METHOD:
            self._calls += 1
            if self._calls % SLICE == 0:
                asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        later.run()
        used = time.thread_time_ns() - self._used
        if self._mode:
            self._output.write(f"{self._mode} {used}\n")
            self._output.flush()
        self._mode = next(self._modes)
        for (module, name, nothing), real in zip(_USED, self._real, strict=True):
            setattr(module, name, nothing if self._mode == "neither" else real)
        logs.is_on = self._mode == "both"
        self._used = time.thread_time_ns()


def _modes() -> Iterator[str]:
    """Return the modes of the slices. Each order of the modes has its turn."""
    for order in itertools.cycle(itertools.permutations(MODES)):
        yield from order


if __name__ == "__main__":
    with Path(sys.argv.pop(1)).open("a") as output:
        switch = _Switch(output)
        Session._ended = lambda session, code: switch.end(session, code)  # noqa: PLW0108  # a method
        sys.exit(main())
