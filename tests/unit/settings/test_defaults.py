"""The defaults, and the page that shows them."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from quantcloud.domain.account import Tier, TierLimits
from quantcloud.settings import DEFAULT_TIERS, Settings


@pytest.mark.parametrize(
    "name", ["JWKS_URL", "JWT_SECRET", "JWT_ISSUER", "JWT_AUDIENCE", "WORKERS"]
)
def test_an_empty_variable_counts_as_not_set(monkeypatch, name):
    """`${NAME:-}` in a compose file gives such variables."""
    monkeypatch.delenv(f"QUANTCLOUD_{name}", raising=False)
    unset = Settings()
    monkeypatch.setenv(f"QUANTCLOUD_{name}", "")
    assert Settings() == unset


PAGE = Path(__file__).parents[3] / "docs/configuration.md"


def test_the_page_on_configuration_shows_the_default_limits_of_all_tiers():
    rows = dict(re.findall(r"^\| `(\w+)`(?: a month)? \| (.*) \|$", PAGE.read_text(), re.MULTILINE))
    for field in fields(TierLimits):
        limits = [getattr(DEFAULT_TIERS[tier], field.name) for tier in Tier]
        shown = ["none" if limit is None else f"{limit:,.0f}" for limit in limits]
        assert rows[field.name].split(" | ") == shown, field.name
