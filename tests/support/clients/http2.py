"""A part of HTTP/2 (RFC 9113), to send what no correct client sends."""

import socket
import time
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, Self

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
ACK = END_STREAM = 1
END_HEADERS = 4
MAX_CONCURRENT_STREAMS = 3
CANCEL = 8
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HEAD_BYTES: Final = 9
# The server must not use the dynamic table, so that each header block can be read alone.
_NO_TABLE: Final = (1).to_bytes(2, "big") + bytes(4)
_SEVEN_BITS: Final = 0x7F
# From the static table of RFC 7541: `:status: 200`, and `:status` as a name.
_STATUS_200, _STATUS = 0x88, 0x08
_DIGITS: Final = (
    "00000", "00001", "00010", "011001", "011010", "011011", "011100", "011101", "011110", "011111",
)  # fmt: skip


class Frame(NamedTuple):
    kind: int
    flags: int
    stream: int
    payload: bytes


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    length = len(payload).to_bytes(3, "big")
    return length + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _text(value: str) -> bytes:
    rest, head = len(value), bytearray()
    if rest < _SEVEN_BITS:
        head.append(rest)
    else:
        head.append(_SEVEN_BITS)
        rest -= _SEVEN_BITS
        while rest > _SEVEN_BITS:
            head.append(rest & _SEVEN_BITS | 0x80)
            rest >>= 7
        head.append(rest)
    return bytes(head) + value.encode()


def headers(stream: int, flags: int, fields: Sequence[tuple[str, str]]) -> bytes:
    """Return a HEADERS frame that does not use the dynamic table."""
    block = b"".join(b"\0" + _text(name) + _text(value) for name, value in fields)
    return frame(HEADERS, END_HEADERS | flags, stream, block)


def status(block: bytes) -> str:
    """Return the status in a block of response headers."""
    block = block.removeprefix(b"\x20")
    if block[0] == _STATUS_200:
        return "200"
    assert block[0] == _STATUS, block
    length = block[1] & _SEVEN_BITS
    text = block[2 : 2 + length]
    if length == block[1]:
        return text.decode()
    return next(str(code) for code in range(100, 600) if _huffman(str(code)) == text)


def _huffman(digits: str) -> bytes:
    """Return the digits in the Huffman code of RFC 7541, appendix B."""
    bits = "".join(_DIGITS[int(digit)] for digit in digits)
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


class RawConnection:
    """A connection that sends and reads single frames, and answers settings and pings."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), 20)
        self._socket.sendall(_PREFACE + frame(SETTINGS, 0, 0, _NO_TABLE))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, frames: bytes) -> None:
        self._socket.sendall(frames)

    def frames(self) -> Iterator[Frame]:
        """Yield frames until the server closes the connection."""
        with self._socket.makefile("rb") as stream:
            while head := stream.read(_HEAD_BYTES):
                payload = stream.read(int.from_bytes(head[:3], "big"))
                got = Frame(head[3], head[4], int.from_bytes(head[5:], "big"), payload)
                if got.kind in {SETTINGS, PING} and not got.flags & ACK:
                    answer = payload if got.kind == PING else b""
                    self.send(frame(got.kind, ACK, 0, answer))
                yield got


def answers_to_pings(address: str, times: int, seconds: float) -> set[int]:
    """Send `times` pings; return the kinds of the frames that answer, up to a GOAWAY."""
    kinds = set[int]()
    with RawConnection(address) as connection:
        frames = connection.frames()
        for _ in range(times):
            time.sleep(seconds)
            connection.send(frame(PING, 0, 0, bytes(8)))
            kinds.add(next(got.kind for got in frames if got.kind in {PING, GOAWAY}))
            if GOAWAY in kinds:
                break
    return kinds
