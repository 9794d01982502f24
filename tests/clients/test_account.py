"""`quantcloud account` while a server is running."""

import subprocess
import uuid
from pathlib import Path

import pytest

from support.server import Server, quantcloud


def account(server_data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        quantcloud("account", *arguments, "--data-dir", str(server_data)),
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_a_new_tier_applies_from_the_next_request_on(server: Server):
    user = f"{uuid.uuid4()}@example.org"
    missing = account(server.data_dir, "set-tier", user, "developer")
    assert missing.returncode == 1
    assert f"there is no account '{user}'" in missing.stderr
    token = server.token(user)
    headers = {"Authorization": f"Bearer {token}"}
    assert server.get("/v1/account/usage", headers=headers).json()["tier"] == "explorer"
    done = account(server.data_dir, "set-tier", user, "developer")
    assert (done.returncode, done.stdout) == (0, f"{user} is on the developer tier\n")
    usage = server.get("/v1/account/usage", headers=headers).json()
    assert usage["tier"] == "developer"
    assert usage["limits"]["max_shots"] == 100_000
    shown = account(server.data_dir, "show", user)
    assert "developer" in shown.stdout
    assert "0 of 600" in shown.stdout
    assert account(server.data_dir, "show", "nobody").returncode == 1
    bad = account(server.data_dir, "set-tier", user, "emperor")
    assert bad.returncode == 2
    assert "enterprise" in bad.stderr


@pytest.mark.parametrize("command", [("show", "ada"), ("set-tier", "ada", "developer")])
def test_looking_up_an_account_creates_no_database(tmp_path: Path, command: tuple[str, ...]):
    missing = account(tmp_path / "data", *command)
    assert missing.returncode == 1
    assert missing.stderr == f"quantcloud: there is no database at {tmp_path}/data/quantcloud.db\n"
    assert list(tmp_path.iterdir()) == []
