"""The parts that Ray runs on the nodes: a host on each node, and a task for each run.

The task takes the run's resources from Ray and holds them. The host is an actor with the same fork
server and confined workers as the engine of one machine, and runs the circuit. The task talks to
the host over a local socket, and each sees at once when the other ends; a run without its task is
killed. So Ray's processes, which have all rights of their user, never touch a circuit, and stay
warm when a run is killed.
"""

import asyncio
import json
import os
import select
import signal
import socket
import struct
import threading
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from typing import Any

import ray

from quantcloud import DISTRIBUTION
from quantcloud.aio import offload
from quantcloud.backends.base import installed_backends
from quantcloud.backends.fleet import offline_reasons
from quantcloud.backends.resources import Resources, resources_of
from quantcloud.engine.base import EngineError
from quantcloud.engine.local import LocalEngine
from quantcloud.engine.pool import messages
from quantcloud.engine.pool.preload import known_modules
from quantcloud.engine.ray import messages as ray_messages
from quantcloud.engine.ray.cluster import capacity
from quantcloud.engine.ray.messages import Request
from quantcloud.engine.sandbox.confinement import missing_protections

# Ray's own annotations are partial.
_ray: Any = ray

# From a task to its host: the GPUs that Ray assigned, and the run.
_GPUS = b"g"
_RUN = ray_messages.RUN

# How long a task waits for its node's host, in seconds, since a new host is still starting.
_HOST_SECONDS = 60.0
_RETRY_SECONDS = 0.1

_KINDS = {error: kind for kind, error in ray_messages.ERRORS.items()}

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS")

_PEER = struct.Struct("3i")

Pool = tuple[float, int, str]


class HostGone(Exception):
    """The host of this node does not answer, or it ended during the run."""


class NodeHost:
    """Runs circuits on a node for one server, whose unique name is `name`.

    `totals` maps Ray's resource names to what the node has. `usual` is what a run takes unless its
    backend says otherwise. `hidden` are paths that no circuit may read.
    """

    def __init__(
        self, name: str, totals: Mapping[str, float], usual: Resources, hidden: tuple[str, ...]
    ) -> None:
        self._name = name
        self._totals = totals
        self._usual = usual
        self._hidden = hidden
        self._pools: dict[Pool, LocalEngine] = {}
        # The host has its own loop, in a thread that lives as long as the process. Ray's loop may
        # be another library's, and the kernel kills workers when the thread of their loop ends.
        self._loop = asyncio.SelectorEventLoop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="host")
        self._server: asyncio.Server | None = None

    def start(self) -> str:
        """Start to serve. Return the facts about the node as JSON."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        about = {
            "version": metadata.version(DISTRIBUTION),
            "missing": missing_protections(),
            "offline": offline_reasons(installed_backends()),
        }
        return json.dumps(about)

    def wait(self) -> None:
        """Never return. The caller learns of the process's end when this call fails."""
        self._thread.join()

    async def _start(self) -> None:
        await self._pool(self._usual, "")
        path = _address(self._name)
        self._server = await asyncio.start_unix_server(self._serve, path=path)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            if _user(writer.get_extra_info("socket")) != os.getuid():
                return
            gpus = (await _receive(reader)).payload.decode()
            request = Request.unpack((await _receive(reader)).payload)
            running = asyncio.ensure_future(self._run(request, gpus, writer))
            hangup = asyncio.ensure_future(reader.read(1))
            await asyncio.wait((running, hangup), return_when=asyncio.FIRST_COMPLETED)
            running.cancel()
            hangup.cancel()
            await asyncio.wait((running, hangup))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the task is gone
        finally:
            writer.close()

    async def _run(self, request: Request, gpus: str, writer: StreamWriter) -> None:
        try:
            engine = await self._pool(request.resources, gpus)
        except OSError as error:
            reason = f"its node could not start workers: {error.strerror}"
            writer.write(messages.frame(ray_messages.GONE, reason.encode()))
            await writer.drain()
            return
        try:
            outcome = await engine.execute(
                request.execution,
                time_limit=request.time_limit,
                on_start=lambda: writer.write(messages.frame(ray_messages.BEGUN)),
            )
        except EngineError as error:
            kind = _KINDS.get(type(error), ray_messages.LOST)
            writer.write(messages.frame(kind, str(error).encode()))
        else:
            answer = await offload.run(offload.UNKNOWN, messages.encode_outcome, outcome)
            writer.write(messages.frame(ray_messages.OUTCOME, answer))
        await writer.drain()

    async def _pool(self, resources: Resources, gpus: str) -> LocalEngine:
        """Return the workers for runs that take `resources`, on the GPUs with these numbers."""
        key = (resources.cpus, resources.memory_bytes or 0, gpus)
        if key not in self._pools:
            engine = LocalEngine(
                workers=max(1, capacity(self._totals, resources)),
                memory_limit=resources.memory_bytes,
                hidden=self._hidden,
                preload_modules=_modules(resources, self._usual),
                environment=_environment(resources.cpus, gpus),
            )
            # `start` does not yield to the event loop, so two runs at once cannot make two engines.
            await engine.start()
            self._pools[key] = engine
        return self._pools[key]


def hold(name: str, request: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Be a run's task: have the node's host run it, and yield each message of the host.

    Raises `HostGone`. An interrupt, by which Ray cancels a task, kills the run.
    """
    # The result is not always complete: a task without accelerators may have no entry.
    gpus = _ray.get_runtime_context().get_accelerator_ids().get("GPU", [])
    with _connected(name) as connection, _interrupt_socket() as interrupted:
        connection.sendall(messages.frame(_GPUS, ",".join(gpus).encode()))
        connection.sendall(messages.frame(_RUN, request))
        kind = ray_messages.BEGUN
        while kind == ray_messages.BEGUN:
            kind, length = messages.HEADER.unpack(
                _receive_exactly(connection, interrupted, messages.HEADER.size)
            )
            yield kind, _receive_exactly(connection, interrupted, length)


def _modules(resources: Resources, usual: Resources) -> dict[str, tuple[str, ...]]:
    """Return the modules to import for the backends whose runs take these resources."""
    backends = installed_backends()

    def takes(name: str) -> tuple[float, float, int | None]:
        own = resources_of(backends[name])
        return own.cpus, own.gpus, own.memory_bytes or usual.memory_bytes

    wanted = (resources.cpus, resources.gpus, resources.memory_bytes)
    return {name: modules for name, modules in known_modules().items() if takes(name) == wanted}


def _environment(cpus: float, gpus: str) -> dict[str, str]:
    threads = str(max(1, int(cpus)))
    return {"CUDA_VISIBLE_DEVICES": gpus, **dict.fromkeys(_THREADS, threads)}


def _address(name: str) -> str:
    """Return the address of this node's host, in Linux's abstract namespace instead of a file."""
    node = _ray.get_runtime_context().get_node_id()
    return f"\0quantcloud-{name}-{node}"


def _user(connection: socket.socket) -> int:
    """Return the user id of the other side."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    _, user, _ = _PEER.unpack(credentials)
    return user


async def _receive(reader: StreamReader) -> messages.Frame:
    kind, length = messages.HEADER.unpack(await reader.readexactly(messages.HEADER.size))
    return messages.Frame(kind, await reader.readexactly(length))


@contextmanager
def _connected(name: str) -> Generator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        deadline = time.monotonic() + _HOST_SECONDS
        while True:
            try:
                connection.connect(_address(name))
            except ConnectionError as error:
                if time.monotonic() > deadline:
                    raise HostGone("this node's host does not answer") from error
                time.sleep(_RETRY_SECONDS)
            else:
                break
        if _user(connection) != os.getuid():
            raise HostGone("something else answers in place of this node's host")
        yield connection


@contextmanager
def _interrupt_socket() -> Generator[socket.socket]:
    """Yield a socket that becomes readable when this thread is interrupted.

    Ray interrupts by `_thread.interrupt_main`, which alone does not end a wait in the kernel.
    """
    interrupted, alarm = socket.socketpair()
    with interrupted, alarm:
        alarm.setblocking(False)  # noqa: FBT003 (the standard library's signature)
        previous = signal.set_wakeup_fd(alarm.fileno(), warn_on_full_buffer=False)
        try:
            yield interrupted
        finally:
            signal.set_wakeup_fd(previous)


def _receive_exactly(connection: socket.socket, interrupted: socket.socket, length: int) -> bytes:
    buffer = bytearray()
    while len(buffer) < length:
        readable, _, _ = select.select([connection, interrupted], [], [])
        if interrupted in readable and signal.SIGINT in interrupted.recv(4096):
            # Usually it has been raised by now. It may be lost if it came inside Ray's own code.
            raise KeyboardInterrupt
        if connection in readable:
            data = connection.recv(min(length - len(buffer), 1 << 20))
            if not data:
                raise HostGone("the host of the node ended during the run")
            buffer += data
    return bytes(buffer)
