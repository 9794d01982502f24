"""Watch tickets: when they open a watch, and what they inherit from their credential."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from pydantic import SecretStr

from quantcloud.auth import api_keys
from quantcloud.auth.authenticator import Authenticator
from quantcloud.auth.principal import Credential, Principal
from quantcloud.auth.tokens.issuer import tickets
from quantcloud.auth.tokens.jwt import Issuer, JwtVerifier, issue
from quantcloud.auth.tokens.tickets import HEADER, LAST_EVENT_ID, Tickets, check_opens, watched_job
from quantcloud.domain.account import Tier
from quantcloud.domain.errors import InvalidArgument, Unauthenticated
from quantcloud.settings import Settings
from quantcloud.storage import Store

SECRET = "a-secret-that-is-at-least-32-bytes-long"
ISSUER = Issuer(SECRET, "authenticated")
PATH = "/v1/jobs/events"


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.now


class World:
    """An authenticator whose time a test sets, and the credentials of one account."""

    def __init__(self, store: Store) -> None:
        self.store, self.clock = store, Clock()
        self.tickets = Tickets(SECRET, self.clock)
        verifier = JwtVerifier(ISSUER)
        self.subject = Authenticator(
            verifier, store.accounts, store.api_keys, self.tickets, self.clock
        )

    async def by_key(self) -> Principal:
        await self.store.accounts.ensure("ada", at=self.clock())
        text = api_keys.generate()
        await self.store.api_keys.create(
            "ada", "k", api_keys.shown_prefix(text), api_keys.digest(text), self.clock(), limit=9
        )
        return await self.subject.authenticate({"x-api-key": text})

    async def by_token(self, lifetime: timedelta) -> Principal:
        token = issue(ISSUER, "ada", now=self.clock(), lifetime=lifetime)
        return await self.subject.authenticate({"authorization": f"Bearer {token}"})

    async def open(self, ticket: str, last_event_id: str = "") -> Principal:
        return await self.subject.authenticate({HEADER: ticket, LAST_EVENT_ID: last_event_id})

    async def reason(self, ticket: str, last_event_id: str = "") -> str:
        with pytest.raises(Unauthenticated) as refused:
            await self.open(ticket, last_event_id)
        assert ticket not in refused.value.message or not ticket
        return refused.value.reason


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = await Store.open(tmp_path / "store.db")
    yield World(store)
    await store.close()


async def test_a_ticket_opens_within_a_minute_and_connects_again_for_an_hour(world: World):
    ticket = world.tickets.issue(await world.by_key(), PATH)
    assert ticket.open_before - world.clock() == timedelta(minutes=1)
    assert ticket.expires_at - world.clock() == timedelta(hours=1)
    principal = await world.open(ticket.text)
    assert (principal.account_id, principal.credential) == ("ada", Credential.TICKET)
    assert principal.ticket_path == PATH
    world.clock.now += timedelta(seconds=60)
    assert await world.reason(ticket.text) == "TICKET_EXPIRED"
    assert await world.open(ticket.text, "7") == principal
    world.clock.now += timedelta(minutes=58, seconds=59)
    assert await world.open(ticket.text, "7") == principal
    world.clock.now += timedelta(seconds=1)
    assert await world.reason(ticket.text, "7") == "TICKET_EXPIRED"
    # A stream that is open stays open.
    await world.subject.recheck(principal, {HEADER: ticket.text})


async def test_a_ticket_of_a_key_ends_with_the_key(world: World):
    creator = await world.by_key()
    ticket = world.tickets.issue(creator, PATH).text
    principal = await world.open(ticket)
    await world.subject.recheck(principal, {HEADER: ticket})
    assert creator.api_key_id is not None
    await world.store.api_keys.revoke("ada", creator.api_key_id, world.clock())
    assert await world.reason(ticket) == "INVALID_API_KEY"
    with pytest.raises(Unauthenticated):
        await world.subject.recheck(principal, {HEADER: ticket})


async def test_a_ticket_of_a_token_ends_with_the_token(world: World):
    creator = await world.by_token(timedelta(minutes=30))
    ticket = world.tickets.issue(creator, PATH)
    assert ticket.expires_at == creator.expires_at
    principal = await world.open(ticket.text)
    world.clock.now += timedelta(minutes=30)
    assert await world.reason(ticket.text, "7") == "TOKEN_EXPIRED"
    with pytest.raises(Unauthenticated):
        await world.subject.recheck(principal, {HEADER: ticket.text})


async def test_a_ticket_has_the_present_tier_of_its_account(world: World):
    for creator in (await world.by_key(), await world.by_token(timedelta(hours=2))):
        ticket = world.tickets.issue(creator, PATH).text
        await world.store.accounts.ensure("ada", at=world.clock(), tier=Tier.ENTERPRISE)
        assert (await world.open(ticket)).account.tier is Tier.ENTERPRISE


async def test_only_the_servers_own_tickets_open_and_they_are_no_tokens(world: World):
    creator = await world.by_token(timedelta(hours=2))
    ticket = world.tickets.issue(creator, PATH).text
    token = issue(ISSUER, "ada", now=world.clock(), lifetime=timedelta(hours=1))
    claims: dict[str, Any] = {"sub": "ada", "path": PATH, "iat": world.clock()}
    others = (
        "", "x", ticket + "x", ticket[:-2], ticket.replace(".", "", 1), token,
        jwt.encode(claims, SECRET), jwt.encode(claims, None, "none"),
        Tickets(SECRET + "x", world.clock).issue(creator, PATH).text,
    )  # fmt: skip
    for other in others:
        assert await world.reason(other) == "INVALID_TICKET"
    with pytest.raises(Unauthenticated):
        await world.subject.authenticate({"authorization": f"Bearer {ticket}"})
    # Another server with the same secret accepts it.
    assert Tickets(SECRET, world.clock).verify(ticket, again=False).path == PATH


async def test_a_ticket_opens_its_own_path(world: World):
    creator = await world.by_key()
    check_opens(creator, "a")
    principal = await world.open(world.tickets.issue(creator, PATH).text)
    check_opens(principal, None)
    with pytest.raises(Unauthenticated, match="opens only GET /v1/jobs/events"):
        check_opens(principal, "a")


async def test_servers_of_one_service_accept_the_same_tickets(world: World, tmp_path: Path):
    creator = await world.by_key()
    url, other = "https://issuer.example/jwks.json", SecretStr("o" * 32)

    def opens(first: Settings, second: Settings) -> bool:
        ticket = tickets(first, world.clock).issue(creator, PATH).text
        try:
            return tickets(second, world.clock).verify(ticket, again=False).path == PATH
        except Unauthenticated:
            return False

    here, there = ({"data_dir": tmp_path / name} for name in ("here", "there"))
    shared = SecretStr(SECRET)
    assert opens(Settings(**here, jwt_secret=shared), Settings(**there, jwt_secret=shared))
    assert not opens(Settings(**here, jwt_secret=shared), Settings(**there, jwt_secret=other))
    by_proxy = {"jwks_url": url, "proxy_secret": shared}
    assert opens(Settings(**here, **by_proxy), Settings(**there, **by_proxy))
    assert opens(Settings(**here, jwks_url=url), Settings(**here, jwks_url=url))
    assert not opens(Settings(**here), Settings(**there))


def test_a_path_names_a_watch():
    assert watched_job(PATH) is None
    assert watched_job("/v1/jobs/0A-b/events") == "0a-b"
    for path in (
        "",
        "/v1/jobs",
        "/v1/jobs//events",
        "/v1/jobs/a/b/events",
        PATH + "?x",
        PATH + "\n",
    ):
        with pytest.raises(InvalidArgument):
            watched_job(path)
