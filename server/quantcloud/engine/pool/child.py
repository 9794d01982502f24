"""Processes of Python that the server starts beside itself and talks to over a socket."""

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from typing import IO

# How long one may take to end when the server hangs up, in seconds.
_PATIENCE = 2.0


def start(
    program: str,
    environment: Mapping[str, str],
    errors: IO[bytes],
    folder: str,
    configuration: bytes,
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start `program`, in which `{}` stands for the number of its socket; the server's end of that.

    It has this environment alone, works in `folder`, writes its errors to `errors`, and is told
    `configuration` first. Raises `OSError`, with nothing left open or running.
    """
    with ExitStack() as undoing:
        ours, theirs = socket.socketpair()
        undoing.callback(ours.close)
        with theirs:
            process = subprocess.Popen(  # noqa: S603 (this interpreter, a program of ours)
                [sys.executable, "-P", "-c", program.format(theirs.fileno())],
                env=environment,
                cwd=folder,
                umask=0o077,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                pass_fds=[theirs.fileno()],
                # Its own session: what a terminal sends to the server's group does not reach it.
                start_new_session=True,
            )
        undoing.callback(process.wait)
        undoing.callback(process.kill)
        ours.sendall(configuration)
        undoing.pop_all()
    return process, ours


def wait(process: subprocess.Popen[bytes]) -> None:
    """Wait for the end of one that was hung up on, and bring it about where it does not come."""
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def tail(errors: IO[bytes], length: int) -> str:
    """Give the last `length` bytes of what one wrote to its errors, as text."""
    size = os.fstat(errors.fileno()).st_size
    data = os.pread(errors.fileno(), length, max(0, size - length))
    return data.decode("utf-8", "replace").strip()
