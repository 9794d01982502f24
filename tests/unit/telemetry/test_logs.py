"""The log of a separate process."""

import contextlib
import json
import os
import pty
import re
import subprocess
import sys

from quantcloud.telemetry.logs import component

SCRIPT = """
import logging
import structlog
from quantcloud.telemetry import later, logs

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
later.do(logs.info, "call", "api", {"given": key}, 1_800_000_000.25)
"""


def test_keys_and_local_variables_are_not_logged():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert lines.pop(0)["given"] == "x eyJ..., eyJ..."
    assert [line["event"] for line in lines] == [
        "structured", "plain qc_live_...", "unforeseen", "call",
    ]  # fmt: skip
    assert lines[3]["timestamp"] == "2027-01-15T08:00:00.250000Z"
    assert lines[0]["given"] == "qc_live_..."
    assert lines[0]["nested"] == {"deep": ["qc_live_..."]}
    assert lines[2]["exception"].startswith("Traceback (most recent call last):\n  File ")
    assert lines[2]["exception"].endswith("ValueError: bad qc_live_...")
    assert "a1-_" not in done.stderr
    assert "hunter2" not in done.stderr


def test_lines_and_tracebacks_are_readable_and_coloured_on_a_terminal():
    ours, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stderr=theirs) as process:
        os.close(theirs)
        text = b""
        with contextlib.suppress(OSError):  # the other end is closed
            while part := os.read(ours, 65536):
                text += part
        process.wait()
    os.close(ours)
    shown = text.decode()
    assert "\x1b[" in shown
    assert 'Traceback (most recent call last):\r\n  File "<string>"' in shown
    (call,) = [line for line in shown.splitlines() if "2027-01-15T08:00:00.250000Z" in line]
    assert "\x1b[" in call
    assert "qc_live_..." in call
    assert "a1-_" not in shown
    assert "hunter2" not in shown


def test_loggers_are_named_by_the_part_or_the_library():
    names = ("quantcloud.engine.pool.slots", "grpc._cython.cygrpc", "_cygrpc", "quantcloud")
    assert [component(name) for name in names] == ["engine", "grpc", "cygrpc", "quantcloud"]


def test_lines_that_wait_are_written_in_order_and_before_the_process_ends():
    script = """
import asyncio, logging, time
from quantcloud.telemetry import later, logs
logs.configure("info")
def log(event):
    later.do(logs.info, event, "api", {"key": "qc_live_secret"}, time.time())
async def main():
    log("first")
    log("second")
    logging.getLogger("x").warning("third")
    log("fourth")
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in lines] == ["first", "second", "third", "fourth"]
    assert "secret" not in done.stderr
    times = [line["timestamp"] for line in lines]
    assert times == sorted(times)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", each) for each in times)
