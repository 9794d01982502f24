"""Drains a running Envoy through its admin interface.

See https://www.envoyproxy.io/docs/envoy/latest/operations/admin.
"""

import asyncio
import os
import re
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import structlog

_ACTIVE: Final = "http.http.downstream_rq_active"
_POLL_SECONDS: Final = 0.05
_ANSWER_SECONDS: Final = 2.0
# The longest socket path that all systems accept.
_PATH_BYTES: Final = 100

log = structlog.stdlib.get_logger(__name__)


@contextmanager
def private_socket(data_dir: Path, name: str) -> Generator[Path]:
    """Yield the path for a socket that only this user can reach.

    It is in the data folder, so that the next process replaces the socket of a killed one, unless
    that path is too long for a socket.
    """
    path = data_dir.absolute() / name
    if len(os.fsencode(path)) <= _PATH_BYTES:
        yield path
        return
    with TemporaryDirectory(prefix="quantcloud-") as folder:
        yield Path(folder) / path.name


async def drain(admin: Path, seconds: float) -> None:
    """Make the Envoy with the admin socket `admin` accept no more connections.

    Returns when no request is active, or after `seconds`. The next answer tells each client to use
    another connection.
    """
    try:
        async with asyncio.timeout(seconds):
            await _ask(admin, "POST", "/drain_listeners?graceful")
            while await _active(admin):  # noqa: ASYNC110  # Envoy sends no event
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        with suppress(OSError):
            log.warning("envoy stops with active requests", requests=await _active(admin))
    except OSError as error:
        log.warning("envoy cannot be drained", error=str(error))


def prometheus(admin: Path) -> bytes:
    """Return the figures of the Envoy with this admin socket in Prometheus' text format.

    Blocks for up to two seconds. Raises `OSError` if Envoy does not answer.
    """
    # Imported here because it imports Rich, and only `quantcloud envoy` needs it.
    import httpx  # noqa: PLC0415

    transport = httpx.HTTPTransport(uds=str(admin))
    try:
        with httpx.Client(transport=transport, timeout=_ANSWER_SECONDS) as client:
            answer = client.get("http://envoy/stats/prometheus?usedonly")
            return answer.raise_for_status().content
    except httpx.HTTPError as error:
        raise OSError(f"envoy gives no figures: {error}") from error


async def _active(admin: Path) -> int:
    """Return the number of Envoy's active requests, including watches."""
    answer = await _ask(admin, "GET", f"/stats?filter=^{_ACTIVE}$")
    match = re.search(rf"^{_ACTIVE}: (\d+)", answer, re.MULTILINE)
    return int(match[1]) if match else 0


async def _ask(admin: Path, method: str, path: str) -> str:
    """Return an answer with its head. Raises `OSError` if it is not 200."""
    reader, writer = await asyncio.open_unix_connection(admin)
    try:
        head = "Host: envoy\r\nConnection: close\r\nContent-Length: 0\r\n"
        writer.write(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode())
        answer = (await reader.read()).decode()
    finally:
        writer.close()
    status = answer.partition("\r\n")[0]
    if " 200 " not in status:
        raise OSError(f"{path}: {status or 'no answer'}")
    return answer
