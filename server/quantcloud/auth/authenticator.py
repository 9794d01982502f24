"""From a request's headers to its principal."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from quantcloud.auth import api_keys
from quantcloud.auth.jwt import JwtVerifier, TokenClaims
from quantcloud.auth.principal import Credential, Principal
from quantcloud.domain.account import Account, ApiKey, Tier
from quantcloud.domain.errors import Unauthenticated

_TOUCH_EVERY = timedelta(minutes=1)
_MAXIMUM_REMEMBERED = 10_000
_BEARER = "bearer "


class AccountDirectory(Protocol):
    """Where accounts are kept."""

    async def get(self, account_id: str) -> Account | None: ...

    async def ensure(
        self,
        account_id: str,
        *,
        email: str | None,
        name: str | None,
        at: datetime,
        tier: Tier | None = None,
    ) -> Account: ...


class ApiKeyDirectory(Protocol):
    """Where API keys are kept."""

    async def find(self, digest: bytes) -> tuple[ApiKey, Account] | None: ...

    async def touch(self, used: Mapping[str, datetime]) -> None: ...


class Authenticator:
    """Turns credentials into a principal.

    A JWT's account comes into being at first sight. An API key's last use is noted at most once a
    minute.
    """

    def __init__(
        self,
        verifier: JwtVerifier,
        accounts: AccountDirectory,
        keys: ApiKeyDirectory,
        clock: Callable[[], datetime],
    ) -> None:
        self._verifier = verifier
        self._accounts = accounts
        self._keys = keys
        self._clock = clock
        # As they last were, by their account and what tells their credential: the watches of one,
        # of which there may be very many, have it in common.
        self._known: dict[tuple[str, str | datetime | None], Principal] = {}
        # When this server last noted the use of a key, by its id.
        self._touched: dict[str, datetime] = {}

    async def authenticate(self, headers: Mapping[str, str]) -> Principal:
        """The principal of a request with these (lower-case) headers.

        `authorization: Bearer` takes a JWT or an API key and goes before `x-api-key`. Raises
        `Unauthenticated`.
        """
        authorization = headers.get("authorization")
        if authorization is not None:
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
            account = await self._accounts.ensure(
                claims.subject,
                email=claims.email,
                name=claims.name,
                at=self._clock(),
                tier=claims.tier,
            )
        return self._shared(Principal(account, Credential.JWT, expires_at=claims.expires_at))

    async def recheck(self, principal: Principal, headers: Mapping[str, str]) -> None:
        """Make sure that the credentials in `headers` still hold, as a long call goes on.

        Raises `Unauthenticated` for a token that has expired or a key that was revoked since.
        """
        if principal.expires_at is None:
            await self.authenticate(headers)
        elif principal.expires_at <= self._clock():
            raise Unauthenticated("the token has expired; sign in again", reason="TOKEN_EXPIRED")

    async def _by_key(self, key: str) -> Principal:
        # Looked up every time, so that a key that was revoked on any server is refused from then
        # on; by its hash, so that how long it takes says nothing of how much of a key is right.
        found = await self._keys.find(api_keys.digest(key))
        if found is None:
            raise Unauthenticated("the API key is unknown or revoked", reason="INVALID_API_KEY")
        record, account = found
        await self._touch(record)
        return self._shared(Principal(account, Credential.API_KEY, record.id))

    def _shared(self, principal: Principal) -> Principal:
        """The same object as the last time, where nothing of it has changed."""
        credential = principal.account_id, principal.api_key_id or principal.expires_at
        known = self._known.get(credential)
        if known is not None and known == principal:
            return known
        if len(self._known) >= _MAXIMUM_REMEMBERED:
            self._known.clear()
        self._known[credential] = principal
        return principal

    async def _touch(self, key: ApiKey) -> None:
        """Note that a key is used, unless that was noted a moment ago."""
        now = self._clock()
        last = self._touched.get(key.id, key.last_used_at)
        if last is not None and now - last < _TOUCH_EVERY:
            return
        if len(self._touched) >= _MAXIMUM_REMEMBERED:
            self._touched.clear()
        # Before the write, so that of many requests at once one writes.
        self._touched[key.id] = now
        await self._keys.touch({key.id: now})
