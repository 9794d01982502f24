"""The client in Java that docs/clients shows. It needs gRPC for Java as Debian packages have it."""

import shutil
from pathlib import Path

import pytest

from support.compiled import PROTOS, SERVICES, check_client, need, run, start
from support.server import Server

JARS = [
    Path("/usr/share/java") / f"{name}.jar"
    for name in (
        *(f"grpc-{part}" for part in ("api", "context", "core", "netty", "protobuf", "stub")),
        *(f"netty-{part}" for part in ("buffer", "codec", "codec-http", "codec-http2", "common")),
        *(f"netty-{part}" for part in ("handler", "resolver", "transport")),
        *("geronimo-annotation-1.3-spec", "grpc-protobuf-lite", "gson", "guava", "perfmark-api"),
        "protobuf",
    )
]


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    need("java", "javac", "protoc", "grpc_java_plugin")
    if missing := [each.name for each in JARS if not each.exists()]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    folder = tmp_path_factory.mktemp("java")
    start(folder, "Client.java")
    run(folder, "protoc", "-Iprotos", "--java_out=gen", *PROTOS)
    plugin = f"--plugin=protoc-gen-grpc={shutil.which('grpc_java_plugin')}"
    run(folder, "protoc", "-Iprotos", "--grpc_out=gen", plugin, *SERVICES)
    sources = [str(each) for each in (folder / "gen").rglob("*.java")]
    classes = ":".join(map(str, JARS))
    run(
        folder, "javac", "-J-XX:TieredStopAtLevel=1", "-proc:none", "-cp", classes,
        "-d", ".", "Client.java", *sources,
    )  # fmt: skip
    return folder


def test_java_submits_and_watches(program: Path, server: Server):
    check_client(program, server, "java", "-cp", ":".join([".", *map(str, JARS)]), "Client")
