"""Where settings come from, and how mistakes in them are named."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantcloud.domain.account import Tier
from quantcloud.environment import RENAMED, is_injected
from quantcloud.settings import DEFAULT_TIERS, Settings
from quantcloud.settings.loading import SettingsMistakes, Source, load, shown


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in os.environ if name.startswith("QUANTCLOUD_")]:
        monkeypatch.delenv(name)


def mistakes(**options: object) -> list[str]:
    with pytest.raises(SettingsMistakes) as raised:
        load(options)
    return list(raised.value.args)


def write(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> Path:
    file = folder / "quantcloud.toml"
    file.write_text(text)
    monkeypatch.setenv("QUANTCLOUD_CONFIG", str(file))
    return file


def test_an_option_goes_before_a_variable_and_a_variable_before_the_file(monkeypatch, tmp_path):
    write(monkeypatch, tmp_path, "workers = 1\nhttp_port = 1\ngrpc_port = 1\n")
    monkeypatch.setenv("QUANTCLOUD_WORKERS", "2")
    monkeypatch.setenv("QUANTCLOUD_HTTP_PORT", "2")
    options = {"workers": 3, "http_port": None}
    settings = load(options)
    assert (settings.workers, settings.http_port, settings.grpc_port) == (3, 2, 1)
    sources = {each.variable: each.source for each in shown(settings, options)}
    assert sources["QUANTCLOUD_WORKERS"] is Source.OPTION
    assert sources["QUANTCLOUD_HTTP_PORT"] is Source.ENVIRONMENT
    assert sources["QUANTCLOUD_GRPC_PORT"] is Source.FILE
    assert sources["QUANTCLOUD_DATA_DIR"] is Source.DEFAULT


def test_a_misspelt_variable_is_named_with_the_nearest_setting(monkeypatch):
    monkeypatch.setenv("QUANTCLOUD_JWT_SECRT", "x" * 32)
    monkeypatch.setenv("QUANTCLOUD_COFFEE", "black")
    assert mistakes() == [
        "QUANTCLOUD_COFFEE is no setting; see `quantcloud config show`",
        "QUANTCLOUD_JWT_SECRT is no setting; did you mean QUANTCLOUD_JWT_SECRET?",
    ]


@pytest.mark.parametrize(("former", "present"), RENAMED.items())
def test_a_renamed_setting_is_named_with_its_successor(monkeypatch, tmp_path, former, present):
    file = write(monkeypatch, tmp_path, f"{former} = 1\n")
    monkeypatch.setenv(f"QUANTCLOUD_{former.upper()}", "1")
    assert mistakes() == [
        f"QUANTCLOUD_{former.upper()} is no setting; it is now called QUANTCLOUD_{present.upper()}",
        f"{file}: {former} is no setting; it is now called {present}",
    ]


def test_variables_of_clients_and_of_kubernetes_pass(monkeypatch):
    given = {
        "QUANTCLOUD_SERVER": "localhost:50051",
        "QUANTCLOUD_TOKEN": "t",
        "QUANTCLOUD_SERVICE_HOST": "10.0.0.1",
        "QUANTCLOUD_SERVICE_PORT": "80",
        "QUANTCLOUD_SERVICE_PORT_HTTP": "80",
        "QUANTCLOUD_PORT": "tcp://10.0.0.1:80",
        "QUANTCLOUD_PORT_80_TCP_ADDR": "10.0.0.1",
        "QUANTCLOUD_GRPC_PORT": "tcp://10.0.0.1:50051",
        "QUANTCLOUD_GRPC_SERVICE_HOST": "10.0.0.1",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert load({}).grpc_port == 50051


@pytest.mark.parametrize("name", [f"QUANTCLOUD_{name.upper()}" for name in Settings.model_fields])
def test_no_setting_passes_for_a_variable_of_kubernetes(name: str):
    assert not is_injected(name, "1")


def test_all_mistakes_are_named_at_once(monkeypatch):
    for name, value in {
        "TIERS": "{",
        "WORKERS": "0",
        "LEASE_SECONDS": "3 years",
        "WORKER_MEMORY": "much",
    }.items():
        monkeypatch.setenv(f"QUANTCLOUD_{name}", value)
    found = mistakes(http_port=99_999)
    assert [line.partition(":")[0] for line in found] == [
        "--http-port",
        "QUANTCLOUD_TIERS",
        "QUANTCLOUD_WORKERS",
        "QUANTCLOUD_WORKER_MEMORY",
        "QUANTCLOUD_LEASE_SECONDS",
    ]


def test_each_unknown_tier_or_limit_is_one_line(monkeypatch):
    tiers = {"exp": {"max_shots": 1}, "explorer": {"shots": 1, "qubits": 1}}
    monkeypatch.setenv("QUANTCLOUD_TIERS", json.dumps(tiers))
    assert mistakes() == [
        "QUANTCLOUD_TIERS: no tier is called exp; there are explorer, developer, enterprise",
        (
            "QUANTCLOUD_TIERS: explorer has no limit called qubits, shots; there are max_shots, "
            "max_points, max_qubits, max_concurrent_jobs, max_waiting_jobs, api_keys, "
            "simulator_minutes, qpu_tasks, credits_usd, job_seconds, requests_per_minute"
        ),
    ]


def test_mistakes_in_a_file_name_the_file(monkeypatch, tmp_path):
    file = write(monkeypatch, tmp_path, "wokers = 1\nhttp_port = -1\n")
    assert mistakes() == [
        f"{file}: wokers is no setting; did you mean workers?",
        f"{file}: http_port: input should be greater than or equal to 0",
    ]
    file.write_text("workers = ")
    assert mistakes()[0].startswith(f"{file}: is no TOML: ")
    file.unlink()
    assert mistakes() == [f"QUANTCLOUD_CONFIG: {file}: No such file or directory"]


def test_a_file_may_change_one_limit(monkeypatch, tmp_path):
    write(monkeypatch, tmp_path, "[tiers.explorer]\nrequests_per_minute = 600\n")
    settings = load({})
    assert [each.requests_per_minute for each in settings.tiers.values()] == [600]
    (tiers,) = [each for each in shown(settings, {}) if each.variable == "QUANTCLOUD_TIERS"]
    assert json.loads(tiers.value) == {"explorer": {"requests_per_minute": 600}}
    assert tiers.default == "the published limits"
    assert settings.limits(Tier.DEVELOPER) == DEFAULT_TIERS[Tier.DEVELOPER]


def test_secrets_are_masked(monkeypatch):
    monkeypatch.setenv("QUANTCLOUD_JWT_SECRET", "hunter2" * 5)
    monkeypatch.setenv("QUANTCLOUD_RATE_LIMIT_URL", "redis://:hunter2@localhost/0")
    monkeypatch.setenv("QUANTCLOUD_DATABASE_URL", "postgresql://me:hunter2@db/quantcloud")
    values = {each.variable: each.value for each in shown(load({}), {})}
    assert values["QUANTCLOUD_DATABASE_URL"] == "postgresql://me:********@db/quantcloud"
    assert "hunter2" not in str(values)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"heartbeat_seconds": 20}, "HEARTBEAT_SECONDS: is 20; it must be at most half"),
        ({"watch_checkpoint_seconds": 300}, "WATCH_CHECKPOINT_SECONDS: is 300; it must be less"),
        ({"envoy_memory": "64MiB", "max_body_bytes": "32MiB"}, "MAX_BODY_BYTES: is 33554432"),
        ({"worker_memory": "1MiB"}, "WORKER_MEMORY: is 1048576 bytes, which refuses every circuit"),
        ({"threads_per_run": 2, "engine": "ray"}, "THREADS_PER_RUN: has no effect with QUANTCLOUD"),
        ({"grpc_port": 8080}, "GRPC_PORT: is 8080, as QUANTCLOUD_HTTP_PORT is"),
        ({"grpc_port": 8080, "grpc_host": "0.0.0.0"}, "GRPC_PORT: is 8080"),  # noqa: S104
        ({"jwks_url": "issuer.example"}, "JWKS_URL: 'issuer.example' is no URL"),
        ({"jwks_url": "http://i.example/k", "jwt_secret": "x" * 32}, "JWKS_URL: is plain http"),
        ({"tls_cert": "a.pem"}, "TLS_KEY: is missing; QUANTCLOUD_TLS_CERT needs it"),
        ({"grpc_tls_key": "a.key"}, "GRPC_TLS_CERT: is missing; QUANTCLOUD_GRPC_TLS_KEY needs it"),
        ({"http_redirect_port": 80}, "HTTP_REDIRECT_PORT: has no effect without QUANTCLOUD_TLS"),
        ({"tls_client_ca": "a.pem"}, "TLS_CLIENT_CA: has no effect without QUANTCLOUD_TLS_CERT"),
        ({"cors_origins": ["https://lab.example/"]}, "CORS_ORIGINS: 'https://lab.example/' is no"),
        ({"cors_origins": ["lab.example"]}, "CORS_ORIGINS: 'lab.example' is no origin"),
    ],
)
def test_settings_that_contradict_each_other_are_named(changes, says):
    (line,) = mistakes(**changes)
    assert line.startswith(f"QUANTCLOUD_{says}")


@pytest.mark.parametrize(
    "changes",
    [
        {"grpc_port": 8080, "envoy": False},
        {"grpc_port": 8080, "grpc_host": "127.0.0.2"},
        {"grpc_port": 0, "http_port": 0},
        {"jwks_url": "http://localhost:9999/jwks.json", "jwt_secret": "x" * 32},
        {"cors_origins": ["https://lab.example:8443", "http://localhost:3000"]},
        {"cors_origins": []},
    ],
)
def test_settings_that_go_together_pass(changes):
    load(changes)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("worker_memory", "2GiB", 2 << 30),
        ("worker_memory", "500 MB", 500_000_000),
        ("worker_memory", "33554432", 1 << 25),
        ("max_header_kib", "16", 16),
        ("max_header_kib", "16KiB", 16),
        ("drain_seconds", "30", 30),
        ("drain_seconds", "30s", 30),
        ("drain_seconds", "1.5 min", 90),
        ("watch_position_seconds", "250ms", 0.25),
        ("retention_days", "30d", 30),
        ("retention_days", "48h", 2),
    ],
)
def test_sizes_and_times_may_have_units(monkeypatch, name, text, value):
    monkeypatch.setenv(f"QUANTCLOUD_{name.upper()}", text)
    assert getattr(load({}), name) == value


@given(st.text(st.characters(exclude_categories=["C"]), min_size=1))
def test_any_text_for_a_time_or_a_size_is_a_value_or_a_named_mistake(text: str):
    for name in ("drain_seconds", "worker_memory"):
        try:
            assert getattr(load({name: text}), name) >= 0
        except SettingsMistakes as raised:
            named = f"--{name.replace('_', '-')}", f"QUANTCLOUD_{name.upper()}"
            assert all(line.startswith(named) for line in raised.args)


def test_a_large_number_is_shown_with_all_its_digits():
    values = {each.variable: each.value for each in shown(load({}), {})}
    assert values["QUANTCLOUD_HSTS_SECONDS"] == "31536000"
