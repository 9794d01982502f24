"""The messages between the server, its Ray driver and the nodes of the cluster.

Between server and driver a frame is its kind, its run (0 for none), its length and a payload. On a
node a frame is as in `pool.messages`, with more kinds. On the way back nothing is pickled except by
Ray itself, between the driver and Ray's workers, which run no circuits.
"""

import json
import pickle
import struct
from asyncio import IncompleteReadError, StreamReader
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, NamedTuple

from quantcloud.backends.resources import Resources
from quantcloud.domain.execution import Execution
from quantcloud.domain.value_object import value_object
from quantcloud.engine.base import (
    EngineError,
    ExecutionFailed,
    ExecutionTimedOut,
    MachineLost,
    OutOfMemory,
    WorkerLost,
)
from quantcloud.engine.pool import messages

# To the driver.
RUN = b"x"
CANCEL = b"c"

# From the driver: for each run BEGUN, then one of the others. NODES whenever the cluster changed.
# From a node: the same for its one run.
BEGUN = messages.READY
OUTCOME = messages.OUTCOME
FAILED = messages.FAILED
OUT_OF_MEMORY = messages.OUT_OF_MEMORY
TIMED_OUT = b"t"
LOST = b"l"
GONE = b"g"  # from the driver: not the worker but a part of the cluster ended
NODES = b"n"
REFUSED = b"d"  # there is no cluster to connect to; the payload says why

ERRORS: Mapping[bytes, type[EngineError]] = {
    FAILED: ExecutionFailed,
    TIMED_OUT: ExecutionTimedOut,
    OUT_OF_MEMORY: OutOfMemory,
    LOST: WorkerLost,
    GONE: MachineLost,
}
"""The error that each answer without an outcome stands for."""

_HEADER = struct.Struct("!cQQ")


@value_object
class Configuration:
    """The configuration that the driver gets when it starts.

    `parent` is the server's process id, `address` is the cluster's, and `name` identifies the
    server on its nodes. `memory_limit` is the most memory of a run, in bytes; None means the share
    of one core. `hidden` are paths that no circuit may read.
    """

    parent: int
    address: str
    name: str
    memory_limit: int | None
    hidden: tuple[str, ...]


class Message(NamedTuple):
    """One message between server and driver."""

    kind: bytes
    run: int
    payload: bytes

    def pack(self) -> bytes:
        return _HEADER.pack(self.kind, self.run, len(self.payload)) + self.payload


async def receive(reader: StreamReader) -> Message | None:
    """Return the next message, or None if the other side closed the connection."""
    try:
        kind, run, length = _HEADER.unpack(await reader.readexactly(_HEADER.size))
        return Message(kind, run, await reader.readexactly(length))
    except (IncompleteReadError, ConnectionError):
        return None


@value_object
class Request:
    """A run that is sent to a node: its time limit in seconds, and the resources that it takes."""

    execution: Execution
    time_limit: float
    resources: Resources

    def pack(self) -> bytes:
        # Not every mapping can be pickled.
        resources = replace(self.resources, custom=dict(self.resources.custom))
        return pickle.dumps(replace(self, resources=resources))

    @classmethod
    def unpack(cls, data: bytes) -> "Request":
        """Undo `pack`. `data` must come from the server."""
        return pickle.loads(data)  # noqa: S301


@value_object
class Node:
    """A machine of the cluster.

    `totals` maps Ray's resource names to the amounts that the node has. `offline` maps each
    backend installed there to the reason that it cannot run there, or None if it can. It is None
    until the node is ready for runs. `notes` are problems of the node, for the operator.
    """

    address: str
    totals: Mapping[str, float]
    offline: Mapping[str, str | None] | None = None
    notes: tuple[str, ...] = ()


@value_object
class Cluster:
    """What the driver knows of the cluster.

    `memory_limit` is the most memory of a run unless its backend says otherwise, in bytes; 0 until
    a node was seen. `error` is why the driver cannot update this, or empty.
    """

    nodes: tuple[Node, ...]
    memory_limit: int
    error: str = ""

    def encode(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, payload: bytes) -> "Cluster":
        fields: dict[str, Any] = json.loads(payload)
        nodes = tuple(
            Node(node["address"], node["totals"], node["offline"], tuple(node["notes"]))
            for node in fields["nodes"]
        )
        return cls(nodes, fields["memory_limit"], fields["error"])
