"""`quantcloud token`: a JWT for an account of this machine's server."""

from datetime import UTC, datetime, timedelta

from quantcloud.auth.jwt import Issuer, issue
from quantcloud.auth.secret import load_or_create
from quantcloud.cli.failure import Failure
from quantcloud.cli.store import with_store
from quantcloud.domain.account import Account, Tier
from quantcloud.settings import Settings
from quantcloud.storage import Store

DEFAULT_LIFETIME_HOURS = 12.0
MAXIMUM_LIFETIME_HOURS = 10 * 366 * 24.0


def issuer(settings: Settings) -> Issuer:
    """Whose tokens this server accepts; its own secret only where no other issuer is named."""
    if settings.jwt_secret is not None:
        secret = settings.jwt_secret.get_secret_value()
    elif settings.jwks_url is None:
        secret = load_or_create(settings.data_dir)
    else:
        secret = None
    return Issuer(
        secret,
        settings.jwt_audience,
        settings.jwt_issuer,
        settings.jwks_url,
        settings.jwt_tier_claim,
    )


def make_token(settings: Settings, user: str, tier: Tier | None, hours: float) -> str:
    """A JWT for `user`, whose account is made and put on `tier` if need be."""
    now = datetime.now(UTC)
    email = user if "@" in user else None
    try:
        token = issue(issuer(settings), user, now=now, lifetime=timedelta(hours=hours), email=email)
    except (OSError, ValueError) as error:
        raise Failure(str(error)) from error

    async def ensure(store: Store) -> Account:
        return await store.accounts.ensure(user, email=email, name=None, at=now, tier=tier)

    with_store(settings, ensure, create=True)
    return token
