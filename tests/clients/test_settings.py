"""Settings from the environment. Tiers change limit by limit, and errors are named."""

import json
import subprocess
from pathlib import Path

import pytest
from pydantic import ValidationError

from quantcloud.domain.account import Tier
from quantcloud.settings import DEFAULT_TIERS, Settings
from support.server import quantcloud


def test_setting_one_limit_keeps_the_others(monkeypatch: pytest.MonkeyPatch):
    given = {"explorer": {"requests_per_minute": 60}, "developer": {"simulator_minutes": None}}
    monkeypatch.setenv("QUANTCLOUD_TIERS", json.dumps(given))
    settings = Settings()
    explorer, developer = settings.limits(Tier.EXPLORER), settings.limits(Tier.DEVELOPER)
    assert (explorer.requests_per_minute, explorer.max_shots) == (60, 10_000)
    assert (developer.simulator_minutes, developer.qpu_tasks) == (None, 100)
    assert settings.limits(Tier.ENTERPRISE) == DEFAULT_TIERS[Tier.ENTERPRISE]


def test_the_defaults_are_the_published_ones():
    limits = Settings().limits
    shown = [
        (t.requests_per_minute, t.max_shots, t.max_qubits, t.max_concurrent_jobs,
         t.max_waiting_jobs, t.api_keys, t.simulator_minutes, t.job_seconds)
        for t in map(limits, Tier)
    ]  # fmt: skip
    assert shown == [
        (30, 10_000, 25, 3, 100, 5, 60, 60),
        (120, 100_000, 30, 10, 1_000, 20, 600, 600),
        (None, 1_000_000, 1_000, 100, 10_000, 100, None, 3_600),
    ]
    monthly = [(t.qpu_tasks, t.credits_usd) for t in map(limits, Tier)]
    assert monthly[:2] == [(10, 50), (100, 500)]


@pytest.mark.parametrize(
    ("tiers", "says"),
    [
        ({"explorer": {"max_shot": 1}}, "no limit called max_shot; there are max_shots"),
        ({"explorer": {"max_shots": -1}}, "max_shots must be 0 or more"),
        ({"explorer": {"max_shots": None}}, "valid integer"),
        ({"explorer": {"credits_usd": "NaN"}}, "credits_usd must be 0 or more"),
        ({"emperor": {}}, "no tier is called emperor; there are explorer, developer, enterprise"),
        ({"explorer": 3}, "explorer must be an object, as in"),
        ([], "must be an object such as"),
    ],
)
def test_errors_in_a_tier_are_named(tiers: object, says: str):
    with pytest.raises(ValidationError, match=says):
        Settings(tiers=tiers)


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        ({"speed": -1}, "greater than or equal to 0"),
        ({"cost": "inf"}, "finite number"),
        (
            {"speed": 0, "accuracy": 0, "cost": 0},
            "one of the weights of speed, accuracy and cost must be above 0",
        ),
    ],
)
def test_errors_in_router_weights_are_named(weights: dict[str, object], says: str):
    with pytest.raises(ValidationError, match=says):
        Settings(**{f"router_{name}_weight": value for name, value in weights.items()})


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("QUANTCLOUD_TIERS", "{", "QUANTCLOUD_TIERS: is no JSON"),
        ("QUANTCLOUD_RATE_LIMIT_URL", "http://:hunter2@localhost", "redis://"),
        ("QUANTCLOUD_PROXY_SECRET", "hunter2", "QUANTCLOUD_PROXY_SECRET"),
    ],
)
def test_a_server_with_invalid_settings_does_not_start(
    tmp_path: Path, name: str, value: str, says: str
):
    done = subprocess.run(
        quantcloud("serve", "--data-dir", str(tmp_path), "--grpc-port", "0", "--no-envoy"),
        capture_output=True, text=True, check=False, timeout=60,
        env={"PATH": "/usr/bin:/bin", name: value},
    )  # fmt: skip
    assert done.returncode in {1, 2}
    (line,) = done.stderr.splitlines()
    assert says in line
    assert "hunter2" not in line


@pytest.mark.parametrize("address", ["auto", "head:6379", "10.0.0.1:6379", "[fd00::1]:6379"])
def test_addresses_of_a_ray_cluster(address: str):
    assert Settings(ray_address=address).ray_address == address


@pytest.mark.parametrize("address", ["ray://head:10001", "head", "head:", ":6379", "fd00::1:6379"])
def test_an_invalid_ray_address_is_named(address: str):
    with pytest.raises(ValidationError, match="is not HOST:PORT of the cluster's head"):
        Settings(ray_address=address)
