"""From a request's headers to its principal."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from quantcloud.auth import api_keys
from quantcloud.auth.jwt import Claims, JwtVerifier
from quantcloud.auth.principal import Credential, Principal
from quantcloud.domain.account import Account, ApiKey, Tier
from quantcloud.domain.errors import Unauthenticated

_TOUCH_EVERY = timedelta(minutes=1)
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

    async def _by_claims(self, claims: Claims) -> Principal:
        account = await self._accounts.get(claims.subject)
        if (
            account is None
            or (claims.email is not None and claims.email != account.email)
            or (claims.name is not None and claims.name != account.name)
        ):
            account = await self._accounts.ensure(
                claims.subject, email=claims.email, name=claims.name, at=self._clock()
            )
        return Principal(account, Credential.JWT)

    async def _by_key(self, key: str) -> Principal:
        found = await self._keys.find(api_keys.digest(key))
        if found is None:
            raise Unauthenticated("the API key is unknown or revoked", reason="INVALID_API_KEY")
        record, account = found
        now = self._clock()
        if record.last_used_at is None or now - record.last_used_at >= _TOUCH_EVERY:
            await self._keys.touch({record.id: now})
        return Principal(account, Credential.API_KEY, record.id)
