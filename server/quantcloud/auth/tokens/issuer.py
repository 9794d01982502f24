"""The issuer of tokens that the settings name."""

from collections.abc import Callable
from datetime import datetime

from quantcloud.auth.tokens.jwt import Issuer
from quantcloud.auth.tokens.secret import load_or_create
from quantcloud.auth.tokens.sign_in import SignInCodes
from quantcloud.auth.tokens.tickets import Tickets
from quantcloud.settings import Settings


def issuer(settings: Settings) -> Issuer:
    """Return the issuer whose tokens this server accepts: itself, unless the settings name another.

    Raises `OSError` if the server's secret cannot be read or created.
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


def sign_in_codes(settings: Settings, clock: Callable[[], datetime]) -> SignInCodes:
    """Return the codes of sign-in links. Raises `OSError` as `issuer` does."""
    return SignInCodes(issuer(settings), clock)


def tickets(settings: Settings, clock: Callable[[], datetime]) -> Tickets:
    """Return the server's watch tickets. Servers with the same secrets accept the same tickets.

    Raises `OSError` if the server's secret cannot be read or created.
    """
    # With the keys of another issuer, the proxy's secret is what several servers share.
    shared = settings.jwt_secret or settings.proxy_secret
    return Tickets(
        shared.get_secret_value() if shared else load_or_create(settings.data_dir), clock
    )
