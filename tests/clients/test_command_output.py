"""What the commands print: JSON for programs, and live output on a terminal."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import ANY

import grpc
import pytest

from support.circuits import ASYMMETRIC, BELL, slow
from support.clients.scripted import refusal, scripted
from support.server import Server, quantcloud
from thequantcloud.v1 import account_pb2

SECONDS = 60


@pytest.fixture(scope="module")
def settings(server: Server, tmp_path_factory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("user")
    (folder / "x.qasm").write_text(ASYMMETRIC)
    (folder / "bell.qasm").write_text(BELL)
    (folder / "slow.qasm").write_text(slow())
    return {
        "PATH": os.environ["PATH"], "COLUMNS": "140", "XDG_CONFIG_HOME": str(folder), "HOME": "/",
        "QUANTCLOUD_SERVER": server.endpoints.grpc,
        "QUANTCLOUD_TOKEN": server.token(tier="developer"), "FOLDER": str(folder),
    }  # fmt: skip


def run(settings: dict[str, str], *arguments: str, code: int = 0, text: str = "") -> str:
    done = subprocess.run(
        quantcloud(*arguments), capture_output=True, text=True, env=settings, check=False,
        cwd=settings["FOLDER"], timeout=SECONDS, input=text,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def test_json_has_the_form_of_rest(settings, server: Server):
    def got(*arguments: str):
        return json.loads(run(settings, *arguments, "--json"))

    headers = {"Authorization": f"Bearer {settings['QUANTCLOUD_TOKEN']}"}

    def rest(path: str):
        return server.get(path, headers=headers).json()

    result = got("run", "x.qasm", "--shots", "9", "--seed", "4", "--name", "n", "--tag", "t",
                 "--noise", '{"depolarizing_1q": 0}', "--options", '{"memory": true}',
                 "--backend", "aer_simulator", "--optimize-for", "speed")  # fmt: skip
    job_id = result["job_id"]
    assert result == rest(f"/v1/jobs/{job_id}/result")
    job = got("job", job_id)
    assert {key: job[key] for key in job if key != "options"} == {
        key: value for key, value in rest(f"/v1/jobs/{job_id}").items() if key != "options"
    }
    assert (job["name"], job["tags"], job["options"]["seed"]) == ("n", ["t"], 4)
    assert [each["job_id"] for each in got("jobs", "--tag", "t", "--limit", "1")] == [job_id]
    assert got("result", job_id) == result
    assert got("plan", "x.qasm")["backend"]
    assert "┤ X ├" in got("draw", "x.qasm")["text"]
    assert got("usage") == rest("/v1/account/usage")
    assert got("backends") == rest("/v1/backends")["backends"]
    assert got("status")["backends"] == rest("/v1/status")["backends"]
    batch = got("batch", "x.qasm", "bell.qasm", "--shots", "3")
    assert [each["file"] for each in batch] == ["x.qasm", "bell.qasm"]
    assert batch[0]["result"]["counts"] == {"001": 3}
    assert batch[0]["job"]["status"] == "completed"
    again = got("rerun", job_id)
    assert (again["counts"], again["job_id"] == job_id) == (result["counts"], False)
    saved = got("circuits", "save", "one", "x.qasm")
    assert got("circuits", "show", saved["id"])["qasm"] == ASYMMETRIC
    assert got("circuits", "list")[0]["name"] == "one"
    got("circuits", "delete", saved["id"])
    key = got("keys", "create", "k")
    assert got("keys", "list")[0]["key_prefix"] == key["key_prefix"]
    got("keys", "revoke", key["id"])
    events = run(settings, "watch", job_id, "--json").splitlines()
    assert [json.loads(each)["sequence"] for each in events] == [1, 2, 3, 4, 5, 6, 7]


TURN = """OPENQASM 3.0;
include "stdgates.inc";
input float[64] theta;
qubit[2] q;
ry(theta) q[0];
"""


def test_sweep_and_estimate_print_each_point(settings):
    shown = run(settings, "sweep", "-", "-p", "theta=0:3.141592653589793:3", "--shots", "7", "-q",
                text=TURN)  # fmt: skip
    assert [line.split() for line in shown.splitlines()][1] == ["0", "0", "00:", "7"]
    assert [line.split() for line in shown.splitlines()][3] == ["2", "3.14159", "01:", "7"]
    shown = run(settings, "estimate", "-", "-p", "theta=0,1", "-o", "IZ", "-o", '{"ZI": 2}', "-q",
                text=TURN)  # fmt: skip
    assert [line.split() for line in shown.splitlines()[1:]] == [
        ["0", "0", "1", "2"], ["1", "1", "0.540302", "2"],
    ]  # fmt: skip
    found = json.loads(run(settings, "estimate", "-", "-p", "theta=1", "-o", "Z0", "--gradient",
                           "--json", text=TURN))  # fmt: skip
    (point,) = found["sweep"]["points"]
    assert point["gradients"][0]["parameters"]["theta"]["values"] == [pytest.approx(-0.841471)]
    said = run(settings, "sweep", "-", "-p", "theta", code=2, text=TURN)
    assert "--parameter: must be NAME=VALUES" in said


def test_the_result_of_a_sweep_shows_its_points(settings):
    for arguments, value in ((["sweep"], "00:"), (["estimate", "-o", "IZ"], "1")):
        more = ("-", "-p", "theta=0,1", "--shots", "9", "--json")
        first = json.loads(run(settings, *arguments, *more, text=TURN))
        for command in ("result", "watch", "rerun"):
            shown = run(settings, command, first["job_id"], "-q").splitlines()
            assert shown[0].startswith("point")
            assert [line.split()[:2] for line in shown[1:]] == [["0", value], ["1", ANY]]


def test_quiet_prints_only_the_answer(settings):
    answer = run(settings, "run", "x.qasm", "--shots", "5", "--quiet")
    assert [line.split()[0] for line in answer.splitlines()] == ["001"]


def test_a_plot_is_drawn(settings):
    pytest.importorskip("matplotlib")
    run(settings, "run", "bell.qasm", "--plot", "counts.png")
    assert (Path(settings["FOLDER"]) / "counts.png").read_bytes().startswith(b"\x89PNG")


def test_a_job_without_a_result_has_an_exit_code_of_its_own(settings):
    said = run(settings, "run", "slow.qasm", "-q", "--options", '{"timeout_seconds": 0.2}', code=3)
    assert "ended as timeout" in said
    assert len(said.splitlines()) == 1
    said = run(settings, "run", "slow.qasm", "-q", "--timeout", "0.2", code=3)
    assert "the job goes on" in said
    (job,) = json.loads(run(settings, "jobs", "--limit", "1", "--json"))
    run(settings, "cancel", job["job_id"])


def test_login_saves_what_later_commands_use(settings, server: Server):
    bare = {key: value for key, value in settings.items() if not key.startswith("QUANTCLOUD")}
    said = run(bare, "usage", code=5)
    assert "quantcloud login" in said
    run(bare, "login", "--server", server.endpoints.grpc, text="wrong\n", code=5)
    run(bare, "login", "--server", server.endpoints.grpc, "--key", "saved",
        text=settings["QUANTCLOUD_TOKEN"] + "\n")  # fmt: skip
    assert json.loads(run(bare, "usage", "--json"))["tier"] == "developer"
    saved = Path(settings["XDG_CONFIG_HOME"]) / "quantcloud" / "profile.json"
    assert json.loads(saved.read_text())["token"].startswith("qc_live_")
    assert saved.stat().st_mode & 0o777 == 0o600
    run(bare, "logout")
    assert not saved.exists()


def test_doctor_says_what_is_wrong(settings, server: Server):
    found = json.loads(run(settings, "doctor", "--http", server.endpoints.http, "--json"))
    states = {each["check"]: each["state"] for each in found}
    assert states == {
        "server": "good", "database": "good", "workers": "good", "clock": "good",
        "backends": "note", "Envoy": "good", "token": "good",
    }  # fmt: skip
    said = run({**settings, "QUANTCLOUD_TOKEN": "x.y.z"}, "doctor", code=1)
    assert said == "quantcloud: wrong: token\n"
    for table in (found, json.loads(run(settings, "doctor", "--json"))):
        assert all(each["advice"][:1].islower() for each in table if each["advice"])
    # What follows from the server's silence is not said again.
    said = run(settings, "doctor", "--server", "127.0.0.1:1", code=1)
    assert said == "quantcloud: wrong: server\n"


def test_tls_to_a_port_without_it_is_one_line(settings, server: Server):
    said = run(settings, "jobs", "--server", f"https://{server.endpoints.grpc}", code=4)
    assert said.endswith(": it does not use TLS; name it as HOST:PORT\n")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("what", ["jobs", "circuits", "keys"])
def test_an_empty_list_has_no_headings(settings, server: Server, what: str):
    newcomer = {**settings, "QUANTCLOUD_TOKEN": server.token()}
    command = [what] if what == "jobs" else [what, "list"]
    assert run(newcomer, *command) == ""
    assert json.loads(run(newcomer, *command, "--json")) == []


def test_the_rate_limit_is_waited_out_and_said(settings):
    calls = []

    def usage(request, context):
        calls.append(request)
        if len(calls) == 1:
            status = refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED", 0.3)
            context.abort_with_status(status)
        return account_pb2.GetUsageResponse()

    with scripted(GetUsage=usage) as address:
        done = subprocess.run(
            quantcloud("usage", "--server", address), capture_output=True, text=True,
            env=settings, check=True, timeout=SECONDS,
        )  # fmt: skip
    assert done.stderr == "quantcloud: the rate limit is reached; trying again in 0.3 s\n"


def test_protos_are_whole(settings, tmp_path: Path):
    target = tmp_path / "protos"
    run(settings, "protos", str(target))
    buf = Path(sys.executable).parent / "buf"
    subprocess.run([buf, "build", target, "-o", os.devnull], check=True)
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{target}", f"--python_out={tmp_path}",
         "thequantcloud/v1/circuit.proto"], check=True, cwd=tmp_path,
    )  # fmt: skip
    assert "not empty" in run(settings, "protos", str(target), code=1)


class Terminal:
    """A command on a pseudo-terminal."""

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self.process = process
        self._descriptor = descriptor
        self.text = ""

    def until(self, pattern: str) -> re.Match[str]:
        """Read until the output has a pattern."""
        deadline = time.monotonic() + SECONDS
        while (found := re.search(pattern, self.text)) is None:
            left = deadline - time.monotonic()
            assert left > 0, self.text
            assert self._read(left), self.text
        return found

    def end(self) -> int:
        """Read to the end, and return the exit code."""
        while self._read(SECONDS):
            pass
        return self.process.wait(SECONDS)

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def _read(self, seconds: float) -> bool:
        if not select.select([self._descriptor], [], [], seconds)[0]:
            return False
        try:
            read = os.read(self._descriptor, 65536)
        except OSError:  # the command has ended
            return False
        self.text += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", read.decode(errors="replace"))
        return bool(read)


@contextmanager
def terminal(settings: dict[str, str], arguments: Sequence[str]) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        quantcloud(*arguments), stdin=theirs, stdout=theirs, stderr=theirs, cwd=settings["FOLDER"],
        env={**settings, "TERM": "xterm"}, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_a_terminal_shows_the_queue_and_ctrl_c_leaves_the_job(settings, server: Server):
    busy = [server.api("developer").run(slow()) for _ in range(2)]
    with terminal(settings, ["run", "slow.qasm"]) as shown:
        job_id = shown.until(r"job (\S{36})")[1]
        shown.until(r"queued on \w+, position \d+, waits for a worker")
        shown.process.send_signal(signal.SIGINT)
        assert shown.end() == 130
        assert f"job {job_id} goes on" in shown.text
        assert f"quantcloud cancel {job_id}" in shown.text
        assert "Traceback" not in shown.text
    job = json.loads(run(settings, "job", job_id, "--json"))
    assert job["status"] in {"queued", "running", "dispatched"}
    run(settings, "cancel", job_id)
    assert len(busy) == 2


def test_a_result_that_is_waited_for_says_so_and_ctrl_c_leaves_the_job(settings):
    run(settings, "run", "slow.qasm", "-q", "--timeout", "0.1", code=3)
    (job,) = json.loads(run(settings, "jobs", "--limit", "1", "--json"))
    job_id = job["job_id"]
    with terminal(settings, ["result", job_id]) as shown:
        shown.until("queued|dispatched|running")
        shown.process.send_signal(signal.SIGINT)
        assert shown.end() == 130
        assert f"job {job_id} goes on" in shown.text
    run(settings, "cancel", job_id)


def test_a_watch_of_all_jobs_says_that_it_waits(settings):
    with terminal(settings, ["watch", "--all"]) as shown:
        shown.until("watching all jobs")


def test_a_list_of_backends_fits_a_terminal_of_80_columns(settings):
    with terminal({**settings, "COLUMNS": "80"}, ["backends"]) as shown:
        assert shown.end() == 0
        names = [line.split()[0] for line in shown.text.splitlines()]
        assert names == ["backend", *sorted(names[1:])]
        assert len(names) == 6


def test_login_asks_on_a_terminal(settings, server: Server, tmp_path: Path):
    bare = {key: value for key, value in settings.items() if not key.startswith("QUANTCLOUD")}
    with terminal({**bare, "XDG_CONFIG_HOME": str(tmp_path)}, ["login"]) as shown:
        shown.until(r"Server \[localhost:50051\]: ")
        shown.type(f"{server.endpoints.grpc}\n")
        shown.until("Token: ")
        shown.type(f"{settings['QUANTCLOUD_TOKEN']}\n")
        assert shown.end() == 0
        assert settings["QUANTCLOUD_TOKEN"] not in shown.text
        assert "developer tier" in shown.text


def test_help_shows_defaults_and_exit_codes(settings):
    assert "default: localhost:50051" not in run(settings, "--help")
    assert "3 a job ended without a result" in " ".join(run(settings, "--help").split())
    assert "[default: 1024]" in run(settings, "run", "--help")
    assert "that of `login`" not in run(settings, "login", "--help")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("jobs --status q", ["queued"]),
        ("run --optimize-for s", ["speed"]),
        ("can", ["cancel"]),
    ],
)
def test_a_tab_completes_commands_and_values(settings, words: str, found: list[str]):
    completing = {
        **settings, "COMP_WORDS": f"quantcloud {words}", "COMP_CWORD": str(len(words.split())),
        "_QUANTCLOUD_COMPLETE": "complete_bash",
    }  # fmt: skip
    command = Path(sys.executable).with_name("quantcloud")  # completion needs its name
    done = subprocess.run([command], capture_output=True, text=True, env=completing, check=True)
    assert done.stdout.split() == found
