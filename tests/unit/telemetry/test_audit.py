"""The audit log when its disk fills up, and before its folder exists."""

import json
import os

import pytest

from quantcloud.telemetry import audit


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(audit, "_path", tmp_path / "audit.log")
    monkeypatch.setattr(audit, "_torn", False)
    return tmp_path / "audit.log"


def test_a_line_that_did_not_fit_is_reported_and_spoils_no_other(path, monkeypatch, caplog):
    write = os.write
    with monkeypatch.context() as full:
        # A disk with room for 20 bytes.
        full.setattr(os, "write", lambda file, data: write(file, data[:20]))
        audit.record("key_created", key_id="k1")
    (logged,) = caplog.records
    assert "missing in the audit log: No space left on device" in logged.getMessage()
    assert "k1" in logged.getMessage()
    audit.record("key_created", key_id="k2")
    audit.record("key_created", key_id="k3")
    _, *lines = path.read_text().splitlines()
    assert [json.loads(line)["key_id"] for line in lines] == ["k2", "k3"]


def test_the_first_event_makes_the_folder(path, monkeypatch, caplog):
    inside = path.parent / "data" / "audit.log"
    monkeypatch.setattr(audit, "_path", inside)
    audit.by_operator("tier_changed", account_id="ada")
    assert not caplog.records
    assert json.loads(inside.read_text())["by"] == "operator"
    assert inside.parent.stat().st_mode & 0o777 == 0o700
