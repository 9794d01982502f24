"""The engine of a Ray cluster: circuits run on its nodes, and are looked at on this machine.

The serving process is no part of the cluster. It has a driver (see `driver`), a process that
is, and asks it; that costs a message, and the server outlives whatever becomes of the cluster.
"""

import asyncio
import importlib.util
import itertools
import logging
import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace

from quantcloud import DISTRIBUTION
from quantcloud.backends.base import Backend
from quantcloud.backends.resources import Resources, resources_of
from quantcloud.domain.execution import Execution, Outcome
from quantcloud.engine.base import (
    EngineError,
    Examined,
    ExecutionFailed,
    ExecutionTimedOut,
    MachineLost,
    OutOfMemory,
    WorkerLost,
)
from quantcloud.engine.local import LocalEngine
from quantcloud.engine.pool import messages
from quantcloud.engine.pool.decoding import decoded
from quantcloud.engine.ray import messages as ray_messages
from quantcloud.engine.ray.cluster import Places
from quantcloud.engine.ray.configuration import Configuration
from quantcloud.engine.ray.messages import Cluster, Message, Request
from quantcloud.engine.ray.process import DriverProcess

_log = logging.getLogger(__name__)

# How long the first node may take to be ready, in seconds.
_START_LIMIT = 60.0

_ERRORS: Mapping[bytes, type[EngineError]] = {
    ray_messages.FAILED: ExecutionFailed,
    ray_messages.TIMED_OUT: ExecutionTimedOut,
    ray_messages.OUT_OF_MEMORY: OutOfMemory,
    ray_messages.LOST: WorkerLost,
    ray_messages.GONE: MachineLost,
}


class _Run:
    """A run on its way: what it waits for, and whom to tell of its start."""

    def __init__(self, backend: str, request: bytes, on_start: Callable[[], None]) -> None:
        self.backend = backend
        self.request = request
        self.answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self.sent = False
        self.begun = False
        self._on_start = on_start

    def begin(self) -> None:
        self.begun = True
        try:
            self._on_start()
        except Exception as error:  # noqa: BLE001 (handed to the caller, whose it is)
            self.end(error)

    def end(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class RayEngine:
    """Runs circuits on the Ray cluster at `address`, HOST:PORT or `auto` for that of this machine.

    `memory_limit` is what a run may take unless its backend says otherwise, in bytes; unless
    given, a core's share of the node that has least for each. `hidden` are files and folders that
    no circuit is to read. Make, start and stop it on one event loop, in the thread that lives as
    long as it.
    """

    def __init__(
        self,
        address: str,
        backends: Mapping[str, Backend],
        *,
        memory_limit: int | None = None,
        hidden: Iterable[str | os.PathLike[str]] = (),
    ) -> None:
        paths = tuple(os.path.abspath(path) for path in hidden)  # noqa: PTH100 (no Path needed)
        self._examiner = LocalEngine(workers=1, hidden=paths, preload_modules={})
        self._demands = _demands(backends)
        self._configuration = Configuration(
            parent=os.getpid(),
            address=address,
            name=secrets.token_hex(16),
            memory_limit=memory_limit,
            hidden=paths,
        )
        self._driver = DriverProcess(lambda: self._configuration, self._hear, self._lose)
        self._driving: asyncio.Task[None] | None = None
        self._places = Places({})
        self._cluster = Cluster((), 0)
        self._slots = 0
        self._runs: dict[int, _Run] = {}
        self._under_way: Counter[str] = Counter()
        self._numbers = itertools.count(1)
        self._listener: Callable[[], None] = _nothing
        self._first: asyncio.Event = asyncio.Event()
        self._refusal = ""
        self._connected = False
        self._stopped = False

    @property
    def slots(self) -> int:
        return self._slots

    @property
    def backlog(self) -> int:
        return self._slots

    @property
    def trouble(self) -> str | None:
        return None if self._slots else "no node of the Ray cluster is ready"

    def is_ready(self, backend: str) -> bool:
        room = self._places.capacity(backend)
        # One that waits for what is scarce, such as a QPU, is not to keep others from the cores.
        return self._connected and (room >= self._slots or self._under_way[backend] <= room)

    @property
    def memory_limit(self) -> int:
        """The bytes that a run may take unless its backend says otherwise."""
        return self._cluster.memory_limit

    @property
    def memory_limits(self) -> Mapping[str, int]:
        """The bytes that a run on a backend may take, of those that say so."""
        stated = {name: demand.memory_bytes for name, demand in self._demands.items()}
        return {name: limit for name, limit in stated.items() if limit is not None}

    def offline_reason(self, backend: str) -> str | None:
        """Why no node can run anything on a backend; None where one can.

        While no node is ready, it is as it was when one was: jobs wait for it.
        """
        return self._places.offline_reason(backend)

    def subscribe(self, listener: Callable[[], None]) -> None:
        self._listener = listener

    async def start(self) -> None:
        """Connect and wait for a node that is ready. Raises `EngineError` for want of a cluster."""
        if importlib.util.find_spec("ray") is None:
            raise EngineError(f"Ray is not installed: pip install '{DISTRIBUTION}[ray]'")
        await self._examiner.start()
        self._driving = asyncio.ensure_future(self._driver.run())
        with suppress(TimeoutError):
            async with asyncio.timeout(_START_LIMIT):
                await self._first.wait()
        # Jobs are judged by the limit from now on, so that it has to be known.
        if not (self._connected and self.memory_limit):
            address = self._configuration.address
            late = f"it did not answer within {_START_LIMIT:g} s"
            reason = self._refusal or self._cluster.error or late
            await self.stop()
            raise EngineError(f"cannot join the Ray cluster at {address!r}: {reason}")

    async def stop(self) -> None:
        self._stopped = True
        for run in self._runs.values():
            run.end(WorkerLost("the server stopped"))
        if self._driving is not None:
            self._driving.cancel()
            await asyncio.wait((self._driving,))
        await self._examiner.stop()

    async def examine(self, source: str, owner: str = "") -> Examined:
        return await self._examiner.examine(source, owner)

    async def execute(
        self, execution: Execution, *, time_limit: float, on_start: Callable[[], None]
    ) -> Outcome:
        if self._stopped:
            raise WorkerLost("the server stopped")
        demand = self._demands.get(execution.backend)
        if demand is None:
            raise ExecutionFailed(f"there is no backend {execution.backend!r}")
        taken = replace(demand, memory_bytes=demand.memory_bytes or self.memory_limit)
        request = Request.of(execution, time_limit, taken).pack()
        run = _Run(execution.backend, request, on_start)
        number = next(self._numbers)
        self._runs[number] = run
        self._under_way[run.backend] += 1
        if self._connected:
            self._submit(number, run)
        try:
            answer = await run.answer
        except BaseException:
            self._driver.send(Message(ray_messages.CANCEL, number, b""))
            raise
        finally:
            del self._runs[number]
            self._under_way[run.backend] -= 1
        return await _decoded(answer)

    def _submit(self, number: int, run: _Run) -> None:
        run.sent = True
        self._driver.send(Message(ray_messages.RUN, number, run.request))

    def _hear(self, message: Message) -> None:
        if message.kind == ray_messages.NODES:
            self._note(Cluster.decode(message.payload))
        elif message.kind == ray_messages.REFUSED:
            self._refuse(message.payload.decode())
        elif (run := self._runs.get(message.run)) is not None and not run.answer.done():
            if message.kind == ray_messages.BEGUN:
                run.begin()
            else:
                run.answer.set_result(message)

    def _note(self, cluster: Cluster) -> None:
        """Take note of what the cluster is now, and hand over the runs that wait for it."""
        for text in _news(self._cluster, cluster):
            _log.warning("%s", text)
        # The limit stays, whatever nodes there are when the next driver connects. A driver that
        # has seen none yet knows of none.
        limit = cluster.memory_limit or self._configuration.memory_limit
        self._configuration = replace(self._configuration, memory_limit=limit)
        before, self._cluster = self._slots, replace(cluster, memory_limit=limit or 0)
        places = Places(_with_memory(self._demands, self.memory_limit))
        places.update(cluster)
        if places.slots:
            self._places = places
            self._first.set()
        if not self._connected:
            self._connected = True
            _log.info("joined the Ray cluster at %s", self._configuration.address)
            for number, run in self._runs.items():
                if not run.sent:
                    self._submit(number, run)
        self._slots = 0 if cluster.error else places.slots
        if self._slots > before:
            self._listener()

    def _refuse(self, reason: str) -> None:
        if reason != self._refusal:
            _log.error("cannot join the Ray cluster: %s", reason)
        self._refusal = reason
        self._first.set()

    def _lose(self) -> None:
        """End the runs of a driver that ended; those that had not begun wait for the next one."""
        self._connected = False
        self._slots = 0
        for run in self._runs.values():
            run.sent = False
            if run.begun:
                run.end(MachineLost("the connection to the Ray cluster broke"))


def _nothing() -> None:
    pass


def _demands(backends: Mapping[str, Backend]) -> dict[str, Resources]:
    demands: dict[str, Resources] = {}
    for name, backend in backends.items():
        try:
            demands[name] = resources_of(backend)
        except Exception:  # noqa: BLE001 (whatever a package does when it is asked)
            _log.exception("backend %s cannot say what a run takes, and is left out", name)
    return demands


def _with_memory(demands: Mapping[str, Resources], limit: int) -> dict[str, Resources]:
    """What a run of each takes; no memory where the `limit` is not known yet, which is 0."""
    return {
        name: replace(demand, memory_bytes=demand.memory_bytes or limit or None)
        for name, demand in demands.items()
    }


def _news(before: Cluster, after: Cluster) -> list[str]:
    """What the operator should know of a change."""
    known = {(node.address, note) for node in before.nodes for note in node.notes}
    news = [
        f"node {node.address}: {note}"
        for node in after.nodes
        for note in node.notes
        if (node.address, note) not in known
    ]
    return [after.error, *news] if after.error and after.error != before.error else news


async def _decoded(answer: Message) -> Outcome:
    """Give the outcome. Raises what the node says went wrong."""
    if answer.kind == ray_messages.OUTCOME:
        try:
            return await decoded(answer.payload, messages.decode_outcome)
        except messages.MalformedAnswer as error:
            raise WorkerLost("the node's answer made no sense") from error
    raise _ERRORS[answer.kind](answer.payload.decode("utf-8", "replace"))
