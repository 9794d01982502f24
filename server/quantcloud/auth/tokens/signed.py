"""Short-lived texts that this server signs, and does not store."""

import hmac
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import jwt

_ALGORITHM: Final = "HS256"


class SignedTexts:
    """Signs claims, and reads them back. The key is derived from `secret` for one `purpose`.

    So no text of one purpose passes for one of another, or for a bearer token.
    """

    def __init__(self, secret: str, purpose: bytes, clock: Callable[[], datetime]) -> None:
        self._key = hmac.digest(secret.encode(), purpose, "sha256")
        self._clock = clock

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Return a text with these claims, signed now."""
        return jwt.encode({**claims, "iat": self._clock()}, self._key, algorithm=_ALGORITHM)

    def read(self, text: str) -> tuple[Mapping[str, Any], datetime]:
        """Return the claims of a text, and when it was signed.

        Raises `jwt.InvalidTokenError` for any other text. The caller decides how old it may be.
        """
        claims: dict[str, Any] = jwt.decode(
            text, self._key, algorithms=[_ALGORITHM], options={"verify_iat": False}
        )
        return claims, datetime.fromtimestamp(claims["iat"], UTC)
