"""`quantcloud token`: a JWT for an account of the server on this machine."""

from datetime import UTC, datetime, timedelta

from quantcloud.auth.issuer import issuer, sign_in_codes
from quantcloud.auth.jwt import issue
from quantcloud.cli.failure import Failure
from quantcloud.cli.store import with_store
from quantcloud.domain.account import Account, Tier
from quantcloud.endpoints import sign_in_link
from quantcloud.settings import Settings
from quantcloud.storage import Store


def make_link(settings: Settings, user: str, tier: Tier | None) -> str:
    """Return a link that signs `user` in to the web console, once, within 10 minutes."""
    make_token(settings, user, tier, hours=0.01)
    code = sign_in_codes(settings, lambda: datetime.now(UTC)).issue(user)
    if code is None:
        raise Failure("tokens are issued by the service behind QUANTCLOUD_JWKS_URL, not here")
    scheme = "http" if settings.tls_cert is None else "https"
    return sign_in_link(scheme, settings.http_host, settings.http_port, code)


def make_token(settings: Settings, user: str, tier: Tier | None, hours: float) -> str:
    """Return a JWT for `user`. Creates the account, and puts it on `tier` if that is given."""
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
