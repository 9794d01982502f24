"""An operator lists, exports and deletes accounts, and revokes keys, while a server runs."""

import json
import os
import stat
import subprocess
import uuid
from collections import Counter
from pathlib import Path

from support.api import Api
from support.circuits import BELL
from support.server import Server, quantcloud


def operate(folder: Path, *arguments: str, answer: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        quantcloud(*arguments, "--data-dir", str(folder)),
        capture_output=True, text=True, check=False, timeout=60, input=answer,
    )  # fmt: skip


def api_of(server: Server, name: str) -> Api:
    """Return a client of the account `name`."""
    return Api(server.channel, server.rest, server.token(name, "enterprise"))


def make_account(server: Server) -> str:
    """Make an account with a key, a saved circuit and two jobs; return its name."""
    name = f"{uuid.uuid4()}@example.org"
    api = api_of(server, name)
    api.rest("POST", "/v1/auth/api-keys", {"name": "laptop"})
    api.rest("POST", "/v1/circuits", {"name": "bell", "qasm": BELL})
    for _ in range(2):
        api.finish(api.run(BELL, shots=100, name="bell", tags=["a", "b"]))
    return name


def audited(server: Server, event: str, name: str) -> list[dict[str, object]]:
    """Return the lines of the audit log about an event of an account."""
    lines = map(json.loads, (server.data_dir / "audit.log").read_text().splitlines())
    return [line for line in lines if (line["event"], line.get("account_id")) == (event, name)]


def test_what_an_operator_changes_is_audited_with_its_ids(server: Server):
    name = f"{uuid.uuid4()}@example.org"
    api = api_of(server, name)
    key = api.rest("POST", "/v1/auth/api-keys", {"name": "laptop"}).json()
    api.finish(api.run(BELL))
    for arguments in (
        ("set-tier", name, "developer"), ("revoke-key", key["id"]), ("delete", name, "--yes"),
    ):  # fmt: skip
        done = operate(server.data_dir, "account", *arguments)
        assert done.returncode == 0, done.stderr
        assert operate(server.data_dir, "account", *arguments).returncode == int(
            arguments[0] != "set-tier"
        )
    by = {"by": "operator", "uid": os.getuid()}
    (changed,) = audited(server, "tier_changed", name)
    assert changed.items() >= {**by, "before": "enterprise", "tier": "developer"}.items()
    (revoked,) = audited(server, "key_revoked", name)
    assert revoked.items() >= {**by, "key_id": key["id"]}.items()
    (deleted,) = audited(server, "account_deleted", name)
    assert (deleted["by"], deleted["uid"]) == ("operator", os.getuid())
    removed = deleted["deleted"]
    assert isinstance(removed, dict)
    assert (removed["jobs"], removed["API keys"]) == (1, 1)


def test_all_accounts_are_listed(server: Server):
    name = make_account(server)
    listed = operate(server.data_dir, "account", "list").stdout.splitlines()
    assert listed[0].split() == ["account", "tier", "jobs", "since", "email"]
    (line,) = [line for line in listed if line.startswith(name)]
    assert line.split()[1:3] == ["enterprise", "2"]
    names = [line.split()[0] for line in listed[1:]]
    assert names == sorted(set(names))


def test_an_export_has_all_that_the_account_owns(server: Server, tmp_path: Path):
    name, other = make_account(server), make_account(server)
    target = tmp_path / "export.jsonl"
    done = operate(server.data_dir, "account", "export", name, str(target))
    assert done.returncode == 0, done.stderr
    text = target.read_text()
    rows = [json.loads(line) for line in text.splitlines()]
    assert Counter(row["kind"] for row in rows) == {
        "account": 1, "usage": 1, "api_key": 1, "circuit": 1, "job": 2,
    }  # fmt: skip
    jobs = [row for row in rows if row["kind"] == "job"]
    assert [sum(job["result"]["counts"].values()) for job in jobs] == [100, 100]
    assert [job["qasm"] for job in jobs] == [BELL, BELL]
    assert [(job["name"], job["tags"]) for job in jobs] == [("bell", ["a", "b"])] * 2
    assert other not in text
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    again = operate(server.data_dir, "account", "export", name, str(target))
    assert (again.returncode, target.read_text()) == (1, text)


def test_an_export_has_the_points_of_a_sweep(server: Server, tmp_path: Path):
    name = f"{uuid.uuid4()}@example.org"
    api = api_of(server, name)
    qasm = 'OPENQASM 3.0; include "stdgates.inc"; input float[64] t; qubit[1] q; rx(t) q[0];'
    api.finish(api.run(qasm, parameters={"t": {"values": [0, 0.5]}}, shots=10))
    target = tmp_path / "export.jsonl"
    done = operate(server.data_dir, "account", "export", name, str(target))
    assert done.returncode == 0, done.stderr
    *_, job, points = [json.loads(line) for line in target.read_text().splitlines()]
    assert job["sweep"]["parameters"] == {"t": {"values": [0, 0.5]}}
    assert (points["kind"], points["job_id"], points["points_done"]) == ("points", job["id"], 2)
    assert points["points"][0] == {"counts": {"0": 10}}
    gone = operate(server.data_dir, "account", "delete", name, "--yes")
    assert "1 blocks of points" in gone.stdout


def test_a_deleted_account_is_gone_with_all_its_data(server: Server):
    name, other = make_account(server), make_account(server)
    api = api_of(server, name)
    key = api.rest("POST", "/v1/auth/api-keys", {"name": "lab"}).json()["key"]
    job = api.run(BELL)
    refused = operate(server.data_dir, "account", "delete", name, answer="n\n")
    assert (refused.returncode, api.rest("GET", f"/v1/jobs/{job}").status_code) == (1, 200)
    done = operate(server.data_dir, "account", "delete", name, "--yes")
    assert done.returncode == 0, done.stderr
    assert f"{name} is deleted" in done.stdout
    for part in (
        "3 jobs", "4 tags", "3 results", "3 circuits of jobs", "1 saved circuits", "2 API keys",
    ):  # fmt: skip
        assert part in done.stdout
    assert server.get("/v1/jobs", headers={"X-API-Key": key}).status_code == 401
    # A valid token makes the account anew, and empty.
    assert api.rest("GET", "/v1/jobs").json()["total"] == 0
    assert api.rest("GET", f"/v1/jobs/{job}").status_code == 404
    assert api_of(server, other).rest("GET", "/v1/jobs").json()["total"] == 2
    assert operate(server.data_dir, "account", "delete", "nobody", "--yes").returncode == 1


def test_jobs_of_a_deleted_account_are_stopped(tmp_path: Path):
    with Server(tmp_path / "data", "--workers", "1") as server:
        api = api_of(server, "ada")
        slow = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[22]; creg c[22];' + (
            "h q; rx(0.1) q;" * 200 + "measure q -> c;"
        )
        running = api.run(slow)
        api.until(running, "running")
        for _ in range(3):
            api.run(slow)
        done = operate(server.data_dir, "account", "delete", "ada", "--yes")
        assert done.returncode == 0, done.stderr
        assert "4 jobs" in done.stdout
        # The worker is free again for others.
        other = api_of(server, "bob")
        other.finish(other.run(BELL, backend="aer_simulator"))
        assert "exception" not in server.log_path.read_text()


def test_a_leaked_key_is_revoked_by_its_text_or_id(server: Server):
    api = server.api()
    made = [api.rest("POST", "/v1/auth/api-keys", {"name": n}).json() for n in ("a", "b")]
    for given, one in (("key", made[0]), ("id", made[1])):
        assert server.get("/v1/jobs", headers={"X-API-Key": one["key"]}).status_code == 200
        done = operate(server.data_dir, "account", "revoke-key", one[given])
        assert f"the API key '{one['name']}' ({one['id']})" in done.stdout
        assert server.get("/v1/jobs", headers={"X-API-Key": one["key"]}).status_code == 401
        again = operate(server.data_dir, "account", "revoke-key", one[given])
        assert again.returncode == 1
        assert one["key"] not in done.stdout + again.stderr
