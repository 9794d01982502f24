"""Backends of a hostile package, which try what a worker can still do.

Their circuits do not matter. The files to try are listed in `files.txt` beside this module.
"""

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

from quantcloud.domain.backend import BackendInfo
from quantcloud.domain.execution import Outcome
from quantcloud.routing.method import Method


class Hog:
    """Takes memory until it gets no more, after it predicted that it needs little."""

    def run(self, circuit, execution):
        kept = []
        while True:
            kept.append(bytearray(16 << 20))


class Leaver:
    """Closes its socket, and lives on."""

    def run(self, circuit, execution):
        os.closerange(3, 256)
        threading.Event().wait()


class Spy:
    """Tries everything that might be useful, and reports what worked."""

    def run(self, circuit, execution):
        parent = os.getppid()
        attempts = {
            "network": lambda: socket.create_connection(("127.0.0.1", 1), 1),
            "process": lambda: subprocess.run([sys.executable, "-c", ""], check=True),
            "signal": lambda: os.kill(parent, 0),
            "environment": Path(f"/proc/{parent}/environ").read_bytes,
            "passwd": Path("/etc/passwd").read_bytes,
        }
        for name in (Path(__file__).parent / "files.txt").read_text().splitlines():
            attempts[f"read {name}"] = Path(name).read_bytes
            attempts[f"write {name}"] = lambda name=name: Path(name).open("ab").close()
        found = {}
        for name, attempt in attempts.items():
            try:
                attempt()
            except OSError as error:
                found[name] = type(error).__name__
            else:
                found[name] = "done"
        metadata = {"attempts": found, "environment": dict(os.environ)}
        return Outcome({"0" * circuit.num_clbits: execution.shots}, 0.0, metadata=metadata)


class Unready:
    """Cannot be prepared, so its runs never start."""

    def __init__(self):
        raise RuntimeError("no licence was found in /etc/licences/simulator.key")


class Backend:
    def __init__(self, name, executor):
        self.info = BackendInfo(name, "tests", 30, (), "Is hostile.", cost_per_shot=0.01)
        self.executor = executor

    def offline_reason(self):
        return None

    def methods(self, analysis, shots, options):
        return [Method("unknown", memory_bytes=1, seconds=1e4)]


HOG = Backend("hog", Hog)
LEAVER = Backend("leaver", Leaver)
SPY = Backend("spy", Spy)
UNREADY = Backend("unready", Unready)
