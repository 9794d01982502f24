"""An issuer's public keys: cached, rotated, and fetched at a limited rate."""

import asyncio
import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from quantcloud.auth.tokens.jwks import (
    LIFESPAN_SECONDS,
    REFETCH_SECONDS,
    REFRESH_SECONDS,
    RETRY_SECONDS,
    KeySet,
)
from quantcloud.auth.tokens.jwt import Issuer, JwtVerifier
from quantcloud.domain.errors import Unauthenticated, Unavailable
from support.external.jwks import EC_KEY, RSA_KEY, Endpoint, entry


class Clock:
    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint(entry(RSA_KEY, "first")) as running:
        yield running


async def test_keys_are_fetched_once_and_cached(endpoint: Endpoint):
    keys = KeySet(endpoint.url, Clock())
    found = await asyncio.gather(*(keys.find("first") for _ in range(50)))
    assert {key.algorithm_name for key in found if key} == {"RS256"}
    assert endpoint.asked == 1


async def test_a_new_key_is_found_and_an_unknown_one_is_fetched_once_a_minute(endpoint: Endpoint):
    clock = Clock()
    keys = KeySet(endpoint.url, clock)
    assert await keys.find("first")
    endpoint.keys.append(entry(EC_KEY, "second"))
    clock.seconds += REFETCH_SECONDS
    found = await keys.find("second")
    assert found
    assert found.algorithm_name == "ES256"
    assert endpoint.asked == 2
    for _ in range(10):
        assert await asyncio.gather(*(keys.find(f"forged-{n}") for n in range(20))) == [None] * 20
    assert endpoint.asked == 2
    clock.seconds += REFETCH_SECONDS
    assert await asyncio.gather(*(keys.find(f"forged-{n}") for n in range(20))) == [None] * 20
    assert endpoint.asked == 3
    assert await keys.find("first")


async def test_a_withdrawn_key_is_valid_only_for_its_lifespan(endpoint: Endpoint):
    clock = Clock()
    keys = KeySet(endpoint.url, clock)
    assert await keys.find("first")
    endpoint.keys[:] = [entry(EC_KEY, "second")]
    clock.seconds += LIFESPAN_SECONDS - 1
    assert await keys.find("first")
    clock.seconds += 1
    assert await keys.find("first") is None
    assert await keys.find("second")


async def at_once(keys: KeySet, key_id: str) -> None:
    """Check that a key is found without waiting for its endpoint, which may take 5 seconds."""
    assert await asyncio.wait_for(keys.find(key_id), 2)


async def test_keys_are_refreshed_before_they_expire_while_calls_continue(endpoint: Endpoint):
    clock = Clock()
    keys = KeySet(endpoint.url, clock)
    assert await keys.find("first")
    endpoint.answers.clear()
    endpoint.keys[:] = [entry(EC_KEY, "second")]
    clock.seconds += REFRESH_SECONDS
    for _ in range(50):
        await at_once(keys, "first")
    endpoint.answers.set()
    # A request for an unknown key waits for the current fetch.
    assert await keys.find("second")
    assert await keys.find("first") is None
    assert endpoint.asked == 2
    clock.seconds += LIFESPAN_SECONDS - REFRESH_SECONDS
    assert await keys.find("second")
    assert endpoint.asked == 2


async def test_no_call_waits_for_an_endpoint_that_failed_before(endpoint: Endpoint):
    clock = Clock()
    keys = KeySet(endpoint.url, clock)
    assert await keys.find("first")
    endpoint.down = True
    clock.seconds += LIFESPAN_SECONDS
    assert await keys.find("first")
    assert endpoint.asked == 2
    endpoint.answers.clear()
    clock.seconds += REFETCH_SECONDS
    for _ in range(50):
        await at_once(keys, "first")
    endpoint.down = False
    endpoint.keys[:] = [entry(EC_KEY, "second")]
    endpoint.answers.set()
    assert await keys.find("second")
    assert await keys.find("first") is None
    assert endpoint.asked == 3


@pytest.mark.parametrize("how", ["down", "broken", "empty"])
async def test_while_the_endpoint_is_down_the_keys_stay_valid(endpoint: Endpoint, how: str):
    clock = Clock()
    keys = KeySet(endpoint.url, clock)
    assert await keys.find("first")
    endpoint.down = how == "down"
    endpoint.body = {"down": None, "broken": b"<html>", "empty": b'{"keys": []}'}[how]
    for minute in range(1, 6):
        clock.seconds += LIFESPAN_SECONDS
        for _ in range(5):
            assert await keys.find("first")
            assert await keys.find("unknown") is None
        assert endpoint.asked == 1 + minute
    endpoint.down, endpoint.body = False, None
    endpoint.keys.append(entry(EC_KEY, "second"))
    clock.seconds += REFETCH_SECONDS
    assert await keys.find("second")


async def test_the_service_is_unavailable_until_there_are_keys(endpoint: Endpoint):
    clock = Clock()
    endpoint.down = True
    keys = KeySet(endpoint.url, clock)
    for _ in range(5):
        with pytest.raises(Unavailable):
            await keys.find("first")
    assert endpoint.asked == 1
    endpoint.down = False
    clock.seconds += RETRY_SECONDS
    assert await keys.find("first")


SECRET = base64.urlsafe_b64encode(b"s" * 32).decode()
UNUSABLE: dict[str, dict[str, Any]] = {
    "symmetric": {"kty": "oct", "k": SECRET, "kid": "x", "alg": "HS256"},
    "for encryption": entry(RSA_KEY, "x", use="enc"),
    "for another algorithm": entry(RSA_KEY, "x", alg="RS512"),
    "of another curve": entry(EC_KEY, "x", crv="P-384"),
    "without a name": {**entry(RSA_KEY, "x"), "kid": None},
    "broken": entry(RSA_KEY, "x", n="!"),
    "of a strange type": {"kty": ["RSA"], "kid": "x", "use": {}, "alg": []},
}


@pytest.mark.parametrize("kind", UNUSABLE)
async def test_unusable_keys_are_skipped(endpoint: Endpoint, kind: str):
    endpoint.keys.insert(0, UNUSABLE[kind])
    keys = KeySet(endpoint.url, Clock())
    assert await keys.find("first")
    assert await keys.find("x") is None


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b'{"keys": {}}', b"[" * 100_000, b" " * (1 << 20) + b"{}"]
)
async def test_an_answer_without_a_list_of_keys_is_refused(endpoint: Endpoint, body: bytes):
    endpoint.body = body
    with pytest.raises(Unavailable):
        await KeySet(endpoint.url, Clock()).find("first")


async def test_a_key_is_used_only_with_its_own_algorithm(endpoint: Endpoint):
    verifier = JwtVerifier(Issuer("s" * 32, "authenticated", jwks_url=endpoint.url))
    claims = {"sub": "eve", "aud": "authenticated", "exp": datetime.now(UTC) + timedelta(hours=1)}
    token = jwt.encode(claims, EC_KEY, algorithm="ES256", headers={"kid": "first"})
    with pytest.raises(Unauthenticated):
        await verifier.verify(token)
    nameless = jwt.encode(claims, RSA_KEY, algorithm="RS256")
    with pytest.raises(Unauthenticated, match="does not list"):
        await verifier.verify(nameless)
    good = jwt.encode(claims, RSA_KEY, algorithm="RS256", headers={"kid": "first"})
    assert (await verifier.verify(good)).subject == "eve"
    assert (await verifier.verify(jwt.encode(claims, "s" * 32, algorithm="HS256"))).subject == "eve"


def test_no_text_of_the_issuer_contains_the_secret():
    assert "hunter2" not in repr(Issuer("hunter2" * 5, "authenticated"))
    assert json.dumps(UNUSABLE)  # an endpoint can send them
