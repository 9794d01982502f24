"""Settings as they come from the environment."""

import pytest

from quantcloud.settings import Settings


@pytest.mark.parametrize(
    "name", ["JWKS_URL", "JWT_SECRET", "JWT_ISSUER", "JWT_AUDIENCE", "WORKERS"]
)
def test_one_that_is_set_to_nothing_is_not_set(monkeypatch, name):
    """As by `${NAME:-}` of a compose file."""
    monkeypatch.delenv(f"QUANTCLOUD_{name}", raising=False)
    unset = Settings()
    monkeypatch.setenv(f"QUANTCLOUD_{name}", "")
    assert Settings() == unset
