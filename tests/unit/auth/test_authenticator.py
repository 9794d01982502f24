"""Authentication from headers to accounts, on a real store."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest

from quantcloud.auth import api_keys
from quantcloud.auth import authenticator as module
from quantcloud.auth.authenticator import Authenticator
from quantcloud.auth.principal import Credential
from quantcloud.auth.tokens.jwt import Issuer, JwtVerifier
from quantcloud.auth.tokens.tickets import Tickets
from quantcloud.domain.account import Tier
from quantcloud.domain.errors import Unauthenticated
from quantcloud.storage import Store

SECRET = "a-secret-that-is-at-least-32-bytes-long"
START = datetime(2025, 3, 1, tzinfo=UTC)


class Clock:
    now = START

    def __call__(self) -> datetime:
        return self.now


class CountedKeys:
    """The store's keys. It counts the writes of a key's use."""

    def __init__(self, keys: Any) -> None:
        self._keys = keys
        self.find = keys.find
        self.touched = 0

    async def touch(self, used: Mapping[str, datetime]) -> None:
        self.touched += 1
        await self._keys.touch(used)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(tmp_path / "store.db")
    yield opened
    await opened.close()


def authenticator(store: Store, keys: Any = None, **options: Any) -> Authenticator:
    verifier = JwtVerifier(Issuer(SECRET, "authenticated", **options))
    clock = Clock()
    return Authenticator(
        verifier, store.accounts, keys or store.api_keys, Tickets(SECRET, clock), clock
    )


def bearer(**claims: Any) -> dict[str, str]:
    whole = {"sub": "ada", "aud": "authenticated", "exp": datetime.now(UTC) + timedelta(hours=1)}
    token = jwt.encode({**whole, **claims}, SECRET, algorithm="HS256")
    return {"authorization": f"Bearer {token}"}


async def make_key(store: Store, account: str = "ada") -> str:
    await store.accounts.ensure(account, at=START)
    text = api_keys.generate()
    await store.api_keys.create(
        account, "k", api_keys.shown_prefix(text), api_keys.digest(text), START, limit=9
    )
    return text


async def test_the_first_token_creates_the_account_and_later_claims_update_it(store: Store):
    subject = authenticator(store)
    assert await store.accounts.get("ada") is None
    first = await subject.authenticate(bearer(email="a@b.c", user_metadata={"full_name": "Ada"}))
    assert (first.account.id, first.account.email, first.account.name) == ("ada", "a@b.c", "Ada")
    assert (first.account.tier, first.credential) == (Tier.EXPLORER, Credential.JWT)
    later = await subject.authenticate(bearer(email="new@b.c"))
    assert (later.account.email, later.account.name) == ("new@b.c", "Ada")
    assert await store.accounts.get("ada") == later.account


async def test_calls_share_one_principal_until_the_account_changes(store: Store):
    subject = authenticator(store)
    headers = bearer()
    first, second = [(await subject.authenticate(headers)).account for _ in range(2)]
    assert first is second
    await store.accounts.ensure("ada", at=START, tier=Tier.ENTERPRISE)
    assert (await subject.authenticate(bearer())).account.tier is Tier.ENTERPRISE


async def test_calls_with_two_keys_by_turns_share_a_principal_for_each(store: Store):
    subject = authenticator(store)
    keys = [await make_key(store) for _ in range(2)]
    principals = [await subject.authenticate({"x-api-key": key}) for key in keys]
    for key, principal in zip(keys, principals, strict=True):
        assert await subject.authenticate({"x-api-key": key}) is principal


async def test_what_is_remembered_of_credentials_is_bounded(store: Store, monkeypatch):
    monkeypatch.setattr(module, "_MAXIMUM_REMEMBERED", 2)
    subject = authenticator(store)
    for number in range(5):
        await subject.authenticate({"x-api-key": await make_key(store, f"user-{number}")})
        assert len(subject._touched) <= 2


@pytest.mark.parametrize(
    ("metadata", "tier"),
    [
        ({"tier": "enterprise"}, Tier.ENTERPRISE),
        ({"tier": "emperor"}, Tier.DEVELOPER),
        ({"tier": ["enterprise"]}, Tier.DEVELOPER),
        ({}, Tier.DEVELOPER),
        (None, Tier.DEVELOPER),
        ("enterprise", Tier.DEVELOPER),
    ],
)
async def test_a_tier_comes_from_the_token_if_the_settings_allow_it(
    store: Store, metadata: object, tier: Tier
):
    await store.accounts.ensure("ada", at=START, tier=Tier.DEVELOPER)
    headers = bearer(app_metadata=metadata, user_metadata={"tier": "enterprise"})
    assert (await authenticator(store).authenticate(headers)).account.tier is Tier.DEVELOPER
    taken = await authenticator(store, tier_claim=True).authenticate(headers)
    assert taken.account.tier is tier
    # An API key of the account has the same tier.
    by_key = await authenticator(store).authenticate({"x-api-key": await make_key(store)})
    assert by_key.account.tier is tier


async def test_the_use_of_a_key_is_written_once_a_minute(store: Store):
    keys = CountedKeys(store.api_keys)
    subject = authenticator(store, keys)
    subject._clock = clock = Clock()
    headers = {"x-api-key": await make_key(store)}
    await asyncio.gather(*(subject.authenticate(headers) for _ in range(100)))
    assert keys.touched == 1
    clock.now += timedelta(seconds=59)
    await subject.authenticate(headers)
    assert keys.touched == 1
    clock.now += timedelta(seconds=1)
    await asyncio.gather(*(subject.authenticate(headers) for _ in range(100)))
    assert keys.touched == 2
    (key,) = await store.api_keys.list("ada")
    assert key.last_used_at == clock.now


async def test_a_revoked_key_is_refused_at_once_on_every_server(store: Store, tmp_path: Path):
    other = await Store.open(tmp_path / "store.db")
    here, there = authenticator(store), authenticator(other)
    headers = {"authorization": f"Bearer {await make_key(store)}"}
    for server in (here, there, here, there):
        assert (await server.authenticate(headers)).account_id == "ada"
    (key,) = await store.api_keys.list("ada")
    await store.api_keys.revoke("ada", key.id, START)
    for server in (here, there):
        with pytest.raises(Unauthenticated) as refused:
            await server.authenticate(headers)
        assert "qc_live_" not in str(refused.value)
    await other.close()


async def test_the_database_file_contains_no_text_of_a_key(store: Store, tmp_path: Path):
    text = await make_key(store)
    await authenticator(store).authenticate({"x-api-key": text})
    await store.close()
    whole = (tmp_path / "store.db").read_bytes()
    assert api_keys.digest(text) in whole
    assert text.encode()[len("qc_live_") + 2 :] not in whole
