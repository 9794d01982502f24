"""Tokens of an issuer that publishes its keys, over REST and gRPC."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from support.api import Api
from support.external.jwks import EC_KEY, RSA_KEY, Endpoint, entry
from support.server import SECRET, Server
from thequantcloud.v1 import account_pb2

ISSUER = "https://project.supabase.co/auth/v1"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with Endpoint(entry(EC_KEY, "ec")) as running:
        yield running


@pytest.fixture(scope="module")
def server(endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(
        tmp_path_factory.mktemp("issuer") / "data", "--workers", "1",
        QUANTCLOUD_JWKS_URL=endpoint.url, QUANTCLOUD_JWT_ISSUER=ISSUER,
        QUANTCLOUD_JWT_TIER_CLAIM="true",
    ) as running:  # fmt: skip
        yield running


def token(key: Any = EC_KEY, algorithm: str = "ES256", kid: str = "ec", **claims: Any) -> str:
    whole = {
        "sub": "ada", "aud": "authenticated", "iss": ISSUER, "role": "authenticated",
        "exp": datetime.now(UTC) + timedelta(hours=1), "email": "ada@example.org",
        "user_metadata": {"full_name": "Ada"}, **claims,
    }  # fmt: skip
    return jwt.encode(whole, key, algorithm=algorithm, headers={"kid": kid})


def profile(server: Server, text: str) -> Any:
    return server.get("/v1/account/profile", headers={"Authorization": f"Bearer {text}"})


def test_a_token_creates_an_account_and_sets_its_tier(server: Server):
    body = profile(server, token()).json()
    assert (body["email"], body["name"], body["tier"]) == ("ada@example.org", "Ada", "explorer")
    body = profile(server, token(app_metadata={"tier": "developer"})).json()
    assert body["tier"] == "developer"
    api = Api(server.channel, server.rest, token())
    over_grpc = api.account.GetProfile(account_pb2.GetProfileRequest(), metadata=api.metadata)
    assert over_grpc.tier == account_pb2.Tier.developer


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (token(iss="https://evil.example.org"), "issuer"),
        (token(aud="anon"), "audience"),
        (token(nbf=datetime.now(UTC) + timedelta(hours=1)), "not valid yet"),
        (token(exp=datetime.now(UTC) - timedelta(hours=1)), "expired"),
        (token("x" * 64, "HS512"), "'HS512' is not accepted"),
        (token(kid="forged"), "does not list"),
    ],
    ids=["issuer", "audience", "not before", "expired", "algorithm", "key"],
)
def test_invalid_tokens_are_401(server: Server, text: str, says: str):
    refused = profile(server, text)
    assert refused.status_code == 401
    assert says in refused.json()["detail"]
    assert refused.headers["www-authenticate"] == 'Bearer error="invalid_token"'


def test_forged_key_ids_query_the_issuer_at_most_once(server: Server, endpoint: Endpoint):
    profile(server, token())
    asked = endpoint.asked
    for number in range(20):
        assert profile(server, token(kid=f"forged-{number}")).status_code == 401
    assert endpoint.asked <= asked + 1
    endpoint.down = True
    assert profile(server, token()).status_code == 200


def test_tokens_signed_with_the_secret_are_accepted_too(server: Server):
    assert profile(server, token(SECRET, "HS256")).status_code == 200
    assert profile(server, token(RSA_KEY, "RS256")).status_code == 401
