"""The client in C++ that docs/clients shows. It needs gRPC for C++, as Debian packages have it."""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.pages import ROOT
from support.server import Server, quantcloud

TOOLS = ("g++", "pkg-config", "protoc", "grpc_cpp_plugin")
LIBRARIES = ("grpc++", "protobuf")
SERVICES = ("thequantcloud/v1/circuit.proto", "thequantcloud/v1/job.proto")
# What the services import, so that no more is compiled.
IMPORTED = (
    *(f"thequantcloud/v1/{name}.proto" for name in ("access", "limits", "run_options", "sweep")),
    *(f"google/api/{name}.proto" for name in ("annotations", "field_behavior", "http")),
    "google/rpc/status.proto",
)
CHANGES = ["submitted", "analyzing", "routing", "queued", "dispatched", "running", "completed"]


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False,
                          timeout=200)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    missing = [each for each in TOOLS if shutil.which(each) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    exists = [shutil.which("pkg-config"), "--exists", *LIBRARIES]
    if subprocess.run(exists, check=False).returncode != 0:
        pytest.skip("libgrpc++-dev or libprotobuf-dev is not installed")
    folder = tmp_path_factory.mktemp("cpp")
    run(folder, *quantcloud("protos", "protos"))
    shutil.copy(ROOT / "docs" / "examples" / "client.cpp", folder)
    (folder / "gen").mkdir()
    run(folder, "protoc", "-Iprotos", "--cpp_out=gen", *SERVICES, *IMPORTED)
    plugin = f"--plugin=protoc-gen-grpc={shutil.which('grpc_cpp_plugin')}"
    run(folder, "protoc", "-Iprotos", "--grpc_out=gen", plugin, *SERVICES)
    sources = sorted([*folder.rglob("*.cc"), folder / "client.cpp"])

    def build(source: Path) -> str:
        target = source.with_suffix(source.suffix + ".o")
        run(folder, "g++", "-std=c++17", "-O0", "-Igen", "-c", str(source), "-o", str(target))
        return str(target)

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        objects = [*threads.map(build, sources)]
    libraries = run(folder, "pkg-config", "--libs", *LIBRARIES).split()
    run(folder, "g++", "-o", "client", *objects, *libraries)
    return folder


def test_cpp_submits_and_watches(program: Path, server: Server):
    for address in (server.endpoints.grpc, server.endpoints.http.removeprefix("http://")):
        done = subprocess.run(
            ["./client", address], cwd=program, capture_output=True, text=True, check=False,
            timeout=60, env={**os.environ, "QUANTCLOUD_TOKEN": server.token()},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        *events, counts, error = done.stdout.splitlines()
        assert (events, counts) == (CHANGES, "1: 100")
        assert error.startswith("qasm: line 1, column 10")
