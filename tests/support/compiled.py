"""Builds the clients of docs/examples that are compiled, and runs them."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support.pages import ROOT
from support.server import Server, quantcloud

SERVICES = ("thequantcloud/v1/circuit.proto", "thequantcloud/v1/job.proto")
# With what the services import, so that no more is compiled.
PROTOS = (
    *SERVICES,
    *(f"thequantcloud/v1/{name}.proto" for name in ("access", "limits", "run_options", "sweep")),
    *(f"google/api/{name}.proto" for name in ("annotations", "field_behavior", "http")),
    "google/rpc/status.proto",
)
CHANGES = ["submitted", "analyzing", "routing", "queued", "dispatched", "running", "completed"]


def need(*tools: str) -> None:
    """Skip the test if a program is not installed."""
    if missing := [each for each in tools if shutil.which(each) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")


def run(folder: Path, *command: str, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=200,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def start(folder: Path, example: str) -> None:
    """Put an example, the protos and an empty folder `gen` in a folder."""
    run(folder, *quantcloud("protos", "protos"))
    shutil.copy(ROOT / "docs" / "examples" / example, folder)
    (folder / "gen").mkdir()


def check_client(folder: Path, server: Server, *command: str) -> None:
    """Run a client at both ports: it submits, watches, and shows an error."""
    for address in (server.endpoints.grpc, server.endpoints.http.removeprefix("http://")):
        shown = run(folder, *command, address, QUANTCLOUD_TOKEN=server.token())
        *events, counts, error = shown.splitlines()
        assert (events, counts) == (CHANGES, "1: 100")
        assert error.startswith("qasm: line 1, column 10")
