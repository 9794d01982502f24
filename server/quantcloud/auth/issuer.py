"""The issuer of tokens that the settings name."""

from quantcloud.auth.jwt import Issuer
from quantcloud.auth.secret import load_or_create
from quantcloud.settings import Settings


def issuer(settings: Settings) -> Issuer:
    """Whose tokens this server accepts: its own, unless the settings name another issuer.

    Raises `OSError` where the server's secret cannot be read or made.
    """
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
