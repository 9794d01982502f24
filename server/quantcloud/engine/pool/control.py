"""The messages between the server and its fork server: records of one size."""

import enum
import pickle
import socket
import struct
from typing import NamedTuple, TypeVar

_RECORD = struct.Struct("!Bqq")
SIZE = _RECORD.size

# The descriptors that come with a FORKED record: the worker's socket, then the reading and the
# writing end of its start tokens.
DESCRIPTORS = 3

# The configuration comes first: its length, then a pickle, which the process trusts.
_LENGTH = struct.Struct("!Q")

Configuration = TypeVar("Configuration")


class Order(enum.IntEnum):
    """The type of a record. The comments say what `value` and `extra` mean; else they are 0."""

    # To the fork server.
    PRELOAD = enum.auto()  # import the next backend's modules
    FORK = enum.auto()  # start a worker; extra: the role
    REAP = enum.auto()  # value: the process that has ended

    # From the fork server.
    PRELOADED = enum.auto()  # value: how many backends are; extra: 1 if the last one failed
    FORKED = enum.auto()  # value: the process, or -errno; extra: how many are preloaded
    REAPED = enum.auto()  # value: the process; extra: its exit status, negative for a signal


class Role(enum.IntEnum):
    """What a worker is for."""

    EXECUTION = 0
    EXAMINATION = 1


class Record(NamedTuple):
    """One message."""

    order: Order
    value: int = 0
    extra: int = 0

    def pack(self) -> bytes:
        return _RECORD.pack(*self)


def unpack(data: bytes) -> Record:
    """Return the record in `SIZE` bytes."""
    order, value, extra = _RECORD.unpack(data)
    return Record(Order(order), value, extra)


def receive_exactly(connection: socket.socket, length: int) -> bytes | None:
    """Read `length` bytes from a blocking socket. Return None if the other side closed it."""
    buffer = bytearray(length)
    view = memoryview(buffer)
    filled = 0
    while filled < length:
        count = connection.recv_into(view[filled:])
        if count == 0:
            return None
        filled += count
    return bytes(buffer)


def send_configuration(connection: socket.socket, configuration: object) -> None:
    """Send a new process its configuration."""
    data = pickle.dumps(configuration)
    connection.sendall(_LENGTH.pack(len(data)) + data)


def receive_configuration(
    connection: socket.socket, kind: type[Configuration]
) -> Configuration | None:
    """Return the configuration from the server; None if the server closed the connection."""
    header = receive_exactly(connection, _LENGTH.size)
    data = receive_exactly(connection, *_LENGTH.unpack(header)) if header else None
    if data is None:
        return None
    configuration = pickle.loads(data)  # noqa: S301 (from the server)
    assert isinstance(configuration, kind)  # noqa: S101 (what the server sent)
    return configuration
