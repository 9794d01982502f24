"""Clients in other languages, as docs/clients shows them. They need npm and its registry."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

from support.clients.scripted import scripted
from support.pages import ROOT
from support.server import Server, quantcloud
from thequantcloud.v1 import status_pb2, status_pb2_grpc

NPM = shutil.which("npm")
PACKAGES = (
    "@grpc/grpc-js@1", "@grpc/proto-loader@0", "@bufbuild/protobuf@2", "@bufbuild/protoc-gen-es@2",
    "@connectrpc/connect@2", "@connectrpc/connect-web@2",
)  # fmt: skip
EXAMPLES = ROOT / "docs" / "examples"
CHANGES = ["submitted", "analyzing", "routing", "queued", "dispatched", "running", "completed"]
TEMPLATE = """version: v2
inputs: [{directory: protos, paths: [protos/thequantcloud]}]
plugins:
  - local: node_modules/.bin/protoc-gen-es
    out: gen/es
    opt: [target=js, import_extension=js]
    include_imports: true
"""
PAGE = """import { run } from "./browser.mjs";
const [server, qasm] = process.argv.slice(2);
try {
  console.log(await run(server, process.env.QUANTCLOUD_TOKEN, qasm, console.log));
} catch (error) {
  console.log(error.message);
}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    if NPM is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("node")
    (folder / "package.json").write_text("{}")
    command = [NPM, "install", "--no-audit", "--no-fund", "--ignore-scripts", *PACKAGES]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False,
                          timeout=120)  # fmt: skip
    if done.returncode != 0:
        pytest.skip(f"npm cannot install: {done.stderr[-200:]}")
    subprocess.run(quantcloud("protos", "protos"), cwd=folder, check=True, timeout=60)
    (folder / "buf.gen.yaml").write_text(TEMPLATE)
    subprocess.run([Path(sys.executable).parent / "buf", "generate"], cwd=folder, check=True,
                   timeout=60)  # fmt: skip
    (folder / "gen" / "es" / "package.json").write_text('{"type": "module"}')
    shutil.copy(EXAMPLES / "browser.mjs", folder)
    shutil.copy(EXAMPLES / "node.js", folder)
    (folder / "page.mjs").write_text(PAGE)
    return folder


def node(project: Path, server: Server, *arguments: str) -> list[str]:
    done = subprocess.run(
        [shutil.which("node") or "node", *arguments], cwd=project, capture_output=True, text=True,
        check=False, timeout=60,
        env={**os.environ, "QUANTCLOUD_TOKEN": server.token()},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_node_submits_and_watches(project: Path, server: Server):
    for address in (server.endpoints.grpc, server.endpoints.http.removeprefix("http://")):
        *events, counts, error = node(project, server, "node.js", address)
        assert (events, counts) == (CHANGES, "{ '1': 100 }")
        assert error.startswith("true qasm: line 1, column 10")


def test_a_page_submits_and_watches_over_grpc_web(project: Path, server: Server):
    qasm = "qreg q[1]; creg c[1]; x q[0]; measure q -> c;"
    *events, counts = node(project, server, "page.mjs", server.endpoints.http, qasm)
    assert (events, counts) == (CHANGES, "{ '1': 100 }")
    (error,) = node(project, server, "page.mjs", server.endpoints.http, "qreg q[1]")
    assert error.startswith("[invalid_argument] qasm: line 1, column 10")


def test_the_service_config_repeats_calls():
    calls = []

    def health(request, context):
        calls.append(request)
        if len(calls) < 3:
            context.abort(grpc.StatusCode.UNAVAILABLE, "restarts")
        return status_pb2.GetHealthResponse(status="healthy")

    config = (ROOT / "proto" / "service_config.json").read_text()
    services = {each["service"] for each in json.loads(config)["methodConfig"][0]["name"]}
    names = ("Account", "Backend", "Circuit", "Job", "Status")
    assert services == {f"thequantcloud.v1.{name}Service" for name in names}
    with (
        scripted(GetHealth=health) as server,
        grpc.insecure_channel(server, (("grpc.service_config", config),)) as channel,
    ):
        stub = status_pb2_grpc.StatusServiceStub(channel)
        assert stub.GetHealth(status_pb2.GetHealthRequest()).status == "healthy"
    assert len(calls) == 3
