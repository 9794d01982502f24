"""The server's Ray driver: a process between the server and its Ray cluster.

If Ray loses its node or the cluster's head, it ends the connected process without an exception in
Python. With a separate process, only the runs are lost, and the server starts another. It is
started as `python -c "from quantcloud.engine.ray.driver import main; main(FD)"` with a clean
environment. It serves the socket FD until the server closes it.
"""

import asyncio
import json
import os
import pickle
import socket
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import Coroutine, Mapping
from importlib import metadata
from typing import Any

import ray
from ray import exceptions
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from quantcloud import DISTRIBUTION
from quantcloud.aio import offload
from quantcloud.backends.resources import Resources
from quantcloud.engine.pool.failure import describe
from quantcloud.engine.ray import messages as ray_messages
from quantcloud.engine.ray.cluster import amounts, can_run, memory_per_core
from quantcloud.engine.ray.messages import Cluster, Configuration, Message, Node, Request
from quantcloud.engine.ray.node import NodeHost, hold
from quantcloud.engine.sandbox import confinement
from quantcloud.engine.sandbox.memory import default_memory_limit

# Ray's own annotations are partial.
_ray: Any = ray

# The label by which Ray tells nodes apart. Ray sets it itself.
_NODE_LABEL = "ray.io/node-id"

# How often the driver lists the nodes, and how long Ray may take to answer, in seconds.
_POLL_SECONDS = 1.0
_POLL_LIMIT = 5.0

# How long a run may take to end after its time limit or its cancellation, in seconds. Then its task
# is killed.
_END_SECONDS = 5.0

# How long the connection to a cluster's address may take, in seconds.
_CONNECT_SECONDS = 5.0

# How long to wait before a host that ended is started again, in seconds.
_HOST_RETRY_SECONDS = 5.0

# Names among a node's totals that make no place for a run.
_NOT_PLACES = ("node:", "accelerator_type:", "object_store_memory", "memory")

_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.NodeDiedError, "the node that ran it is gone"),
    (exceptions.OutOfMemoryError, "its node was short of memory, and Ray ended it"),
    (exceptions.WorkerCrashedError, "its Ray worker ended during the run"),
    (exceptions.ObjectLostError, "its result was lost with its node"),
    (exceptions.TaskCancelledError, "Ray cancelled it"),
)


class Driver:
    """Serves one server on a connected cluster."""

    def __init__(
        self, configuration: Configuration, reader: StreamReader, writer: StreamWriter
    ) -> None:
        self._configuration = configuration
        self._memory_limit = configuration.memory_limit
        self._reader = reader
        self._writer = writer
        # Otherwise Ray ends the worker after each task with a GPU. Our task holds nothing.
        self._hold: Any = _ray.remote(max_calls=0)(hold)
        self._host: Any = _ray.remote(NodeHost)
        self._runs: dict[int, asyncio.Task[None]] = {}
        self._streams: dict[int, Any] = {}
        self._changed = asyncio.Event()
        self._nodes: dict[str, Node] = {}
        self._published: Cluster | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Serve the server until it closes the connection."""
        watching = asyncio.ensure_future(self._watch())
        listening = asyncio.ensure_future(self._listen())
        done, _ = await asyncio.wait((watching, listening), return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def _listen(self) -> None:
        while (message := await ray_messages.receive(self._reader)) is not None:
            if message.kind == ray_messages.RUN:
                work = self._spawn(self._run(message.run, message.payload))
                self._runs[message.run] = work
                # A callback, because the task may be cancelled before it starts.
                work.add_done_callback(lambda _, run=message.run: self._runs.pop(run))
            elif message.run in self._streams:
                self._cancel(message.run)
            elif message.run in self._runs:
                self._runs[message.run].cancel()

    async def _run(self, run: int, payload: bytes) -> None:
        request = Request.unpack(payload)
        limit: asyncio.TimerHandle | None = None
        try:
            avoided = await self._until_able(request.execution.backend)
            task = self._hold.options(**_options(request.resources, avoided))
            self._streams[run] = stream = task.remote(self._configuration.name, payload)
            async for reference in stream:
                kind, answer = await reference
                if kind == ray_messages.BEGUN:
                    # The node enforces the limit. This is for a node that no longer can.
                    limit = asyncio.get_running_loop().call_later(
                        request.time_limit + _END_SECONDS, self._cancel, run
                    )
                self._send(Message(kind, run, answer))
        except Exception as error:  # noqa: BLE001 (on any error of Ray the run is lost)
            self._send(Message(ray_messages.GONE, run, _reason(error).encode()))
        finally:
            self._streams.pop(run, None)
            if limit is not None:
                limit.cancel()

    async def _until_able(self, backend: str) -> list[str]:
        """Wait for a node that can run something on `backend`. Return the nodes that cannot."""
        while True:
            able = [each for each, node in self._nodes.items() if can_run(node, backend)]
            if able:
                return list(self._nodes.keys() - able)
            self._changed.clear()
            await self._changed.wait()

    def _cancel(self, run: int) -> None:
        """Make a run's task kill the run. Make Ray kill the task if it does not end."""
        stream = self._streams[run]
        _ray.cancel(stream)
        asyncio.get_running_loop().call_later(_END_SECONDS, self._kill, run, stream)

    def _kill(self, run: int, stream: Any) -> None:
        if self._streams.get(run) is stream:
            _ray.cancel(stream, force=True)

    async def _watch(self) -> None:
        while True:
            polling: asyncio.Future[list[dict[str, Any]]] = asyncio.ensure_future(
                offload.run(offload.UNKNOWN, _ray.nodes)
            )
            await asyncio.wait((polling,), timeout=_POLL_LIMIT)
            if not polling.done():
                self._publish("the head of the Ray cluster does not answer")
            self._update_nodes(await polling)
            await asyncio.sleep(_POLL_SECONDS)

    def _update_nodes(self, found: list[dict[str, Any]]) -> None:
        """Add new nodes, and remove those that are gone."""
        alive = {node["NodeID"]: node for node in found if node["Alive"]}
        for gone in self._nodes.keys() - alive.keys():
            del self._nodes[gone]
        new = alive.keys() - self._nodes.keys()
        for node_id in new:
            node = alive[node_id]
            if _has_places(node["Resources"]):
                self._nodes[node_id] = Node(node["NodeManagerAddress"], node["Resources"])
        if self._memory_limit is None:
            share = memory_per_core(self._nodes.values())
            self._memory_limit = share or default_memory_limit(len(os.sched_getaffinity(0)))
        for node_id in new & self._nodes.keys():
            self._spawn(self._keep_host(node_id, self._nodes[node_id]))
        self._publish()

    def _publish(self, error: str = "") -> None:
        cluster = Cluster(tuple(self._nodes.values()), self._memory_limit or 0, error)
        if cluster != self._published:
            self._published = cluster
            self._changed.set()
            self._send(Message(ray_messages.NODES, 0, cluster.encode()))

    async def _keep_host(self, node_id: str, node: Node) -> None:
        """Keep a host on a node while the node is part of the cluster."""
        usual = Resources(memory_bytes=self._memory_limit)
        options = {
            "num_cpus": 0,
            "max_concurrency": 2,
            "scheduling_strategy": NodeAffinitySchedulingStrategy(node_id, soft=False),
        }
        own = self._configuration
        while node_id in self._nodes:
            try:
                host = self._host.options(**options).remote(
                    own.name, dict(node.totals), usual, own.hidden
                )
                about = json.loads(await host.start.remote())
                ready = Node(node.address, node.totals, about["offline"], _notes(about))
                self._change(node_id, ready)
                await host.wait.remote()
            except Exception as error:  # noqa: BLE001 (the next try may succeed)
                lost = f"its host ended: {_reason(error)}"
                self._change(node_id, Node(node.address, node.totals, notes=(lost,)))
            await asyncio.sleep(_HOST_RETRY_SECONDS)

    def _change(self, node_id: str, node: Node) -> None:
        if node_id in self._nodes:
            self._nodes[node_id] = node
            self._publish()

    def _send(self, message: Message) -> None:
        self._writer.write(message.pack())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _options(resources: Resources, avoided: list[str]) -> dict[str, Any]:
    """Return how Ray must run the task of a run: once, and not on the nodes `avoided`.

    Ray must not retry, because only the scheduler and its leases know what to try again.
    """
    taken = amounts(resources)
    return {
        "num_cpus": taken.pop("CPU", 0),
        "num_gpus": taken.pop("GPU", 0),
        "memory": int(taken.pop("memory", 0)),
        "resources": taken,
        "num_returns": "streaming",
        "max_retries": 0,
        "label_selector": {_NODE_LABEL: f"!in({','.join(avoided)})"} if avoided else {},
    }


def _has_places(totals: Mapping[str, float]) -> bool:
    return any(amount for name, amount in totals.items() if not name.startswith(_NOT_PLACES))


def _notes(about: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what the operator should know of a node."""
    notes: list[str] = []
    own = metadata.version(DISTRIBUTION)
    if about["version"] != own:
        notes.append(f"it has {DISTRIBUTION} {about['version']}, the server {own}")
    if missing := about["missing"]:
        notes.append(f"its workers run without {' and '.join(missing)}: that machine lacks them")
    return tuple(notes)


def _reason(error: Exception) -> str:
    """Return why a run or a host was lost, in a few words."""
    cause = getattr(error, "cause", None)
    if isinstance(error, exceptions.RayTaskError) and isinstance(cause, Exception):
        error = cause
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason
    return describe(error)


def _connect(configuration: Configuration) -> None:
    """Connect to the cluster. Raises `OSError`; Ray's `ConnectionError` is one."""
    host, _, port = configuration.address.rpartition(":")
    if port:
        # Without this check Ray would try for half a minute.
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
    _ray.init(
        address=configuration.address,
        namespace=configuration.name,
        log_to_driver=False,
        configure_logging=False,
    )


async def _serve(configuration: Configuration, server: socket.socket) -> None:
    reader, writer = await asyncio.open_connection(sock=server)
    await Driver(configuration, reader, writer).serve()


def main(descriptor: int) -> None:
    """Run a driver on the inherited socket `descriptor`."""
    with socket.socket(fileno=descriptor) as server:
        configuration: Configuration = pickle.load(sys.stdin.buffer)  # noqa: S301 (from the server)
        confinement.die_with_parent(configuration.parent)
        try:
            _connect(configuration)
        except Exception as error:  # noqa: BLE001 (the server gets every error)
            reason = describe(error).encode()
            server.sendall(Message(ray_messages.REFUSED, 0, reason).pack())
            return
        confinement.ignore_signals()  # Ray set its own handlers
        asyncio.run(_serve(configuration, server))
        # Ray ends the tasks and hosts of this driver when it is gone. An orderly exit could hang on
        # threads that wait for a silent head.
        os._exit(0)
