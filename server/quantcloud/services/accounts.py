"""Accounts: their API keys, usage and limits."""

from collections.abc import Callable, Sequence
from datetime import datetime

from quantcloud.auth import api_keys
from quantcloud.auth.principal import Principal
from quantcloud.auth.tokens.sign_in import OPERATOR, NewToken, SignInCodes
from quantcloud.domain.account import ApiKey, MonthlyUsage, Tier, TierLimits
from quantcloud.domain.value_object import value_object
from quantcloud.storage import Store


@value_object
class Usage:
    """An account's tier, its limits, and what the account used this month."""

    tier: Tier
    limits: TierLimits
    month: MonthlyUsage

    @property
    def credits_remaining_usd(self) -> float:
        return max(0.0, self.limits.credits_usd - self.month.total_cost_usd)


class AccountUseCases:
    """What users do with their account."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], datetime],
        limits: Callable[[Tier], TierLimits],
        codes: SignInCodes,
    ) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits
        self._codes = codes

    async def sign_in(self, code: str) -> NewToken:
        """Return a token for the code of a sign-in link. Raises `Unauthenticated`.

        The operator's account is created on the enterprise tier.
        """
        token = self._codes.redeem(code)
        if token.account_id == OPERATOR and await self._store.accounts.get(OPERATOR) is None:
            await self._store.accounts.ensure(OPERATOR, at=self._clock(), tier=Tier.ENTERPRISE)
        return token

    async def create_key(self, principal: Principal, name: str) -> tuple[ApiKey, str]:
        """Create a key and return it with its text, which cannot be read again.

        Raises `QuotaExceeded` at the tier's limit.
        """
        text = api_keys.generate()
        key = await self._store.api_keys.create(
            principal.account_id,
            name,
            api_keys.shown_prefix(text),
            api_keys.digest(text),
            self._clock(),
            limit=self._limits(principal.account.tier).api_keys,
        )
        return key, text

    async def list_keys(self, principal: Principal) -> Sequence[ApiKey]:
        """Return the account's keys that are not revoked, newest first."""
        return await self._store.api_keys.list(principal.account_id)

    async def revoke_key(self, principal: Principal, key_id: str) -> None:
        """Revoke a key. Raises `NotFound`."""
        await self._store.api_keys.revoke(principal.account_id, key_id, self._clock())

    async def usage(self, principal: Principal) -> Usage:
        """Return what the account used in the current calendar month in UTC."""
        tier = principal.account.tier
        month = await self._store.accounts.usage(principal.account_id, self._clock().date())
        return Usage(tier, self._limits(tier), month)
