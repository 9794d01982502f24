"""Starts the fork server, keeps it running, and orders workers from it."""

import asyncio
import logging
import os
import socket
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import IO

from quantcloud.aio import offload
from quantcloud.engine.pool import child, control
from quantcloud.engine.pool.control import Order, Record, Role
from quantcloud.engine.pool.forkserver import Configuration
from quantcloud.engine.pool.start_tokens import StartTokens
from quantcloud.engine.pool.worker_process import WorkerProcess
from quantcloud.engine.sandbox import confinement
from quantcloud.telemetry import metrics

_log = logging.getLogger(__name__)

_PROGRAM = "from quantcloud.engine.pool.forkserver import main; main({})"

# Seconds before the fork server is started again. Each time it ends without having been useful,
# the delay doubles.
_FIRST_DELAY = 0.1
_LONGEST_DELAY = 10.0

# How much of the fork server's standard error goes to the log, in bytes.
_MAX_ERROR_TEXT = 4096


class ForkFailed(Exception):
    """The system could not start a process."""


class Supervisor:
    """One fork server and all of its workers, on one event loop.

    `on_preloaded` is called after each backend's modules are imported. The next imports start after
    it returns, so workers that it orders are forked first. `environment` is added to the workers'
    environment.
    """

    def __init__(
        self,
        configuration: Configuration,
        on_preloaded: Callable[[], None],
        environment: Mapping[str, str],
    ) -> None:
        self._configuration = configuration
        self._environment = environment
        self._on_preloaded = on_preloaded
        self._positions = {name: 1 + i for i, (name, _) in enumerate(configuration.preload)}
        self._preloaded = 0
        self._reached = [asyncio.Event() for _ in configuration.preload]
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._errors: IO[bytes] | None = None
        self._input = bytearray()
        self._output = bytearray()
        # The descriptors that came with the record that is being read.
        self._descriptors: list[int] = []
        self._orders: deque[tuple[Role, asyncio.Future[WorkerProcess]]] = deque()
        self._workers: dict[int, WorkerProcess] = {}
        self._restarting: asyncio.Task[None] | None = None
        self._delay = _FIRST_DELAY
        self._stopping = False

    @property
    def preloaded(self) -> int:
        """How many backends, in the order of the configuration, are imported."""
        return self._preloaded

    @property
    def is_warm(self) -> bool:
        return self._preloaded == len(self._reached)

    @property
    def is_running(self) -> bool:
        """Whether the fork server runs."""
        return self._control is not None

    def position(self, backend: str) -> int:
        """Return the backend's position in the order of preloading, from 1; 0 if it has none."""
        return self._positions.get(backend, 0)

    async def until_preloaded(self, backend: str) -> None:
        """Wait until the modules of `backend` are imported, if it has any, or until `stop`."""
        if position := self.position(backend):
            await self._reached[position - 1].wait()

    def is_preloaded(self, backend: str) -> bool:
        """Whether `until_preloaded` would return at once."""
        position = self.position(backend)
        return not position or self._reached[position - 1].is_set()

    def start(self) -> None:
        """Start the fork server. Call it on the thread of the event loop.

        The kernel kills the fork server when that thread ends. Raises `OSError` and starts nothing.
        """
        environment = confinement.environment(confinement.import_path(), os.environ)
        with ExitStack() as opened:
            # Kept open as long as the process. The previous one is closed after the new start.
            errors = opened.enter_context(tempfile.TemporaryFile())
            self._process, ours = child.start(
                _PROGRAM,
                {**environment, **self._environment},
                errors,
                "/",
                self._configuration,
            )
            opened.pop_all()
        if self._errors is not None:
            self._errors.close()
        self._errors = errors
        ours.setblocking(False)  # noqa: FBT003 (the standard library's signature)
        self._control = ours
        asyncio.get_running_loop().add_reader(ours, self._readable)
        for role, _ in self._orders:
            self._send(Record(Order.FORK, extra=role))
        self._preload_next()

    def fork(self, role: Role) -> asyncio.Future[WorkerProcess]:
        """Order a worker. The future may fail with `ForkFailed`."""
        future: asyncio.Future[WorkerProcess] = asyncio.get_running_loop().create_future()
        self._orders.append((role, future))
        if self._control is not None:
            self._send(Record(Order.FORK, extra=role))
        return future

    async def stop(self) -> None:
        """End the fork server and its workers."""
        self._stopping = True
        if self._restarting is not None:
            self._restarting.cancel()
        # A run that waits for an import goes on, and finds that the engine is stopped.
        for event in self._reached:
            event.set()
        for worker in tuple(self._workers.values()):
            worker.kill()
        for _, future in self._orders:
            future.cancel()
        self._orders.clear()
        process = self._process
        self._hang_up()
        if process is not None:
            # It does not read its socket while it imports.
            if not self.is_warm:
                process.kill()
            await offload.run(offload.UNKNOWN, child.wait, process)
        self._abandon_workers()
        self._process = None
        if self._errors is not None:
            self._errors.close()
            self._errors = None

    def _readable(self) -> None:
        assert self._control is not None  # noqa: S101 (the reader is removed with the socket)
        try:
            data, descriptors, _, _ = socket.recv_fds(
                self._control, control.SIZE - len(self._input), control.DESCRIPTORS
            )
        except BlockingIOError:
            return
        except ConnectionError:
            data, descriptors = b"", []
        self._descriptors.extend(descriptors)
        if not data:
            self._lost()
            return
        self._input += data
        if len(self._input) == control.SIZE:
            record, descriptors = control.unpack(bytes(self._input)), self._descriptors
            self._input.clear()
            self._descriptors = []
            self._handle(record, descriptors)

    def _handle(self, record: Record, descriptors: Sequence[int]) -> None:
        if self.is_warm:
            self._delay = _FIRST_DELAY
        if record.order is Order.PRELOADED:
            self._note_preloaded(record.value, failed=bool(record.extra))
        elif record.order is Order.REAPED:
            # A worker of which not all sockets arrived is not in the table.
            worker = self._workers.pop(record.value, None)
            if worker is not None:
                worker.exit_status.set_result(record.extra)
        elif record.order is Order.FORKED:
            _, future = self._orders.popleft()
            self._note_forked(record, descriptors, future)

    def _note_forked(
        self, record: Record, descriptors: Sequence[int], future: asyncio.Future[WorkerProcess]
    ) -> None:
        sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
        if record.value < 0 or len(sockets) < control.DESCRIPTORS:
            for each in sockets:
                each.close()
            reason = "no open file for a worker"
            if record.value < 0:
                reason = f"no process for a worker: {os.strerror(-record.value)}"
            else:
                self._send(Record(Order.REAP, record.value))
            if not future.done():
                future.set_exception(ForkFailed(reason))
            return
        connection, reading, writing = sockets
        start_tokens = StartTokens(reading, writing)
        worker = WorkerProcess(record.value, record.extra, connection, start_tokens, self._ended)
        self._workers[record.value] = worker
        metrics.WORKER_STARTS.inc()
        if future.done():
            worker.kill()
        else:
            future.set_result(worker)

    def _ended(self, worker: WorkerProcess) -> None:
        if self._control is not None and worker.pid in self._workers:
            self._send(Record(Order.REAP, worker.pid))

    def _note_preloaded(self, count: int, *, failed: bool) -> None:
        self._preloaded = count
        if failed:
            name = self._configuration.preload[count - 1][0]
            _log.warning("imports for backend %s failed: %s", name, self._error_text())
        self._on_preloaded()
        self._reached[count - 1].set()
        self._preload_next()

    def _preload_next(self) -> None:
        if not self.is_warm:
            self._send(Record(Order.PRELOAD))

    def _send(self, record: Record) -> None:
        self._output += record.pack()
        self._flush()

    def _flush(self) -> None:
        """Write as much as the socket takes now; during imports the fork server reads little."""
        if self._control is None:
            return
        loop = asyncio.get_running_loop()
        with suppress(BlockingIOError):
            try:
                del self._output[: self._control.send(self._output)]
            except ConnectionError:
                self._output.clear()  # the reader will see that the fork server ended
        if self._output:
            loop.add_writer(self._control, self._flush)
        else:
            loop.remove_writer(self._control)

    def _lost(self) -> None:
        """Start the fork server again after it ended; its workers ended with it."""
        process = self._process
        self._hang_up()
        self._abandon_workers()
        self._preloaded = 0
        for event in self._reached:
            event.clear()
        if not self._stopping and process is not None:
            self._restarting = asyncio.ensure_future(self._restart(process))

    async def _restart(self, process: subprocess.Popen[bytes]) -> None:
        await offload.run(offload.UNKNOWN, child.wait, process)
        text = self._error_text()
        _log.error("the fork server ended with status %s: %s", process.returncode, text)
        while True:
            await asyncio.sleep(self._delay)
            self._delay = min(2 * self._delay, _LONGEST_DELAY)
            try:
                self.start()
            except OSError as error:
                _log.error("the fork server cannot be started: %s", error)
            else:
                return

    def _abandon_workers(self) -> None:
        for worker in self._workers.values():
            worker.abandon()
            if not worker.exit_status.done():
                worker.exit_status.set_result(None)
        self._workers.clear()

    def _hang_up(self) -> None:
        if self._control is not None:
            asyncio.get_running_loop().remove_reader(self._control)
            asyncio.get_running_loop().remove_writer(self._control)
            self._control.close()
            self._control = None
        self._input.clear()
        self._output.clear()
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors = []

    def _error_text(self) -> str:
        if self._errors is None:
            return ""
        return child.tail(self._errors, _MAX_ERROR_TEXT)
