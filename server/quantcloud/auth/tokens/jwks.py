"""An issuer's public keys: fetched from its JWKS endpoint (RFC 7517), cached, and rotated."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from typing import Final

import httpx
import jwt
import structlog

from quantcloud.domain.errors import Unavailable
from quantcloud.telemetry import metrics

LIFESPAN_SECONDS = 600.0
"""How long keys are used without a new fetch if their endpoint answers."""
REFRESH_SECONDS = 480.0
"""The age at which keys are fetched again, while calls continue to use them."""
REFETCH_SECONDS = 60.0
"""The least time between two fetches after keys are known."""
RETRY_SECONDS = 5.0
"""The least time before keys are known, because a server may start before its issuer."""
_TIMEOUT_SECONDS = 5.0
_MAXIMUM_BYTES = 1 << 20

ASYMMETRIC: Final = ("RS256", "ES256")
"""The algorithms of usable keys. Symmetric keys do not belong in a public list."""

log = structlog.stdlib.get_logger(__name__)


class KeySet:
    """The keys of the endpoint at `url`.

    Keys are fetched again if they are older than `REFRESH_SECONDS` or if an unknown key is
    requested, at most once every `REFETCH_SECONDS`. While the endpoint is down, the keys of the
    last fetch stay valid.

    A request for a known key does not wait for a fetch. The exception is keys older than
    `LIFESPAN_SECONDS`, after a time without requests: the issuer may have withdrawn the key. If the
    last fetch failed, such a request does not wait either. The next successful fetch removes keys
    that were withdrawn. `clock` counts seconds and is monotonic.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched: float | None = None
        self._asked: float | None = None
        self._failed = False
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, key_id: str) -> jwt.PyJWK | None:
        """Return the key with that `kid`, or None if the issuer does not list it.

        Raises `Unavailable` if no keys could be fetched yet.
        """
        known = key_id in self._keys
        age = math.inf if self._fetched is None else self._clock() - self._fetched
        if (age >= REFRESH_SECONDS or not known) and self._may_ask():
            self._asked = self._clock()
            self._fetching = asyncio.ensure_future(self._fetch())
        holds = known and (age < LIFESPAN_SECONDS or self._failed)
        if self._fetching is not None and not holds:
            # Shielded: all waiting calls share it, so a cancelled call must not cancel it.
            await asyncio.shield(self._fetching)
        if self._fetched is None:
            raise Unavailable(
                "the issuer's keys cannot be fetched; try again later", reason="JWKS_UNAVAILABLE"
            )
        return self._keys.get(key_id)

    def _may_ask(self) -> bool:
        if self._fetching is not None and not self._fetching.done():
            return False
        pause = RETRY_SECONDS if self._fetched is None else REFETCH_SECONDS
        return self._asked is None or self._clock() - self._asked >= pause

    async def _fetch(self) -> None:
        try:
            self._keys = await _download(self._url)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, RecursionError) as error:
            self._failed = True
            log.warning("JWKS endpoint gives no keys", error=str(error) or type(error).__name__)
        else:
            self._failed = False
            self._fetched = fetched = self._clock()
            metrics.JWKS_AGE_SECONDS.set_function(lambda: self._clock() - fetched)


async def _download(url: str) -> Mapping[str, jwt.PyJWK]:
    """Return the usable keys at `url` by their `kid`. Raises the errors that `_fetch` catches."""
    async with (
        asyncio.timeout(_TIMEOUT_SECONDS),
        httpx.AsyncClient(timeout=_TIMEOUT_SECONDS) as client,
        client.stream("GET", url, headers={"accept": "application/json"}) as response,
    ):
        if not response.is_success:
            raise ValueError(f"status {response.status_code}")
        body = bytearray()
        async for part in response.aiter_bytes():
            body += part
            if len(body) > _MAXIMUM_BYTES:
                raise ValueError(f"more than {_MAXIMUM_BYTES} bytes")
    return parse(bytes(body))


def parse(document: bytes) -> Mapping[str, jwt.PyJWK]:
    """Return the keys of a JWK Set that verify signatures. Raises `ValueError` if there are none.

    Skips keys of other types, for other uses, without a `kid`, and broken ones.
    """
    try:
        listed = jwt.PyJWKSet.from_json(document.decode()).keys
    except (jwt.PyJWTError, AttributeError, TypeError) as error:
        raise ValueError("the answer has no 'keys' that can be used") from error
    found = {
        key.key_id: key
        for key in listed
        if isinstance(key.key_id, str)
        and key.algorithm_name in ASYMMETRIC
        and key.public_key_use in (None, "sig")
    }
    if not found:
        raise ValueError(f"no key for {' or '.join(ASYMMETRIC)} among the answer's 'keys'")
    return found
