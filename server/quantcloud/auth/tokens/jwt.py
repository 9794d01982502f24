"""JSON Web Tokens from Supabase and from `quantcloud token`."""

import time
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

import jwt

from quantcloud.auth.tokens.secret import MINIMUM_BYTES
from quantcloud.domain.account import Tier
from quantcloud.domain.errors import Unauthenticated
from quantcloud.domain.value_object import value_object

if TYPE_CHECKING:
    from quantcloud.auth.tokens.jwks import KeySet

SYMMETRIC: Final = ("HS256",)
ASYMMETRIC: Final = ("ES256", "RS256")
_LEEWAY = timedelta(seconds=10)
_MAXIMUM_SUBJECT_LENGTH = 255
# Verified tokens are cached, because checking a signature costs more than the rest of most calls.
# A withdrawn key stays valid for this much longer.
_CACHE_SECONDS = 10.0
_MAXIMUM_CACHED = 2_000


@value_object
class TokenClaims:
    """The claims of a valid token about its owner."""

    subject: str
    email: str | None
    name: str | None
    expires_at: datetime
    tier: Tier | None = None


@value_object
class Issuer:
    """The issuer whose tokens are accepted: tokens signed with `secret` (HS256), with a key of
    `jwks_url` (ES256, RS256), or either. At least one of the two is set. With `tier_claim`, the
    account's tier comes from `app_metadata.tier`, which users cannot write. Raises `ValueError` if
    the secret is too short.
    """

    secret: str | None = field(repr=False)
    audience: str
    issuer: str | None = None
    jwks_url: str | None = None
    tier_claim: bool = False

    def __post_init__(self) -> None:
        if self.secret is not None and len(self.secret.encode()) < MINIMUM_BYTES:
            raise ValueError(
                f"QUANTCLOUD_JWT_SECRET is shorter than {MINIMUM_BYTES} bytes: too weak for HS256"
            )


def _key_set(url: str) -> "KeySet":
    # Imported here because only this needs an HTTP client, which takes long to import.
    from quantcloud.auth.tokens.jwks import KeySet  # noqa: PLC0415

    return KeySet(url)


class JwtVerifier:
    """Checks signature, algorithm, expiry, start time, audience and issuer of tokens."""

    def __init__(self, issuer: Issuer) -> None:
        self._issuer = issuer
        self._keys = _key_set(issuer.jwks_url) if issuer.jwks_url else None
        # The claims of recently verified tokens, and when they must be verified again.
        self._verified: dict[str, tuple[TokenClaims, float]] = {}

    async def verify(self, token: str) -> TokenClaims:
        """Return the claims of a token that is valid, or was seconds ago and has not expired since.

        Raises `Unauthenticated` that says what is wrong with the token, or `Unavailable` if the
        JWKS endpoint has never answered.
        """
        now = time.time()
        claims, until = self._verified.get(token, (None, 0.0))
        if claims is not None and now < until:
            return claims
        claims = await self._verify(token)
        if len(self._verified) >= _MAXIMUM_CACHED:
            self._verified.clear()
        self._verified[token] = claims, min(now + _CACHE_SECONDS, claims.expires_at.timestamp())
        return claims

    async def _verify(self, token: str) -> TokenClaims:
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError as error:
            raise _refusal("the bearer token is neither a JWT nor an API key") from error
        algorithm = header.get("alg")
        key: Any
        if algorithm in SYMMETRIC and self._issuer.secret is not None:
            key, algorithms = self._issuer.secret, SYMMETRIC
        elif algorithm in ASYMMETRIC and self._keys is not None:
            key_id: object = header.get("kid")
            public = await self._keys.find(key_id) if isinstance(key_id, str) else None
            if public is None:
                raise _refusal("the token is signed with a key that its issuer does not list")
            # The key determines the algorithm, not the token.
            key, algorithms = public.key, (public.algorithm_name,)
        else:
            raise _refusal(f"the token's algorithm {algorithm!r} is not accepted")
        return self._claims(token, key, algorithms)

    def _claims(self, token: str, key: Any, algorithms: tuple[str, ...]) -> TokenClaims:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(algorithms),
                audience=self._issuer.audience,
                issuer=self._issuer.issuer,
                leeway=_LEEWAY,
                options={"require": ["exp", "sub", "aud"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise _refusal("the token has expired; sign in again", "TOKEN_EXPIRED") from error
        except jwt.InvalidAudienceError as error:
            raise _refusal(
                f"the token's audience is not {self._issuer.audience!r}", "WRONG_AUDIENCE"
            ) from error
        except jwt.InvalidIssuerError as error:
            raise _refusal(f"the token's issuer is not {self._issuer.issuer!r}") from error
        except jwt.ImmatureSignatureError as error:
            raise _refusal("the token is not valid yet") from error
        except jwt.MissingRequiredClaimError as error:
            raise _refusal(f"the token has no {error.claim!r} claim") from error
        except jwt.InvalidSignatureError as error:
            raise _refusal("the token's signature does not match") from error
        except jwt.PyJWTError as error:
            raise _refusal("the token is not valid") from error
        subject: object = claims["sub"]
        if not isinstance(subject, str) or not _is_subject(subject):
            raise _refusal(
                f"the token's 'sub' is not 1 to {_MAXIMUM_SUBJECT_LENGTH} printable characters"
            )
        return TokenClaims(
            subject=subject,
            email=_text(claims.get("email")),
            name=_name(claims),
            expires_at=_instant(claims["exp"]),
            tier=_tier(claims) if self._issuer.tier_claim else None,
        )


def issue(
    issuer: Issuer,
    subject: str,
    *,
    now: datetime,
    lifetime: timedelta,
    email: str | None = None,
    name: str | None = None,
) -> str:
    """Return a token for `subject`, signed with the issuer's secret.

    Raises `ValueError` if the subject is not valid, or if the issuer has no secret because its
    tokens come from elsewhere.
    """
    if not _is_subject(subject):
        raise ValueError(f"a user must have 1 to {_MAXIMUM_SUBJECT_LENGTH} printable characters")
    if issuer.secret is None:
        raise ValueError("tokens are issued by the service behind QUANTCLOUD_JWKS_URL, not here")
    claims: dict[str, Any] = {
        "sub": subject,
        "aud": issuer.audience,
        "iat": now,
        "exp": now + lifetime,
        "role": "authenticated",
    }
    if issuer.issuer is not None:
        claims["iss"] = issuer.issuer
    if email is not None:
        claims["email"] = email
    if name is not None:
        claims["user_metadata"] = {"name": name}
    return jwt.encode(claims, issuer.secret, algorithm=SYMMETRIC[0])


def _instant(seconds: Any) -> datetime:
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise _refusal("the token's 'exp' is not a time in seconds since 1970") from error


def _is_subject(text: str) -> bool:
    return 0 < len(text) <= _MAXIMUM_SUBJECT_LENGTH and text.isprintable()


def _refusal(message: str, reason: str = "INVALID_TOKEN") -> Unauthenticated:
    return Unauthenticated(message, reason=reason)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value and value.isprintable() else None


def _inside(claims: Mapping[str, object], name: str) -> Mapping[str, object]:
    """Return a claim that is an object, or an empty object if it is not."""
    found = claims.get(name)
    return cast("Mapping[str, object]", found) if isinstance(found, dict) else {}


def _tier(claims: Mapping[str, object]) -> Tier | None:
    """Return the tier from the issuer, or None if it is missing or unknown."""
    found = _inside(claims, "app_metadata").get("tier")
    return next((tier for tier in Tier if tier.value == found), None)


def _name(claims: Mapping[str, object]) -> str | None:
    """Return the owner's name: Supabase puts it into `user_metadata`, others into `name`."""
    inner = _inside(claims, "user_metadata")
    for candidate in (inner.get("full_name"), inner.get("name"), claims.get("name")):
        if (name := _text(candidate)) is not None:
            return name
    return None
