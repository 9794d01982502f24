"""Whether a running Envoy still answers. One that is stopped or hangs keeps its port and serves
nobody.
"""

import asyncio
from typing import Final

_PERIOD_SECONDS: Final = 1.0
_ANSWER_SECONDS: Final = 3.0
# In a row. A single one may be our own doing: an event loop that was held up hears nothing in time.
_MISSES: Final = 3
_REQUEST: Final = b"GET /alive HTTP/1.1\r\nHost: envoy\r\nConnection: close\r\n\r\n"


async def silence(host: str, port: int) -> None:
    """Return once the Envoy whose probe listener is at `host` and `port` answers no more."""
    misses = 0
    while misses < _MISSES:
        await asyncio.sleep(_PERIOD_SECONDS)
        misses = 0 if await _answers(host, port) else misses + 1


async def _answers(host: str, port: int) -> bool:
    """Whether anything comes. A refusal counts too: an Envoy that drains takes no connections."""
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
