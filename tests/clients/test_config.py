"""`quantcloud config`: what it shows, and the mistakes that it names."""

import json
import socket
import subprocess
from pathlib import Path

import pytest

from support.server import quantcloud


def config(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        quantcloud("config", *arguments), capture_output=True, text=True, check=False, timeout=60,
        cwd=folder,
        env={
            "PATH": "/usr/bin:/bin", "COLUMNS": "120",
            **{f"QUANTCLOUD_{name.upper()}": value for name, value in variables.items()},
        },
    )  # fmt: skip


def test_it_shows_what_was_changed_and_by_which_source(tmp_path: Path):
    file = tmp_path / "quantcloud.toml"
    file.write_text('drain_seconds = "2min"\njwt_secret = "hunter2hunter2hunter2hunter2hunter2"\n')
    given = ("--config", str(file))
    done = config("show", "--changed", "--json", *given, folder=tmp_path, workers="2")
    rows = {row["variable"]: (row["value"], row["source"]) for row in json.loads(done.stdout)}
    assert rows == {
        "QUANTCLOUD_DRAIN_SECONDS": ("120", "file"),
        "QUANTCLOUD_JWT_SECRET": ("********", "file"),
        "QUANTCLOUD_WORKERS": ("2", "environment"),
    }
    table = config("show", "--changed", *given, folder=tmp_path, workers="2")
    assert "QUANTCLOUD_WORKERS" in table.stdout
    assert "environment" in table.stdout
    assert "hunter2" not in table.stdout + done.stdout


def test_valid_settings_pass(tmp_path: Path):
    done = config("check", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_services_that_cannot_be_reached_are_named_at_once(tmp_path: Path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{unused.getsockname()[1]}"
    (tmp_path / "file").touch()
    done = config(
        "check", folder=tmp_path, rate_limit_url=f"redis://:hunter2@{place}/0",
        database_url=f"postgresql://me:hunter2@{place}/db", jwks_url=f"http://{place}/jwks.json",
        data_dir="file/folder",
    )  # fmt: skip
    named = [line.split(": ")[1] for line in done.stderr.splitlines()]
    assert sorted(named) == [
        "QUANTCLOUD_DATABASE_URL", "QUANTCLOUD_DATA_DIR", "QUANTCLOUD_JWKS_URL",
        "QUANTCLOUD_RATE_LIMIT_URL",
    ]  # fmt: skip
    assert done.returncode == 1
    assert "hunter2" not in done.stderr


def test_what_a_server_would_not_start_with_is_named(tmp_path: Path):
    none = str(tmp_path / "none.pem")
    done = config(
        "check", folder=tmp_path, tls_cert=none, tls_key=none, grpc_tls_cert=none,
        grpc_tls_key=none, upstream_tls_ca=none, database_url="mysql://host/db",
        jwt_secret="hunter2",
    )  # fmt: skip
    named = [line.split()[1].strip(":") for line in done.stderr.splitlines()]
    assert named == [
        "QUANTCLOUD_TLS_CERT", "QUANTCLOUD_GRPC_TLS_CERT", "QUANTCLOUD_UPSTREAM_TLS_CA",
        "QUANTCLOUD_DATABASE_URL", "QUANTCLOUD_JWT_SECRET",
    ]  # fmt: skip
    assert done.returncode == 1
    assert "hunter2" not in done.stderr


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"envoy": "false", "grpc_host": "0.0.0.0"}, "QUANTCLOUD_GRPC_HOST: 0.0.0.0 lets"),  # noqa: S104
        ({"config": "quantcloud.toml"}, "quantcloud.toml: holds jwt_secret"),
    ],
)
def test_what_is_valid_but_dangerous_is_named(tmp_path: Path, variables: dict[str, str], says: str):
    file = tmp_path / "quantcloud.toml"
    file.write_text(f"jwt_secret = '{'x' * 40}'\n")
    file.chmod(0o644)
    done = config("check", folder=tmp_path, **variables)
    assert done.returncode == 1
    assert done.stderr.startswith(f"quantcloud: {says}")
    if "config" in variables:
        file.chmod(0o600)
        assert config("check", folder=tmp_path, **variables).returncode == 0
