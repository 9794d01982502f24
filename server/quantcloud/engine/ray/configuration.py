"""What the Ray driver is told at its start."""

import json
import socket

from quantcloud.domain.value_object import value_object
from quantcloud.engine.pool.control import LENGTH, receive_exactly


@value_object
class Configuration:
    """What the driver is told at its start.

    `parent` is the server's process id, `address` the cluster's, and `name` what the server is
    known by on its nodes. `memory_limit` is what a run may take, in bytes; None is a core's share.
    """

    parent: int
    address: str
    name: str
    memory_limit: int | None
    hidden: tuple[str, ...]

    def encode(self) -> bytes:
        fields = [self.parent, self.address, self.name, self.memory_limit, self.hidden]
        data = json.dumps(fields).encode()
        return LENGTH.pack(len(data)) + data

    @classmethod
    def receive(cls, connection: socket.socket) -> "Configuration | None":
        header = receive_exactly(connection, LENGTH.size)
        data = receive_exactly(connection, *LENGTH.unpack(header)) if header else None
        if data is None:
            return None
        parent, address, name, memory_limit, hidden = json.loads(data)
        return cls(parent, address, name, memory_limit, tuple(hidden))
