"""A server whose metrics and logs a benchmark switches on and off while it runs.

The first argument is a folder; the others are those of `quantcloud`. The program writes its process
id to `pid` there. On SIGUSR1 it reads the wanted mode from `mode`, and writes the processor time
that it has used so far, in nanoseconds, to `used`.
"""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

from quantcloud.__main__ import main
from quantcloud.storage.unit_of_work import group_commit
from quantcloud.telemetry import commits, jobs, logs, metrics

MODES = ("neither", "metrics", "logs")


class _Silent:
    """A metric that counts nothing."""

    def labels(self, *_: object) -> "_Silent":
        return self

    def count(self, *_: object) -> None:
        """Do nothing."""

    inc = dec = set = observe = clear = count


class _Switch:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._real: dict[tuple[Any, str], Any] = {
            (module, name): value
            for module in (metrics, commits)
            for name, value in vars(module).items()
            if isinstance(value, Counter | Gauge | Histogram)
        }
        self._write: Any = None
        self._observe = group_commit.observe

    def turn(self, *_: object) -> None:
        used = time.process_time_ns()
        mode = (self._folder / "mode").read_text()
        silent = _Silent()
        for (module, name), value in self._real.items():
            setattr(module, name, value if mode == "metrics" else silent)
        if self._write is None:
            self._write = logs._write_info
        logs._write_info = self._write if mode == "logs" else logs._ignore
        logs.is_on = mode == "logs"
        group_commit.observe = _nothing if mode == "neither" else jobs.observe
        done = self._folder / "used.new"
        done.write_text(str(used))
        done.rename(self._folder / "used")


def _nothing(events: object) -> None:
    """Neither count nor log the ends of jobs."""


if __name__ == "__main__":
    folder = Path(sys.argv.pop(1))
    signal.signal(signal.SIGUSR1, _Switch(folder).turn)
    (folder / "pid").write_text(str(os.getpid()))
    sys.exit(main())
