"""A client that knows no server but the one that a test names."""

from pathlib import Path

import pytest

from quantcloud.client.network import connection


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch, tmp_path: Path):
    for name in (connection.SERVER, connection.TOKEN, connection.CA_FILE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
