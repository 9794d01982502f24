"""The engine of a Ray cluster: circuits run on its nodes, and are analysed on this machine.

The serving process is not part of the cluster. It talks to a driver (see `driver`), a process that
is. That costs a message, but the server survives any failure of the cluster.
"""

import asyncio
import importlib.util
import itertools
import logging
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace

from quantcloud import DISTRIBUTION
from quantcloud.aio import offload
from quantcloud.aio.offload import Work
from quantcloud.backends.base import Backend
from quantcloud.backends.resources import Resources, resources_of
from quantcloud.domain.execution import Execution, Outcome
from quantcloud.engine.base import EngineError, ExecutionFailed, MachineLost, WorkerLost
from quantcloud.engine.examining import STOPPED, ExaminingEngine
from quantcloud.engine.pool import messages
from quantcloud.engine.ray import messages as ray_messages
from quantcloud.engine.ray.cluster import Places
from quantcloud.engine.ray.messages import Cluster, Configuration, Message, Request
from quantcloud.engine.ray.process import DriverProcess
from quantcloud.engine.sandbox.memory import default_memory_limit

_log = logging.getLogger(__name__)

# How long to wait for the first ready node, in seconds.
_START_LIMIT = 60.0


class _Run:
    """A run in progress: its answer, and the callback of its start."""

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
        except Exception as error:  # noqa: BLE001 (the caller gets the error of its callback)
            self.end(error)

    def end(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class RayEngine(ExaminingEngine):
    """Runs circuits on the Ray cluster at `address`: HOST:PORT, or `auto` for this machine's.

    `memory_limit` is the most memory of a run unless its backend says otherwise, in bytes; the
    default is one core's share on the node that has the least for each core. See `ExaminingEngine`.
    """

    def __init__(
        self,
        address: str,
        backends: Mapping[str, Backend],
        *,
        memory_limit: int | None = None,
        hidden: Iterable[str | os.PathLike[str]] = (),
    ) -> None:
        super().__init__(
            memory_limit=default_memory_limit(1), hidden=hidden, preload={}, environment={}
        )
        self._demands = _demands(backends)
        self._configuration = Configuration(
            parent=os.getpid(),
            address=address,
            name=secrets.token_hex(16),
            memory_limit=memory_limit,
            hidden=self._hidden,
        )
        self._driver = DriverProcess(lambda: self._configuration, self._received, self._lost)
        self._driver_task: asyncio.Task[None] | None = None
        self._places = Places({})
        self._cluster = Cluster((), 0)
        self._slots = 0
        self._runs: dict[int, _Run] = {}
        self._numbers = itertools.count(1)
        self._listener: Callable[[], None] = lambda: None
        self._decided: asyncio.Event = asyncio.Event()
        self._refusal = ""
        self._connected = False
        self._stopped = False

    @property
    def slots(self) -> int:
        return self._slots

    @property
    def cores(self) -> int:
        # The `cpus` of a backend decide how many threads its runs have.
        return 0

    @property
    def backlog(self) -> int:
        return self._slots

    @property
    def trouble(self) -> str | None:
        return None if self._slots else "no node of the Ray cluster is ready"

    def is_ready(self, backend: str) -> bool:
        room = self._places.capacity(backend)
        in_progress = sum(run.backend == backend for run in self._runs.values())
        # A run that waits for something scarce, such as a QPU, must not keep others from the cores.
        return self._connected and (room >= self._slots or in_progress <= room)

    @property
    def memory_limit(self) -> int:
        """The most memory that a run may use unless its backend says otherwise, in bytes."""
        return self._cluster.memory_limit

    @property
    def memory_limits(self) -> Mapping[str, int]:
        """The most memory that a run may use, in bytes, for each backend that states it."""
        stated = {name: demand.memory_bytes for name, demand in self._demands.items()}
        return {name: limit for name, limit in stated.items() if limit is not None}

    def offline_reason(self, backend: str) -> str | None:
        """Return why no node can run anything on a backend; None if one can.

        While no node is ready, the last known answer holds, because jobs wait for a node.
        """
        return self._places.offline_reason(backend)

    def subscribe(self, listener: Callable[[], None]) -> None:
        self._listener = listener

    async def start(self) -> None:
        """Connect and wait for a ready node. Raises `EngineError` if there is no cluster."""
        if importlib.util.find_spec("ray") is None:
            raise EngineError(f"Ray is not installed: pip install '{DISTRIBUTION}[ray]'")
        await super().start()
        self._driver_task = asyncio.ensure_future(self._driver.run())
        with suppress(TimeoutError):
            async with asyncio.timeout(_START_LIMIT):
                await self._decided.wait()
        # The limit must be known, because jobs are checked against it from now on.
        if not (self._connected and self.memory_limit):
            address = self._configuration.address
            late = f"it did not answer within {_START_LIMIT:g} s"
            reason = self._refusal or self._cluster.error or late
            await self.stop()
            raise EngineError(f"cannot join the Ray cluster at {address!r}: {reason}")

    async def stop(self) -> None:
        self._stopped = True
        for run in self._runs.values():
            run.end(WorkerLost(STOPPED))
        await super().stop()
        if self._driver_task is not None:
            self._driver_task.cancel()
            await asyncio.wait((self._driver_task,))

    async def execute(
        self, execution: Execution, *, time_limit: float, on_start: Callable[[], None]
    ) -> Outcome:
        if self._stopped:
            raise WorkerLost(STOPPED)
        demand = self._demands.get(execution.backend)
        if demand is None:
            raise ExecutionFailed(f"there is no backend {execution.backend!r}")
        taken = replace(demand, memory_bytes=demand.memory_bytes or self.memory_limit)
        execution = replace(execution, threads=max(1, int(taken.cpus)))
        request = Request(execution, time_limit, taken).pack()
        run = _Run(execution.backend, request, on_start)
        number = next(self._numbers)
        self._runs[number] = run
        if self._connected:
            self._submit(number, run)
        try:
            answer = await run.answer
        except BaseException:
            self._driver.send(Message(ray_messages.CANCEL, number, b""))
            raise
        finally:
            del self._runs[number]
        return await _decoded(answer, execution)

    def _submit(self, number: int, run: _Run) -> None:
        run.sent = True
        self._driver.send(Message(ray_messages.RUN, number, run.request))

    def _received(self, message: Message) -> None:
        if message.kind == ray_messages.NODES:
            self._update_cluster(Cluster.decode(message.payload))
        elif message.kind == ray_messages.REFUSED:
            self._refuse(message.payload.decode())
        elif (run := self._runs.get(message.run)) is not None and not run.answer.done():
            if message.kind == ray_messages.BEGUN:
                run.begin()
            else:
                run.answer.set_result(message)

    def _update_cluster(self, cluster: Cluster) -> None:
        """Take over the new state of the cluster, and submit the runs that wait for it."""
        for text in _new_notes(self._cluster, cluster):
            _log.warning("%s", text)
        # Keep the limit for the next driver, which may connect to other nodes. A driver that has
        # seen no node yet reports no limit.
        limit = cluster.memory_limit or self._configuration.memory_limit
        self._configuration = replace(self._configuration, memory_limit=limit)
        before, self._cluster = self._slots, replace(cluster, memory_limit=limit or 0)
        places = Places(_with_memory(self._demands, self.memory_limit), cluster.nodes)
        if places.slots:
            self._places = places
            self._decided.set()
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
        self._decided.set()

    def _lost(self) -> None:
        """End the started runs of a driver that ended. The other runs wait for the next driver."""
        self._connected = False
        self._slots = 0
        for run in self._runs.values():
            run.sent = False
            if run.begun:
                run.end(MachineLost("the connection to the Ray cluster broke"))


def _demands(backends: Mapping[str, Backend]) -> dict[str, Resources]:
    demands: dict[str, Resources] = {}
    for name, backend in backends.items():
        try:
            demands[name] = resources_of(backend)
        except Exception:  # noqa: BLE001 (a package may raise anything)
            _log.exception("backend %s cannot say what a run takes, and is left out", name)
    return demands


def _with_memory(demands: Mapping[str, Resources], limit: int) -> dict[str, Resources]:
    """Add `limit` to demands without a memory limit; 0 means that the limit is unknown."""
    return {
        name: replace(demand, memory_bytes=demand.memory_bytes or limit or None)
        for name, demand in demands.items()
    }


def _new_notes(before: Cluster, after: Cluster) -> list[str]:
    """Return what the operator should know of a change."""
    known = {(node.address, note) for node in before.nodes for note in node.notes}
    new = [
        f"node {node.address}: {note}"
        for node in after.nodes
        for note in node.notes
        if (node.address, note) not in known
    ]
    return [after.error, *new] if after.error and after.error != before.error else new


async def _decoded(answer: Message, execution: Execution) -> Outcome:
    """Return the outcome. Raises the `EngineError` that the node reports."""
    if answer.kind == ray_messages.OUTCOME:
        try:
            cost = Work.ANSWER.cost(len(answer.payload))
            return await offload.run(cost, messages.decode_outcome, answer.payload, execution.sweep)
        except messages.MalformedAnswer as error:
            raise WorkerLost("the node sent an invalid answer") from error
    raise ray_messages.ERRORS[answer.kind](answer.payload.decode("utf-8", "replace"))
