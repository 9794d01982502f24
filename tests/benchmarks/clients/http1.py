"""A REST client that uses little processor time, so that benchmarks measure Envoy and the server.

It implements a part of HTTP/1.1 (RFC 9112): consecutive requests on one connection, responses with
a content length, and chunked streams, which it reads by lines.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Self

_LINE_LIMIT = 1 << 26


class HttpError(Exception):
    """The server did not answer with a success."""


class Connection:
    """One connection to `address`, which is HOST:PORT or a URL, with one account's token."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._head = f"Host: localhost\r\nAuthorization: Bearer {token}\r\n"

    @classmethod
    async def open(cls, address: str, token: str) -> Self:
        host, _, port = address.rpartition("/")[2].rpartition(":")
        return cls(*await asyncio.open_connection(host, int(port), limit=_LINE_LIMIT), token)

    async def get(self, path: str) -> bytes:
        """Return the body of the response. Raises `HttpError`."""
        self._send(path)
        return await self._body(await self._headers())

    async def post(self, path: str, content: Any) -> Any:
        """Send JSON and return the JSON of the response. Raises `HttpError`."""
        self._send(path, content)
        return json.loads(await self._body(await self._headers()))

    async def events(self, path: str, content: Any = None) -> AsyncGenerator[bytes]:
        """Yield the JSON of each server-sent event until the stream ends. Raises `HttpError`.

        The request is a POST if there is content, which is sent as JSON.
        """
        self._send(path, content)
        await self._headers()
        content = b""
        while chunk := await self._chunk():
            content += chunk
            *lines, content = content.split(b"\n")
            for line in lines:
                if line.startswith(b"data:"):
                    yield line[5:]

    def close(self) -> None:
        self._writer.close()

    def _send(self, path: str, content: Any = None) -> None:
        if content is None:
            self._writer.write(f"GET {path} HTTP/1.1\r\n{self._head}\r\n".encode())
            return
        body = json.dumps(content).encode()
        head = f"POST {path} HTTP/1.1\r\n{self._head}Content-Type: application/json\r\n"
        self._writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    async def _headers(self) -> Mapping[bytes, bytes]:
        head = await self._reader.readuntil(b"\r\n\r\n")
        status, *lines = head.split(b"\r\n")
        if not status.startswith(b"HTTP/1.1 2"):
            raise HttpError(head)
        parts = (line.partition(b": ") for line in lines)
        return {name.lower(): value for name, _, value in parts}

    async def _body(self, headers: Mapping[bytes, bytes]) -> bytes:
        length = headers.get(b"content-length")
        if length is not None:
            return await self._reader.readexactly(int(length))
        body = bytearray()
        while chunk := await self._chunk():
            body += chunk
        return bytes(body)

    async def _chunk(self) -> bytes:
        """Return the next chunk; it is empty at the end."""
        size = int(await self._reader.readline(), 16)
        return (await self._reader.readexactly(size + 2))[:size]
