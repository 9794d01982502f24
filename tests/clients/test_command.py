"""The `quantcloud` command as people use it."""

import os
import signal
import socket
import subprocess
import sys
import threading
from importlib import metadata
from pathlib import Path

import jwt
import pytest

from benchmarks.workloads import measured, random_gates
from support.circuits import ASYMMETRIC, BELL
from support.server import SECRET, Server, quantcloud
from thequantcloud.v1 import circuit_pb2


def run(*arguments: str, text: str | None = None, **environment: str):
    return subprocess.run(
        quantcloud(*arguments), capture_output=True, text=True, input=text, check=False,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "100", "XDG_CONFIG_HOME": "/none", **environment},
        timeout=60,
    )  # fmt: skip


def test_run_shows_progress_and_the_histogram(server: Server, tmp_path: Path):
    circuit = tmp_path / "x.qasm"
    circuit.write_text(ASYMMETRIC)
    done = run("run", str(circuit), "--backend", "local_simulator", "--shots", "50",
               "--server", server.endpoints.grpc, "--token", server.token())  # fmt: skip
    assert done.returncode == 0, done.stderr
    for status in ("submitted", "queued", "running", "completed"):
        assert status in done.stdout
    assert "local_simulator" in done.stdout
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("001")]
    assert row.split()[-2:] == ["50", "100.0%"]


def test_run_reads_standard_input_and_the_environment(server: Server):
    done = run("run", "-", text=BELL, QUANTCLOUD_TOKEN=server.token(),
               QUANTCLOUD_SERVER=server.endpoints.grpc)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "completed" in done.stdout


def test_run_prints_errors_in_one_line(server: Server, tmp_path: Path):
    bad = tmp_path / "bad.qasm"
    bad.write_text("OPENQASM 2.0;\nqreg q[1]\n")
    here = ("--server", server.endpoints.grpc)
    token = ("--token", server.token())
    cases = [
        (("run", str(bad), *here, *token), 1, "line 2, column"),
        (("run", str(bad), *here), 5, "QUANTCLOUD_TOKEN"),
        (("run", str(bad), *here, "--token", "x"), 5, "neither a JWT nor an API key"),
        (("run", str(bad), *here, "--token", "a.b.c"), 5, "`quantcloud login`"),
        (("run", str(tmp_path / "none.qasm"), *here, *token), 1, "No such file"),
        (("run", str(bad), "--server", "127.0.0.1:1", *token), 4, "no server answers"),
        (("run", str(bad), "--server", "ftp://127.0.0.1:1", *token), 5, "must be HOST:PORT"),
        (("run", sys.executable, *here, *token), 1, "UTF-8"),
        (("run", str(bad), *here, *token, "--options", '{"memry": true}'), 2, "'memory'"),
        (("run", str(bad), *here, *token, "--options", '{"seed": 1}'), 2, "option of its own"),
        (("run", str(bad), *here, *token, "--options", "[1]"), 2, "must be a JSON object"),
        (("run", str(bad), *here, *token, "--noise", "{"), 2, "--noise: is no JSON"),
        (("job", "none", *here, *token), 1, "job 'none' not found"),
        (("jobs", *here, *token, "--status", "done"), 1, "must be one of submitted"),
    ]
    for arguments, code, says in cases:
        done = run(*arguments)
        assert done.returncode == code
        assert done.stdout == ""
        assert says in done.stderr
        assert len(done.stderr.splitlines()) == 1


def histogram(output: str) -> list[str]:
    return output.partition("\n\n")[2].splitlines()


@pytest.mark.parametrize("backend", ["local_simulator", "aer_simulator"])
def test_rerun_gets_the_counts_of_the_first_run(server: Server, tmp_path: Path, backend: str):
    api = server.api()
    environment = {
        "QUANTCLOUD_SERVER": server.endpoints.grpc, "QUANTCLOUD_TOKEN": api.credential,
    }  # fmt: skip
    circuit = tmp_path / "random.qasm"
    circuit.write_text(measured(4, random_gates(4, 6, seed=3)))
    first = run("run", str(circuit), "--backend", backend, "--shots", "999", **environment)
    assert len(histogram(first.stdout)) > 5, first.stderr
    job_id = first.stdout.split()[1]
    again = run("rerun", job_id, **environment)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.split()[1] != job_id
    assert histogram(again.stdout) == histogram(first.stdout)


@pytest.mark.parametrize("fields", [{}, {"shots": 20}, {"precision": 0.1}])
def test_rerun_gets_the_points_of_the_first_run(server: Server, fields):
    api = server.api()
    environment = {
        "QUANTCLOUD_SERVER": server.endpoints.grpc, "QUANTCLOUD_TOKEN": api.credential,
    }  # fmt: skip
    first = api.run(
        'OPENQASM 3.0; include "stdgates.inc"; input float[64] t; qubit[1] q; ry(t) q[0];',
        parameters={"t": {"values": [0.1, 0.2]}},
        observables=[{"terms": [{"pauli": "Z"}]}],
        **fields,
    )
    points = api.finish(first).result.sweep
    again = run("rerun", first, **environment)
    assert (again.returncode, again.stderr) == (0, "")
    assert api.finish(again.stdout.split()[1]).result.sweep == points


def test_rerun_names_a_job_that_is_not_there(server: Server):
    here = ("--server", server.endpoints.grpc, "--token", server.token())
    done = run("rerun", "00000000-0000-4000-8000-000000000000", *here)
    assert (done.returncode, done.stdout) == (1, "")
    assert "00000000-0000-4000-8000-000000000000" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_watch_of_all_jobs_shows_each(server: Server):
    api = server.api()
    with subprocess.Popen(
        quantcloud("watch", "--all", "--server", server.endpoints.grpc),
        stdout=subprocess.PIPE, text=True,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "100", "QUANTCLOUD_TOKEN": api.credential},
    ) as watch:  # fmt: skip
        assert watch.stdout is not None
        timeout = threading.Timer(60, watch.kill)
        timeout.start()
        # The watch does not show when it has started, so jobs are sent until it prints one.
        first: list[str] = []
        reader = threading.Thread(target=lambda: first.append(watch.stdout.readline()))
        reader.start()
        while reader.is_alive():
            api.run(BELL)
            reader.join(0.2)
        circuits = [circuit_pb2.RunCircuitRequest(qasm=BELL, backend="local_simulator")] * 100
        request = circuit_pb2.RunCircuitsRequest(circuits=circuits)
        batch = api.circuits.RunCircuits(request, metadata=api.metadata)
        statuses = {job.job_id: [] for job in batch.jobs}
        for line in watch.stdout:
            job, status, *_ = line.split()
            if job in statuses:
                statuses[job].append(status)
            if all(seen[-1:] == ["completed"] for seen in statuses.values()):
                break
        timeout.cancel()
        watch.kill()
    whole = ["submitted", "analyzing", "routing", "queued", "dispatched", "running", "completed"]
    assert [*statuses.values()] == [whole] * 100


def test_token_puts_the_account_on_a_tier(server: Server):
    token = server.token("tiers@example.org", tier="developer")
    claims = jwt.decode(token, SECRET, algorithms=["HS256"], audience="authenticated")
    assert claims["sub"] == "tiers@example.org"
    headers = {"Authorization": f"Bearer {token}"}
    assert server.get("/v1/account/profile", headers=headers).json()["tier"] == "developer"
    server.token("tiers@example.org", tier="explorer")
    assert server.get("/v1/account/profile", headers=headers).json()["tier"] == "explorer"


def test_the_command_puts_an_account_on_a_tier(server: Server):
    options = ("--user", "tess", "--tier", "developer", "--data-dir", str(server.data_dir))
    token = run("token", *options, QUANTCLOUD_JWT_SECRET=SECRET).stdout.strip()
    headers = {"Authorization": f"Bearer {token}"}
    assert server.get("/v1/account/profile", headers=headers).json()["tier"] == "developer"


def test_a_link_of_the_command_signs_in_once(server: Server):
    options = ("--user", "ada", "--data-dir", str(server.data_dir), "--link")
    link = run("token", *options, QUANTCLOUD_JWT_SECRET=SECRET).stdout.strip()
    address, _, code = link.partition("#sign-in=")
    assert address == "http://127.0.0.1:8080/"
    elsewhere = run("token", *options, "--http-port", "8123", QUANTCLOUD_JWT_SECRET=SECRET)
    assert elsewhere.stdout.startswith("http://127.0.0.1:8123/#sign-in=")
    answer = server.post("/v1/auth/sign-in", {"code": code})
    assert answer.status_code == 200
    signed_in = {"Authorization": f"Bearer {answer.json()['token']}"}
    assert server.get("/v1/account/profile", headers=signed_in).json()["id"] == "ada"
    assert server.post("/v1/auth/sign-in", {"code": code}).status_code == 401


def test_a_drawing_is_printed(server: Server, tmp_path: Path):
    (tmp_path / "bell.qasm").write_text(BELL)
    done = run("draw", str(tmp_path / "bell.qasm"), "--server", server.endpoints.grpc,
               "--token", server.token())  # fmt: skip
    assert done.stdout.splitlines()[1].startswith("q[0] ─┤ H ├─●─┤ M ├")


def test_the_demo_succeeds_and_shows_both_circuits():
    done = run("demo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    for part in ("submitted", "running", "completed", "00", "11", "00000", "11111"):
        assert part in done.stdout


def test_a_used_port_is_named(server: Server, tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for option in ("--grpc-port", "--http-port"):
            other = "--http-port" if option == "--grpc-port" else "--grpc-port"
            done = run("serve", "--data-dir", str(tmp_path / option), option, port, other, "0")
            assert done.returncode == 1
            assert port in done.stderr.splitlines()[-1]


def test_a_second_server_on_the_same_data_folder_is_refused(server: Server):
    done = run("serve", "--data-dir", str(server.data_dir), "--http-port", "0", "--grpc-port", "0")
    assert done.returncode == 1
    assert str(server.process.pid) in done.stderr


def test_invalid_settings_are_named(tmp_path: Path):
    done = run("serve", "--data-dir", str(tmp_path), QUANTCLOUD_WORKERS="none")
    assert done.returncode == 2
    assert "QUANTCLOUD_WORKERS" in done.stderr
    done = run("serve", "--data-dir", str(tmp_path), QUANTCLOUD_JWT_SECRET="short")
    assert done.returncode == 1
    assert "32 bytes" in done.stderr


def test_token_makes_no_second_secret(tmp_path: Path):
    done = run("token", "--user", "ada", "--data-dir", str(tmp_path / "typo"))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"no server has run with the data folder {tmp_path / 'typo'}" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_token_refuses_the_secrets_that_the_server_refuses(tmp_path: Path):
    short = {**os.environ, "QUANTCLOUD_JWT_SECRET": "short"}
    lines = set()
    for command in (("token", "--user", "ada"), ("serve",)):
        done = subprocess.run(
            quantcloud(*command, "--data-dir", str(tmp_path / "data")),
            capture_output=True, text=True, check=False, timeout=60, env=short,
        )  # fmt: skip
        assert done.returncode == 1
        lines.add(done.stderr)
    assert lines == {
        "quantcloud: QUANTCLOUD_JWT_SECRET is shorter than 32 bytes: too weak for HS256\n"
    }


@pytest.mark.parametrize(
    "command",
    [
        ("serve", "--data-dir", "\udcff"), ("token", "--user", "\udcff"), ("run", "\udcff"),
        ("run", "a.qasm", "--token", "\udcff"), ("watch", "\udcff", "--token", "t"),
        ("calibrate", "--data-dir", "\udcff"), ("account", "show", "\udcff"),
        ("account", "set-tier", "\udcff", "developer"), ("envoy", "--grpc", "\udcff"),
        ("backup", "\udcff"), ("\udcff",),
    ],
)  # fmt: skip
def test_an_argument_that_is_not_utf8_is_named_in_one_line(
    tmp_path: Path, command: tuple[str, ...]
):
    done = subprocess.run(
        quantcloud(*command), capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path
    )
    assert (done.returncode, done.stdout) == (2, "")
    place = command.index("\udcff") + 1
    assert done.stderr == f"quantcloud: argument {place} is not UTF-8 text: '\\udcff'\n"
    assert list(tmp_path.iterdir()) == []


def test_a_setting_that_is_not_utf8_is_named(tmp_path: Path):
    done = subprocess.run(
        quantcloud("token", "--user", "ada"), capture_output=True, text=True, check=False,
        timeout=60, cwd=tmp_path, env={**os.environ, "QUANTCLOUD_DATA_DIR": "\udcff"},
    )  # fmt: skip
    assert done.returncode == 2
    assert "QUANTCLOUD_DATA_DIR is not UTF-8 text" in done.stderr


def test_the_version_is_that_of_the_package():
    done = run("--version")
    assert done.stdout == f"quantcloud {metadata.version('thequantcloud')}\n"
    assert done.returncode == 0


INTERRUPTED = """
import os, signal, sys
from quantcloud.__main__ import main

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
sys.argv[1:] = {arguments}
main()
"""


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        ("typer", ["--help"]), ("sqlalchemy", ["serve"]), ("grpc", ["run", "-", "--token", "t"]),
    ],
)  # fmt: skip
def test_ctrl_c_during_imports_prints_nothing(module, arguments, tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED.format(module=module, arguments=arguments)],
        capture_output=True, text=True, check=False, timeout=60, cwd=tmp_path, input="",
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")
    assert list(tmp_path.iterdir()) == []
