"""Connections that take all of a port, or all files that a process may open, stop no one else."""

import json
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from support.circuits import ASYMMETRIC
from support.server import Server
from thequantcloud.v1 import job_pb2

FILES = 300
_WITH_FEW_FILES = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]),) * 2)
os.execv(sys.argv[2], sys.argv[2:])
"""


class ServerWithFewFiles(Server):
    def _command(self) -> list[str]:
        return [sys.executable, "-c", _WITH_FEW_FILES, str(FILES), *super()._command()]


@contextmanager
def silent_connections(address: str, number: int) -> Iterator[None]:
    host, port = address.rpartition("//")[2].rsplit(":", 1)
    with ExitStack() as stack:
        for _ in range(number):
            stack.enter_context(socket.create_connection((host, int(port)), timeout=10))
        yield


def open_files_lines(server: Server) -> list[str]:
    """Return the levels at which the log of a server speaks of the limit of open files."""
    lines = map(json.loads, server.log_path.read_text().splitlines())
    return [line["level"] for line in lines if "limit of open files" in line["event"]]


def test_an_operator_who_asks_for_more_connections_than_files_is_warned(tmp_path: Path):
    with ServerWithFewFiles(
        tmp_path / "data", "--workers", "1", "--no-envoy", QUANTCLOUD_MAX_CONNECTIONS="10000"
    ) as server:
        assert open_files_lines(server) == ["warning"]


def test_many_connections_leave_files_for_all_else(tmp_path: Path):
    with ServerWithFewFiles(tmp_path / "data", "--workers", "1") as server:
        assert open_files_lines(server) == ["info"]
        api = server.api()
        # The channel connects with its first call.
        assert api.finish(api.run(ASYMMETRIC)).job.status == job_pb2.Job.completed
        with silent_connections(server.endpoints.grpc, 2 * FILES):
            assert httpx.get(f"{server.endpoints.http}/v1/status", timeout=5).status_code == 200
            job = api.run(ASYMMETRIC, backend="aer_simulator", shots=10)
            assert api.finish(job).job.status == job_pb2.Job.completed
        with silent_connections(server.endpoints.http, 2 * FILES):
            assert httpx.get(f"{server.endpoints.admin}/readyz", timeout=5).status_code == 200
            assert api.finish(api.run(ASYMMETRIC)).job.status == job_pb2.Job.completed
        assert httpx.get(f"{server.endpoints.http}/v1/status", timeout=5).status_code == 200
