"""The fork server: a process that imports the simulators and forks workers.

It has one thread and runs no circuit, so that a fork copies a complete, idle process. It is started
as `python -c "from quantcloud.engine.pool.forkserver import main; main(FD)"` with a clean
environment. Its configuration comes on standard input. It obeys the records of `control` on the
socket FD until the server closes it.
"""

import errno
import gc
import importlib
import os
import pickle
import signal
import socket
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack

from quantcloud.backends.base import Backend, installed_backends
from quantcloud.backends.resources import resources_of
from quantcloud.domain.value_object import value_object
from quantcloud.engine.pool import worker
from quantcloud.engine.pool.control import (
    SIZE,
    Order,
    Record,
    Role,
    unpack,
)
from quantcloud.engine.sandbox.confinement import (
    Confinement,
    die_with_parent,
    ignore_signals,
    readable_paths,
)


@value_object
class Configuration:
    """The configuration that the fork server gets when it starts.

    `parent` is the server's process id. `preload` pairs backends with their modules, in order.
    `memory_limits` are in bytes, one for each `Role`; the server may raise that of a run to
    `most_memory`. `hidden` are paths that no worker may read.
    """

    parent: int
    preload: tuple[tuple[str, tuple[str, ...]], ...]
    memory_limits: tuple[int, int]
    hidden: tuple[str, ...]
    most_memory: int = 0


class ForkServer:
    """Obeys the orders on the socket `control`, one at a time."""

    def __init__(self, control: socket.socket, configuration: Configuration) -> None:
        self._control = control
        self._configuration = configuration
        self._backends: Mapping[str, Backend] = installed_backends()
        self._steps: Iterator[tuple[str, Sequence[str]]] = iter(configuration.preload)
        self._warm: list[str] = []
        self._children: set[int] = set()
        self._readable = readable_paths(configuration.hidden)
        self._has_gpu = _has_gpu(self._backends.values())
        self._pid = os.getpid()

    def serve(self) -> None:
        """Obey orders until the server closes the socket, then kill all workers."""
        try:
            while len(data := self._control.recv(SIZE, socket.MSG_WAITALL)) == SIZE:
                record = unpack(data)
                if record.order is Order.PRELOAD:
                    self._preload()
                elif record.order is Order.FORK:
                    self._fork(Role(record.extra))
                elif record.order is Order.REAP:
                    self._reap(record.value)
        except ConnectionError:
            pass  # the server is gone
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)
        for pid in self._children:
            os.waitpid(pid, 0)

    def _preload(self) -> None:
        name, modules = next(self._steps)
        failed = 0
        try:
            for module in modules:
                importlib.import_module(module)
        except Exception:  # noqa: BLE001 (an import error concerns its backend only)
            traceback.print_exc()
            failed = 1
        self._warm.append("" if failed else name)
        self._readable = readable_paths(self._configuration.hidden)
        # Freeze the imported objects: garbage collection in a worker would copy their pages.
        gc.collect()
        gc.freeze()
        self._send(Record(Order.PRELOADED, len(self._warm), failed))

    def _fork(self, role: Role) -> None:
        with ExitStack() as opened:
            try:
                ours, theirs = map(opened.enter_context, socket.socketpair())
                reading, writing = map(opened.enter_context, socket.socketpair())
                pid = os.fork()
            except OSError as error:
                self._send(Record(Order.FORKED, -(error.errno or errno.EAGAIN), len(self._warm)))
                return
            if pid == 0:
                self._become_worker(theirs, reading, role)
            self._children.add(pid)
            record = Record(Order.FORKED, pid, len(self._warm))
            descriptors = [each.fileno() for each in (ours, reading, writing)]
            socket.send_fds(self._control, [record.pack()], descriptors)

    def _become_worker(self, connection: socket.socket, tokens: socket.socket, role: Role) -> None:
        code = 1
        try:
            die_with_parent(self._pid)
            warm = self._warm if role is Role.EXECUTION else ()
            worker.run(connection, tokens, self._backends, warm, self.confinement(role))
            code = 0
        except BaseException:  # noqa: BLE001 (any error ends the process here)
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            # Skip the exit handlers that the parent registered.
            os._exit(code)

    def confinement(self, role: Role) -> Confinement:
        """Return the limits of a worker."""
        gpu = self._has_gpu and role is Role.EXECUTION
        usual = self._configuration.memory_limits[role]
        most = self._configuration.most_memory if role is Role.EXECUTION else usual
        return Confinement(usual, self._readable, gpu, most)

    def _reap(self, pid: int) -> None:
        if pid not in self._children:
            return
        self._children.remove(pid)
        # It may have closed its socket and still live. Its id is valid until it is reaped.
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        self._send(Record(Order.REAPED, pid, os.waitstatus_to_exitcode(status)))

    def _send(self, record: Record) -> None:
        self._control.sendall(record.pack())


def _has_gpu(backends: Iterable[Backend]) -> bool:
    """Return whether CUDA sees a GPU and an online backend uses one for a run."""
    shown = os.environ.get("CUDA_VISIBLE_DEVICES") not in ("", "-1")
    return shown and any(map(_takes_gpu, backends))


def _takes_gpu(backend: Backend) -> bool:
    try:
        return resources_of(backend).gpus > 0 and backend.offline_reason() is None
    except Exception:  # noqa: BLE001 (a package may raise anything)
        return False


def main(descriptor: int) -> None:
    """Run the fork server on the inherited socket `descriptor`."""
    ignore_signals()
    with socket.socket(fileno=descriptor) as control:
        configuration: Configuration = pickle.load(sys.stdin.buffer)  # noqa: S301 (from the server)
        die_with_parent(configuration.parent)
        ForkServer(control, configuration).serve()
