"""What the server and its fork server say to each other: records of one size."""

import enum
import socket
import struct
from typing import NamedTuple

_RECORD = struct.Struct("!Bqq")
SIZE = _RECORD.size

# What comes with a FORKED process: the server's socket, and the reading and the writing end of the
# permits.
DESCRIPTORS = 3

# The configuration comes first, as JSON behind its length.
LENGTH = struct.Struct("!Q")


class Order(enum.IntEnum):
    """What a record is about; `value` and `extra` mean what stands here."""

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
    """Give the message that `SIZE` bytes are."""
    order, value, extra = _RECORD.unpack(data)
    return Record(Order(order), value, extra)


def receive_exactly(connection: socket.socket, length: int) -> bytes | None:
    """Read `length` bytes from a blocking socket, or None when the other side hung up."""
    buffer = bytearray(length)
    view = memoryview(buffer)
    filled = 0
    while filled < length:
        count = connection.recv_into(view[filled:])
        if count == 0:
            return None
        filled += count
    return bytes(buffer)
