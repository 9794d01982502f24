"""Sign-in links: a web page becomes an account's session with the code in one.

A code is signed, and not stored. It is in an address, so it is short-lived and works once: a server
remembers the codes that were used, and takes none from before its start. The code is in the
fragment of the address, which a browser sends nowhere; the page exchanges it for a token.
"""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import jwt

from quantcloud.auth.tokens.jwt import Issuer, issue
from quantcloud.auth.tokens.signed import SignedTexts
from quantcloud.domain.errors import Unauthenticated
from quantcloud.domain.value_object import value_object

OPERATOR: Final = "operator"
"""The account of the link that `quantcloud serve` prints."""
LASTS: Final = timedelta(minutes=10)
_TOKEN_LASTS: Final = timedelta(hours=12)


@value_object
class NewToken:
    """A token for an account, and when it expires."""

    account_id: str
    text: str
    expires_at: datetime


class SignInCodes:
    """Signs codes with a key derived from the issuer's secret, and gives tokens for them.

    Without a secret there are no codes: the tokens come from elsewhere.
    """

    def __init__(self, issuer: Issuer, clock: Callable[[], datetime]) -> None:
        self._issuer = issuer
        self._clock = clock
        secret = issuer.secret
        self._texts = None if secret is None else SignedTexts(secret, b"sign-in codes", clock)
        # JWTs count whole seconds.
        self._started = clock().replace(microsecond=0)
        # When each used code expires, by its id.
        self._used: dict[str, datetime] = {}

    def issue(self, account_id: str) -> str | None:
        """Return a code for an account; None if this server issues no tokens."""
        if self._texts is None:
            return None
        return self._texts.sign({"sub": account_id, "jti": secrets.token_urlsafe(12)})

    def redeem(self, code: str) -> NewToken:
        """Return a token for the account of a code. Raises `Unauthenticated`."""
        account_id = self._take(code)
        now = self._clock()
        token = issue(self._issuer, account_id, now=now, lifetime=_TOKEN_LASTS)
        return NewToken(account_id, token, now + _TOKEN_LASTS)

    def _take(self, code: str) -> str:
        now = self._clock()
        if self._texts is None:
            raise _refusal("this server issues no tokens")
        try:
            claims, issued_at = self._texts.read(code)
        except jwt.InvalidTokenError as error:
            raise _refusal("it is not one of this server") from error
        if now - issued_at >= LASTS:
            raise _refusal("it is older than 10 minutes")
        if issued_at < self._started:
            raise _refusal("the server has started again since")
        self._used = {each: until for each, until in self._used.items() if until > now}
        if claims["jti"] in self._used:
            raise _refusal("it was used before")
        self._used[claims["jti"]] = issued_at + LASTS
        return claims["sub"]


def _refusal(why: str) -> Unauthenticated:
    return Unauthenticated(
        f"code: this link does not sign you in, because {why}; ask for another, or use a token",
        reason="INVALID_SIGN_IN_CODE",
    )
