"""A client of many watches that uses little processor time, so that benchmarks measure the server.

It implements a part of HTTP/2 (RFC 9113): requests with headers compressed like those of gRPC
clients (RFC 7541). Of responses it records which stream had data, and when.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Self

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_ACK = _END_STREAM = 1
_END_HEADERS = 4
_HEAD_BYTES = 9
_INITIAL_WINDOW_SIZE = 4
_WIDE = (1 << 31) - 1
_DEFAULT_WINDOW = 65_535
# From the static table of RFC 7541: `:method: POST` and `:scheme: http`.
_STATIC = b"\x83\x86"
_NO_TABLE = b"\x20"


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return (
        len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload
    )


def _text(value: bytes) -> bytes:
    length, head = len(value), bytearray()
    if length < 0x7F:
        return bytes((length,)) + value
    head.append(0x7F)
    length -= 0x7F
    while length > 0x7F:
        head.append(length & 0x7F | 0x80)
        length >>= 7
    head.append(length)
    return bytes(head) + value


class Connection(asyncio.Protocol):
    """One connection; `arrivals` has the time of each DATA frame, by stream.

    Times are of `time.monotonic`, which all processes on a machine share. `ended` has the streams
    that the server has ended.
    """

    def __init__(self, path: str, token: str) -> None:
        self._fields = [
            (b":path", path.encode()), (b":authority", b"localhost"), (b"te", b"trailers"),
            (b"content-type", b"application/grpc"), (b"authorization", b"Bearer " + token.encode()),
        ]  # fmt: skip
        self._buffer = bytearray()
        self._next = 1
        self.arrivals: dict[int, list[float]] = {}
        self.ended: set[int] = set()
        self._changed = asyncio.Event()
        self._lost: Exception | None = None

    @classmethod
    async def open(cls, address: str, path: str, token: str) -> Self:
        host, _, port = address.rpartition(":")
        _, made = await asyncio.get_running_loop().create_connection(
            lambda: cls(path, token), host, int(port)
        )
        return made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        wide = _INITIAL_WINDOW_SIZE.to_bytes(2, "big") + _WIDE.to_bytes(4, "big")
        grown = (_WIDE - _DEFAULT_WINDOW).to_bytes(4, "big")
        transport.write(
            _PREFACE + _frame(_SETTINGS, 0, 0, wide) + _frame(_WINDOW_UPDATE, 0, 0, grown)
        )

    def request(self, message: bytes) -> int:
        """Start a call with one message; return the number of its stream."""
        stream, self._next = self._next, self._next + 2
        # The server's dynamic table has size 0, so no field goes into it.
        block = b"" if stream > 1 else _NO_TABLE
        block += _STATIC + b"".join(
            b"\0" + _text(name) + _text(value) for name, value in self._fields
        )
        self.arrivals[stream] = []
        content = b"\0" + len(message).to_bytes(4, "big") + message
        self._transport.write(
            _frame(_HEADERS, _END_HEADERS, stream, block)
            + _frame(_DATA, _END_STREAM, stream, content)
        )
        return stream

    async def received(self, streams: Sequence[int], times: int) -> None:
        """Wait until each of `streams` has had `times` DATA frames."""
        for stream in streams:
            while len(self.arrivals[stream]) < times:
                if self._lost is not None:
                    raise self._lost
                self._changed.clear()
                await self._changed.wait()

    def close(self) -> None:
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = self._lost or exc or ConnectionResetError("the server closed the connection")
        self._changed.set()

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        buffer = self._buffer
        buffer += data
        at = 0
        while len(buffer) - at >= _HEAD_BYTES:
            end = at + _HEAD_BYTES + int.from_bytes(buffer[at : at + 3], "big")
            if len(buffer) < end:
                break
            kind, flags = buffer[at + 3], buffer[at + 4]
            stream = int.from_bytes(buffer[at + 5 : at + _HEAD_BYTES], "big")
            self._take(kind, flags, stream, bytes(buffer[at + _HEAD_BYTES : end]), now)
            at = end
        del buffer[:at]
        self._changed.set()

    def _take(self, kind: int, flags: int, stream: int, payload: bytes, now: float) -> None:
        if kind == _DATA and payload:
            self.arrivals[stream].append(now)
        elif kind == _SETTINGS and not flags & _ACK:
            self._transport.write(_frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _PING and not flags & _ACK:
            self._transport.write(_frame(_PING, _ACK, 0, payload))
        elif kind in {_RST_STREAM, _GOAWAY}:
            self._lost = ConnectionAbortedError(f"frame {kind} on stream {stream}: {payload!r}")
            self._transport.abort()
        if kind in {_DATA, _HEADERS} and flags & _END_STREAM:
            self.ended.add(stream)
