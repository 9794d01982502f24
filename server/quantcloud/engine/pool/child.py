"""Python processes that the server starts and talks to over a socket."""

import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from typing import IO

# How long a process may take to end after the server closes its socket, in seconds.
_END_SECONDS = 2.0


def start(
    program: str,
    environment: Mapping[str, str],
    errors: IO[bytes],
    folder: str,
    configuration: object,
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start `program` and return the process and the server's end of its socket.

    `{}` in `program` stands for the descriptor of its socket. The process has only `environment`,
    works in `folder`, writes its errors to `errors`, and gets `configuration` as a pickle on its
    standard input. Raises `OSError`, with nothing left open or running.
    """
    with ExitStack() as cleanup:
        ours, theirs = socket.socketpair()
        cleanup.callback(ours.close)
        with theirs:
            process = subprocess.Popen(  # noqa: S603 (this interpreter, a program of ours)
                [sys.executable, "-P", "-c", program.format(theirs.fileno())],
                env=environment,
                cwd=folder,
                umask=0o077,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                pass_fds=[theirs.fileno()],
                # A process group of its own, so that signals from a terminal do not reach it. In a
                # session of its own, Linux would compare its priority with no other process's.
                process_group=0,
            )
        cleanup.callback(process.wait)
        cleanup.callback(process.kill)
        assert process.stdin is not None  # noqa: S101 (it is a pipe)
        with process.stdin:
            pickle.dump(configuration, process.stdin)
        cleanup.pop_all()
    return process, ours


def wait(process: subprocess.Popen[bytes]) -> None:
    """Wait for the end of a process whose socket was closed; kill it if it takes too long."""
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def tail(errors: IO[bytes], length: int) -> str:
    """Return the last `length` bytes of a process's errors, as text."""
    size = os.fstat(errors.fileno()).st_size
    data = os.pread(errors.fileno(), length, max(0, size - length))
    return data.decode("utf-8", "replace").strip()
