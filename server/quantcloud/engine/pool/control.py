"""The messages between the server and its fork server: records of one size."""

import enum
import struct
from typing import NamedTuple

_RECORD = struct.Struct("!Bqq")
SIZE = _RECORD.size

# The descriptors that come with a FORKED record: the worker's socket, then the reading and the
# writing end of its start tokens.
DESCRIPTORS = 3


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
