"""Uploads that never finish, to measure what they cost Envoy."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from support.processes import command, descendants
from support.server import Server

PATHS = {
    "grpc": ("/thequantcloud.v1.CircuitService/RunCircuit", "application/grpc"),
    "json": ("/v1/circuits/run", "application/json"),
}
MIB = 1024 * 1024
# The number of announced bytes that each upload does not send.
_MISSING_BYTES = 100
_CHUNK = b"x" * 65536


def envoy_pid(server: Server) -> int:
    [pid] = [pid for pid in descendants(server.process.pid) if "/_bin/envoy" in command(pid)]
    return pid


def resident_mib(pid: int) -> float:
    """Return the current resident memory of a process, in MiB."""
    [line] = [
        line
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmRSS:")
    ]
    return int(line.split()[1]) / 1024


class Upload:
    """A request of `size` bytes from `source` whose last bytes are never sent."""

    def __init__(self, kind: str, size: int, token: str | None, source: str = "127.0.0.1") -> None:
        path, content_type = PATHS[kind]
        announced = size + _MISSING_BYTES
        headers = {
            "host": "x", "content-type": content_type, "te": "trailers",
            "content-length": str(announced),
            **({"authorization": f"Bearer {token}"} if token else {}),
        }  # fmt: skip
        lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        prefix = b"\0" + (announced - 5).to_bytes(4, "big") if kind == "grpc" else b'{"qasm":"'
        self._head = ("\r\n".join(lines) + "\r\n\r\n").encode() + prefix
        self._left = size - len(prefix)
        self._source = source
        # The head of the response, after it came.
        self.answer = ""

    async def run(self, server: Server) -> None:
        """Send until the response comes or the connection closes."""
        host, port = server.endpoints.http.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(
            host, int(port), local_addr=(self._source, 0)
        )
        sending = asyncio.create_task(self._send(writer))
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                self.answer = (await reader.readuntil(b"\r\n\r\n")).decode()
        finally:
            sending.cancel()
            writer.transport.abort()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await sending
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _send(self, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(self._head)
            while self._left > 0:
                writer.write(_CHUNK[: self._left])
                self._left -= len(_CHUNK)
                await writer.drain()

    @property
    def sent(self) -> bool:
        return self._left <= 0


@contextlib.asynccontextmanager
async def under_way(
    server: Server, uploads: list[Upload]
) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Run the uploads until the block ends."""
    tasks = [asyncio.create_task(upload.run(server)) for upload in uploads]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
