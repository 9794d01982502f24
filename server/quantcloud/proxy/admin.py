"""Drains a running Envoy through its admin interface, and reads its figures.

See https://www.envoyproxy.io/docs/envoy/latest/operations/admin.
"""

import asyncio
from pathlib import Path
from typing import Final

import httpx
import structlog

_URL: Final = "http://envoy"
_ACTIVE: Final = "http.http.downstream_rq_active"
_POLL_SECONDS: Final = 0.05
_ANSWER_SECONDS: Final = 2.0

log = structlog.stdlib.get_logger(__name__)


async def drain(admin: Path, seconds: float) -> None:
    """Make the Envoy with the admin socket `admin` accept no more connections.

    Returns when no request is active, or after `seconds`. The next answer tells each client to use
    another connection.
    """
    transport = httpx.AsyncHTTPTransport(uds=str(admin))
    async with httpx.AsyncClient(
        transport=transport, base_url=_URL, timeout=_ANSWER_SECONDS
    ) as envoy:
        active = 0
        try:
            async with asyncio.timeout(seconds):
                (await envoy.post("/drain_listeners?graceful")).raise_for_status()
                while active := await _active(envoy):  # noqa: ASYNC110  # Envoy sends no event
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            log.warning("envoy stops with active requests", requests=active)
        except httpx.HTTPError as error:
            log.warning("envoy cannot be drained", error=str(error))


async def _active(envoy: httpx.AsyncClient) -> int:
    """Return the number of Envoy's active requests, including watches."""
    answer = await envoy.get("/stats", params={"format": "json", "filter": f"^{_ACTIVE}$"})
    return sum(each["value"] for each in answer.raise_for_status().json()["stats"])


def prometheus(admin: Path) -> bytes:
    """Return the figures of the Envoy with this admin socket in Prometheus' text format.

    Blocks for up to two seconds. Raises `OSError` if Envoy does not answer.
    """
    transport = httpx.HTTPTransport(uds=str(admin))
    try:
        with httpx.Client(transport=transport, base_url=_URL, timeout=_ANSWER_SECONDS) as client:
            return client.get("/stats/prometheus?usedonly").raise_for_status().content
    except httpx.HTTPError as error:
        raise OSError(f"envoy gives no figures: {error}") from error
