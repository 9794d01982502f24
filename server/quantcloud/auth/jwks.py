"""An issuer's public keys: fetched from its JWKS endpoint (RFC 7517), cached, and rotated."""

import asyncio
import json
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import httpx
import jwt
import structlog

from quantcloud.domain.errors import Unavailable
from quantcloud.domain.value_object import value_object
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

# The only algorithm of each type of key. Symmetric keys do not belong in a public list.
_ALGORITHMS: Final = (("RSA", None, "RS256"), ("EC", "P-256", "ES256"))

log = structlog.stdlib.get_logger(__name__)


@value_object
class PublicKey:
    """A key that verifies signatures, and its only algorithm."""

    algorithm: str
    key: Any


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
        self._keys: Mapping[str, PublicKey] = {}
        self._fetched: float | None = None
        self._asked: float | None = None
        self._failed = False
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, key_id: str) -> PublicKey | None:
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


async def _download(url: str) -> Mapping[str, PublicKey]:
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


def parse(document: bytes) -> Mapping[str, PublicKey]:
    """Return the keys of a JWK Set that verify signatures. Raises `ValueError` if there are none.

    Skips keys of other types, for other uses, without a `kid`, and broken ones.
    """
    content: object = json.loads(document)
    listed: object = None
    if isinstance(content, dict):
        listed = cast("Mapping[str, object]", content).get("keys")
    found: dict[str, PublicKey] = {}
    for entry in cast("list[object]", listed) if isinstance(listed, list) else ():
        if isinstance(entry, dict):
            found.update(_key(cast("dict[str, Any]", entry)))
    if not found:
        raise ValueError("no key for RS256 or ES256 among the answer's 'keys'")
    return found


def _key(entry: dict[str, Any]) -> Mapping[str, PublicKey]:
    """Return one entry of a JWK Set by its `kid`, or nothing if it is not usable."""
    key_id, use = entry.get("kid"), entry.get("use")
    kind = (entry.get("kty"), entry.get("crv"))
    algorithm = next((name for *known, name in _ALGORITHMS if tuple(known) == kind), None)
    if (
        not isinstance(key_id, str)
        or algorithm is None
        or use not in (None, "sig")
        or entry.get("alg") not in (None, algorithm)
    ):
        return {}
    try:
        return {key_id: PublicKey(algorithm, jwt.PyJWK(entry, algorithm).key)}
    except jwt.PyJWTError:
        return {}
