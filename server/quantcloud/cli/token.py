"""`quantcloud token`: a JWT for an account of the server on this machine."""

from datetime import UTC, datetime, timedelta

from quantcloud.auth.issuer import issuer
from quantcloud.auth.jwt import issue
from quantcloud.cli.failure import Failure
from quantcloud.cli.store import with_store
from quantcloud.domain.account import Account, Tier
from quantcloud.settings import Settings
from quantcloud.storage import Store
from quantcloud.telemetry import audit


def make_token(settings: Settings, user: str, tier: Tier | None, hours: float) -> str:
    """Return a JWT for `user`. Creates the account, and puts it on `tier` if that is given."""
    now = datetime.now(UTC)
    email = user if "@" in user else None
    try:
        token = issue(issuer(settings), user, now=now, lifetime=timedelta(hours=hours), email=email)
    except (OSError, ValueError) as error:
        raise Failure(str(error)) from error

    async def ensure(store: Store) -> Account:
        before = await store.accounts.get(user)
        account = await store.accounts.ensure(user, email=email, name=None, at=now, tier=tier)
        if before is not None and before.tier != account.tier:
            audit.by_operator(
                "tier_changed", account_id=user, tier=account.tier, before=before.tier
            )
        return account

    with_store(settings, ensure, create=True)
    return token
