"""Turns a request's headers into its principal."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache

from quantcloud.auth import api_keys
from quantcloud.auth.principal import Credential, Principal
from quantcloud.auth.tokens import tickets
from quantcloud.auth.tokens.jwt import JwtVerifier, TokenClaims
from quantcloud.auth.tokens.tickets import Tickets
from quantcloud.domain.account import Account, ApiKey
from quantcloud.domain.errors import Unauthenticated
from quantcloud.storage.accounts import Accounts
from quantcloud.storage.api_keys import ApiKeys
from quantcloud.telemetry import audit

_TOUCH_EVERY = timedelta(minutes=1)
_MAXIMUM_REMEMBERED = 10_000
_BEARER = "bearer "
# The watches of one principal, of which there may be very many, share the object.
_principal = lru_cache(_MAXIMUM_REMEMBERED)(Principal)


class Authenticator:
    """Turns credentials into a principal.

    The first JWT of an account creates the account. An API key's last use is stored at most once a
    minute.
    """

    def __init__(
        self,
        verifier: JwtVerifier,
        accounts: Accounts,
        keys: ApiKeys,
        tickets: Tickets,
        clock: Callable[[], datetime],
    ) -> None:
        self._tickets = tickets
        self._verifier = verifier
        self._accounts = accounts
        self._keys = keys
        self._clock = clock
        # When this server last stored the use of a key, by its id.
        self._touched: dict[str, datetime] = {}

    async def authenticate(self, headers: Mapping[str, str]) -> Principal:
        """Return the principal of a request with these (lower-case) headers.

        `authorization: Bearer` takes a JWT or an API key and precedes `x-api-key`, unless it is
        empty. A watch ticket precedes both. Raises `Unauthenticated`.
        """
        if (ticket := headers.get(tickets.HEADER)) is not None:
            return await self._by_ticket(ticket, again=bool(headers.get(tickets.LAST_EVENT_ID)))
        authorization = headers.get("authorization", "").strip()
        if authorization:
            if not authorization[: len(_BEARER)].lower() == _BEARER:
                raise Unauthenticated(
                    "Authorization must be 'Bearer' and a JWT or an API key",
                    reason="UNKNOWN_SCHEME",
                )
            token = authorization[len(_BEARER) :].strip()
            if token.startswith(api_keys.PREFIX):
                return await self._by_key(token)
            return await self._by_claims(await self._verifier.verify(token))
        if (key := headers.get("x-api-key")) is not None:
            return await self._by_key(key.strip())
        raise Unauthenticated(
            "credentials are missing: send 'Authorization: Bearer <JWT>' or "
            "'X-API-Key: qc_live_...'",
            reason="CREDENTIALS_MISSING",
        )

    async def _by_claims(self, claims: TokenClaims) -> Principal:
        account = await self._accounts.get(claims.subject)
        if (
            account is None
            or (claims.email is not None and claims.email != account.email)
            or (claims.name is not None and claims.name != account.name)
            or (claims.tier is not None and claims.tier != account.tier)
        ):
            before = account
            account = await self._accounts.ensure(
                claims.subject,
                email=claims.email,
                name=claims.name,
                at=self._clock(),
                tier=claims.tier,
            )
            if before is not None and before.tier != account.tier:
                audit.record(
                    "tier_changed", by="token", account_id=account.id,
                    tier=account.tier, before=before.tier,
                )  # fmt: skip
        return _principal(account, Credential.JWT, expires_at=claims.expires_at)

    async def recheck(self, principal: Principal, headers: Mapping[str, str]) -> None:
        """Check during a long call that the credentials in `headers` are still valid.

        Raises `Unauthenticated` if the token has expired or the key was revoked.
        """
        if principal.expires_at is not None:
            self._check_expiry(principal.expires_at)
        elif principal.ticket_path is None or principal.api_key_id is None:
            await self.authenticate(headers)
        else:
            # A ticket that has expired may not open a stream, but it does not end one.
            await self._use(await self._keys.get(principal.api_key_id))

    def _check_expiry(self, expires_at: datetime) -> None:
        if expires_at <= self._clock():
            raise Unauthenticated("the token has expired; sign in again", reason="TOKEN_EXPIRED")

    async def _by_key(self, key: str) -> Principal:
        # Looked up every time, so that a key that any server revoked is refused at once. Looked up
        # by hash, so that the time does not reveal how much of a guessed key is right.
        record, account = await self._use(await self._keys.find(api_keys.digest(key)))
        return _principal(account, Credential.API_KEY, record.id)

    async def _by_ticket(self, ticket: str, *, again: bool) -> Principal:
        """Return the principal of a ticket, whose own credential must still be valid."""
        claims = self._tickets.verify(ticket, again=again)
        if claims.api_key_id is not None:
            _, account = await self._use(await self._keys.get(claims.api_key_id))
        else:
            account = await self._accounts.get(claims.account_id)
        if claims.expires_at is not None:
            self._check_expiry(claims.expires_at)
        if account is None or account.id != claims.account_id:
            raise Unauthenticated("ticket: its account is gone", reason="INVALID_TICKET")
        return Principal(
            account, Credential.TICKET, claims.api_key_id, claims.expires_at, claims.path
        )

    async def _use(self, found: tuple[ApiKey, Account] | None) -> tuple[ApiKey, Account]:
        """Record the use of a key. Raises `Unauthenticated` if it was not found."""
        if found is None:
            raise Unauthenticated("the API key is unknown or revoked", reason="INVALID_API_KEY")
        await self._touch(found[0])
        return found

    async def _touch(self, key: ApiKey) -> None:
        """Store that a key is used, unless its last use is less than a minute old."""
        now = self._clock()
        last = self._touched.get(key.id, key.last_used_at)
        if last is not None and now - last < _TOUCH_EVERY:
            return
        if len(self._touched) >= _MAXIMUM_REMEMBERED:
            self._touched.clear()
        # Set before the write, so that only one of many concurrent requests writes.
        self._touched[key.id] = now
        await self._keys.touch({key.id: now})
