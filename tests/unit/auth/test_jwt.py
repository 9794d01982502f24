"""Which tokens are valid, and the errors for others. The JWKS endpoint is real."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from quantcloud.auth.tokens.jwt import Issuer, JwtVerifier, issue
from quantcloud.domain.errors import Unauthenticated, Unavailable

SECRET = "a-secret-that-is-at-least-32-bytes-long"
AUDIENCE = "authenticated"
HERE = Issuer(SECRET, AUDIENCE)
HOUR = timedelta(hours=1)


def now() -> datetime:
    return datetime.now(UTC)


def claims(**changes: Any) -> dict[str, Any]:
    whole = {"sub": "ada", "aud": AUDIENCE, "exp": now() + HOUR, **changes}
    return {name: value for name, value in whole.items() if value is not None}


def signed(content: dict[str, Any], secret: str = SECRET) -> str:
    return jwt.encode(content, secret, algorithm="HS256")


async def refusal(token: str, issuer: Issuer = HERE) -> Unauthenticated:
    with pytest.raises(Unauthenticated) as caught:
        await JwtVerifier(issuer).verify(token)
    return caught.value


async def test_an_issued_token_is_valid():
    token = issue(HERE, "ada", now=now(), lifetime=HOUR, email="ada@example.org", name="Ada")
    found = await JwtVerifier(HERE).verify(token)
    assert (found.subject, found.email, found.name) == ("ada", "ada@example.org", "Ada")


async def test_a_token_that_was_valid_expires(monkeypatch):
    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + 2 * HOUR

    verifier = JwtVerifier(HERE)
    token = issue(HERE, "ada", now=now(), lifetime=HOUR)
    await verifier.verify(token)
    clock = SimpleNamespace(time=lambda: time.time() + 7200)
    monkeypatch.setattr("quantcloud.auth.tokens.jwt.time", clock)
    monkeypatch.setattr("jwt.api_jwt.datetime", Later)
    with pytest.raises(Unauthenticated, match="expired"):
        await verifier.verify(token)


async def test_supabase_claims_are_read():
    token = signed(claims(email="a@b.c", user_metadata={"full_name": "Ada L.", "name": "x"}))
    found = await JwtVerifier(HERE).verify(token)
    assert (found.email, found.name) == ("a@b.c", "Ada L.")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (claims(exp=now() - HOUR), "expired"),
        (claims(aud="anon"), "audience"),
        (claims(aud=None), "'aud'"),
        (claims(exp=None), "'exp'"),
        (claims(sub=None), "'sub'"),
        (claims(sub=""), "'sub'"),
        (claims(sub="a" * 256), "'sub'"),
        (claims(sub="a\x00"), "'sub'"),
        (claims(sub="\ud800"), "'sub'"),
        (claims(nbf=now() + HOUR), "not valid yet"),
    ],
)
async def test_an_invalid_token_is_refused(content: dict[str, Any], says: str):
    assert says in (await refusal(signed(content))).message


async def test_another_secret_is_refused():
    token = signed(claims(), "another-secret-of-at-least-32-bytes!")
    assert "signature" in (await refusal(token)).message


async def test_the_issuer_is_checked_if_it_is_set():
    issuer = Issuer(SECRET, AUDIENCE, issuer="https://auth.example.org")
    assert "issuer" in (await refusal(signed(claims(iss="https://evil.example")), issuer)).message
    good = issue(issuer, "ada", now=now(), lifetime=HOUR)
    assert (await JwtVerifier(issuer).verify(good)).subject == "ada"


async def test_alg_none_is_refused():
    token = jwt.encode(claims(), None, algorithm="none")
    assert "'none'" in (await refusal(token)).message


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "\x00", "." * 5000])
async def test_a_text_that_is_not_a_token_is_refused(text: str):
    await refusal(text)


def test_a_weak_secret_is_refused():
    with pytest.raises(ValueError, match="32 bytes"):
        JwtVerifier(Issuer("short", AUDIENCE))


def test_no_token_is_issued_without_a_secret():
    with pytest.raises(ValueError, match="QUANTCLOUD_JWKS_URL"):
        issue(Issuer(None, AUDIENCE), "ada", now=now(), lifetime=HOUR)


RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def jwks() -> Iterator[str]:
    """A JWKS endpoint with one RSA and one EC key."""
    keys = {
        "keys": [
            {**json.loads(RSAAlgorithm.to_jwk(RSA_KEY.public_key())), "kid": "rsa", "use": "sig"},
            {**json.loads(ECAlgorithm.to_jwk(EC_KEY.public_key())), "kid": "ec", "use": "sig"},
        ]
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):  # the base class's name
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(keys).encode())

        def log_message(self, *_: object):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as endpoint:
        thread = threading.Thread(target=endpoint.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{endpoint.server_port}/jwks.json"
        endpoint.shutdown()
        thread.join()


@pytest.mark.parametrize(("key", "kid", "algorithm"), [(RSA_KEY, "rsa", "RS256"),
                                                       (EC_KEY, "ec", "ES256")])  # fmt: skip
async def test_keys_of_a_jwks_endpoint_are_accepted(jwks: str, key: Any, kid: str, algorithm: str):
    token = jwt.encode(claims(), key, algorithm=algorithm, headers={"kid": kid})
    verifier = JwtVerifier(Issuer(None, AUDIENCE, jwks_url=jwks))
    assert (await verifier.verify(token)).subject == "ada"


async def test_a_key_that_the_endpoint_does_not_list_is_refused(jwks: str):
    token = jwt.encode(claims(), RSA_KEY, algorithm="RS256", headers={"kid": "unknown"})
    found = await refusal(token, Issuer(None, AUDIENCE, jwks_url=jwks))
    assert "does not list" in found.message


async def test_a_public_key_is_not_accepted_as_a_secret(jwks: str):
    """A token signed with the public key as an HS256 secret must be refused."""
    public = json.dumps(json.loads(RSAAlgorithm.to_jwk(RSA_KEY.public_key())))
    content = {**claims(), "exp": int((now() + HOUR).timestamp())}
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=")
        for part in ({"alg": "HS256", "kid": "rsa"}, content)
    ]
    body = b".".join(parts)
    mac = hmac.new(public.encode(), body, hashlib.sha256).digest()
    token = (body + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()
    found = await refusal(token, Issuer(None, AUDIENCE, jwks_url=jwks))
    assert "'HS256'" in found.message


async def test_an_endpoint_that_is_down_is_reported():
    verifier = JwtVerifier(Issuer(None, AUDIENCE, jwks_url="http://127.0.0.1:1/jwks.json"))
    token = jwt.encode(claims(), RSA_KEY, algorithm="RS256", headers={"kid": "rsa"})
    with pytest.raises(Unavailable):
        await verifier.verify(token)
