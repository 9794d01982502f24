"""The configuration of the Ray driver."""

import json
import socket

from quantcloud.domain.value_object import value_object
from quantcloud.engine.pool.control import LENGTH, receive_exactly


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
