"""The log of a separate process."""

import json
import subprocess
import sys

SCRIPT = """
import logging
import structlog
from quantcloud.telemetry import logs

logs.configure("debug")
log = structlog.stdlib.get_logger("test")
key = "qc_live_" + "a1-_" * 10
token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIi" + "a1-_" * 10 + ".c2ln" + "a1-_" * 10
log.info("token", given=f"x {token}, {token.rpartition('.')[0]}")
log.info("structured", given=key, nested={"deep": [key]})
logging.getLogger("library").warning("plain %s", key)
logging.getLogger("grpc._cython.cygrpc").error("Invalid encoding on %s", bytes((255,)))

def broken(password):
    raise ValueError(f"bad {key}")

try:
    broken("hunter2")
except ValueError:
    log.exception("unforeseen")
"""


def test_keys_and_local_variables_are_not_logged():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert lines.pop(0)["given"] == "x eyJ..., eyJ..."
    assert [line["event"] for line in lines] == ["structured", "plain qc_live_...", "unforeseen"]
    assert lines[0]["given"] == "qc_live_..."
    assert lines[0]["nested"] == {"deep": ["qc_live_..."]}
    assert lines[2]["exception"][0]["exc_value"] == "bad qc_live_..."
    assert "a1-_" not in done.stderr
    assert "hunter2" not in done.stderr
