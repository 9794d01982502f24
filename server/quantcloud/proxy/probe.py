"""Checks that a running Envoy still answers. A stopped or hanging Envoy keeps its port but serves
no requests.
"""

import asyncio
from typing import Final

_PERIOD_SECONDS: Final = 1.0
_ANSWER_SECONDS: Final = 3.0
# How many misses in a row count. A single one may be our fault: if our event loop was blocked, it
# reads the answer too late.
_MISSES: Final = 3
_REQUEST: Final = b"GET /alive HTTP/1.1\r\nHost: envoy\r\nConnection: close\r\n\r\n"


async def wait_until_silent(host: str, port: int) -> None:
    """Return when the Envoy with the probe listener at `host` and `port` no longer answers."""
    misses = 0
    while misses < _MISSES:
        await asyncio.sleep(_PERIOD_SECONDS)
        misses = 0 if await _answers(host, port) else misses + 1


async def _answers(host: str, port: int) -> bool:
    """Whether Envoy answers. A refused connection counts as an answer: Envoy may drain."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(_REQUEST)
                await reader.read(1)
            finally:
                writer.close()
    except TimeoutError:
        return False
    except OSError:
        return True
    return True
