"""The client in C++ that docs/clients shows. It needs gRPC for C++, as Debian packages have it."""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.compiled import PROTOS, SERVICES, check_client, need, run, start
from support.server import Server

LIBRARIES = ("grpc++", "protobuf")


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Path:
    need("g++", "pkg-config", "protoc", "grpc_cpp_plugin")
    exists = [shutil.which("pkg-config"), "--exists", *LIBRARIES]
    if subprocess.run(exists, check=False).returncode != 0:
        pytest.skip("libgrpc++-dev or libprotobuf-dev is not installed")
    folder = tmp_path_factory.mktemp("cpp")
    start(folder, "client.cpp")
    run(folder, "protoc", "-Iprotos", "--cpp_out=gen", *PROTOS)
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
    check_client(program, server, "./client")
