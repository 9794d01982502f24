"""`quantcloud token`: a JWT for an account of the server on this machine."""

from datetime import UTC, datetime, timedelta

from quantcloud.auth.tokens.issuer import issuer, sign_in_codes
from quantcloud.auth.tokens.jwt import issue
from quantcloud.auth.tokens.secret import FILE_NAME
from quantcloud.cli.failure import Failure
from quantcloud.cli.host.store import with_store
from quantcloud.domain.account import Account, Tier
from quantcloud.endpoints import sign_in_link
from quantcloud.settings import Settings
from quantcloud.storage import Store
from quantcloud.telemetry import audit


def make_link(settings: Settings, user: str, tier: Tier | None) -> str:
    """Return a link that signs `user` in to the web console, once, within 10 minutes."""
    make_token(settings, user, tier, hours=0.01)
    code = sign_in_codes(settings, lambda: datetime.now(UTC)).issue(user)
    if code is None:
        raise Failure("tokens are issued by the service behind QUANTCLOUD_JWKS_URL, not here")
    return sign_in_link(settings.http_scheme, settings.http_host, settings.http_port, code)


def make_token(settings: Settings, user: str, tier: Tier | None, hours: float) -> str:
    """Return a JWT for `user`. Creates the account, and puts it on `tier` if that is given.

    Raises `Failure` if there is no server's secret: one made here would be that of no server.
    """
    if settings.jwt_secret is None and settings.jwks_url is None:
        secret = settings.data_dir / FILE_NAME
        if not secret.exists():
            raise Failure(
                f"no server has run with the data folder {settings.data_dir.resolve()}: start it "
                "first, or name its folder with --data-dir or QUANTCLOUD_DATA_DIR"
            )
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
