from datetime import UTC, datetime, timedelta

import jwt
import pytest

from quantcloud.auth.tokens.jwt import Issuer, JwtVerifier
from quantcloud.auth.tokens.sign_in import SignInCodes
from quantcloud.domain.errors import Unauthenticated

SECRET = "a-secret-for-tests-that-is-long-enough-for-hs256"
ISSUER = Issuer(SECRET, "authenticated")


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def codes(clock: Clock, issuer: Issuer = ISSUER) -> SignInCodes:
    return SignInCodes(issuer, clock)


async def test_a_code_gives_a_token_of_its_account(clock: Clock):
    ours = codes(clock)
    code = ours.issue("ada")
    assert code is not None
    token = ours.redeem(code)
    claims = await JwtVerifier(ISSUER).verify(token.text)
    assert claims.subject == token.account_id == "ada"
    assert token.expires_at == clock.now + timedelta(hours=12)


def test_a_code_works_once(clock: Clock):
    ours = codes(clock)
    code, other = ours.issue("ada"), ours.issue("ada")
    assert code is not None
    assert other is not None
    ours.redeem(code)
    with pytest.raises(Unauthenticated, match="used before"):
        ours.redeem(code)
    ours.redeem(other)


def test_a_code_is_short_lived(clock: Clock):
    ours = codes(clock)
    code = ours.issue("ada")
    assert code is not None
    clock.now += timedelta(minutes=10)
    with pytest.raises(Unauthenticated, match="older than 10 minutes"):
        ours.redeem(code)


def test_a_server_that_starts_again_takes_no_code_from_before(clock: Clock):
    code = codes(clock).issue("ada")
    assert code is not None
    clock.now += timedelta(seconds=2)
    with pytest.raises(Unauthenticated, match="started again"):
        codes(clock).redeem(code)


async def test_a_code_is_no_token_and_a_token_no_code(clock: Clock):
    ours = codes(clock)
    code = ours.issue("ada")
    assert code is not None
    with pytest.raises(Unauthenticated):
        await JwtVerifier(ISSUER).verify(code)
    token = ours.redeem(code).text
    foreign = jwt.encode({"sub": "ada", "iat": clock.now, "jti": "x"}, SECRET, algorithm="HS256")
    for wrong in (token, foreign, "", "a.b.c", code[:-2]):
        with pytest.raises(Unauthenticated, match="not one of this server"):
            ours.redeem(wrong)


def test_a_server_without_a_secret_has_no_codes(clock: Clock):
    ours = codes(clock, Issuer(None, "authenticated", jwks_url="https://issuer.example.org/jwks"))
    assert ours.issue("ada") is None
    with pytest.raises(Unauthenticated, match="issues no tokens"):
        ours.redeem("a.b.c")
