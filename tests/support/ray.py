"""A real Ray cluster on loopback: each node has an address and processes of its own."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

from support.processes import descendants, gone

END_SECONDS = 20
MEMORY = 2 << 30
# The least that Ray takes.
STORE = 80 << 20


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


class RayNode:
    """One machine of a cluster, as far as Ray can tell: `ray start` and all below it."""

    def __init__(self, options: list[str], environment: Mapping[str, str], folder: Path) -> None:
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block"]
        self._log = (folder / f"node-{len(list(folder.glob('node-*')))}.log").open("w+b")
        self.process = subprocess.Popen(
            # A later option goes before an earlier one of the same name.
            [*command, f"--memory={MEMORY}", f"--object-store-memory={STORE}", "--num-gpus=0",
             "--disable-usage-stats", *options],
            stdout=subprocess.PIPE, stderr=self._log, text=True, env=environment,
            start_new_session=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        started = any("--block" in line for line in self.process.stdout)
        assert started, Path(self._log.name).read_text()

    def kill(self) -> None:
        """End the node as a power cut would: everything at once, and nothing has a last word."""
        pids = {self.process.pid, *descendants(self.process.pid)}
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._log.close()
        assert gone(pids, END_SECONDS) == set()


class RayCluster:
    """A head, and nodes that join it. Addresses are of loopback, one for each node."""

    def __init__(self, *options: str) -> None:
        # Not pytest's folder: Ray's sockets lie below, and their paths may have 107 characters.
        self._folder = Path(tempfile.mkdtemp(prefix="ray-"))
        self._options = options
        self._port = free_port()
        self.nodes: list[RayNode] = []

    @property
    def address(self) -> str:
        return f"127.0.0.2:{self._port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def start(self, packages: Path | None = None) -> None:
        self.nodes.append(
            self._start(
                "--head", "--node-ip-address=127.0.0.2", f"--port={self._port}",
                f"--ray-client-server-port={free_port()}", "--include-dashboard=false",
                f"--temp-dir={self._folder}", *self._options, packages=packages,
            )
        )  # fmt: skip

    def add(self, *options: str, packages: Path | None = None, **resources: float) -> RayNode:
        """Start another node with `resources` of Ray's custom kind and `packages` installed."""
        node = self._start(
            f"--address={self.address}", f"--node-ip-address=127.0.0.{2 + len(self.nodes)}",
            f"--resources={json.dumps(resources)}", *options, packages=packages,
        )  # fmt: skip
        self.nodes.append(node)
        return node

    def remove(self, node: RayNode) -> None:
        self.nodes.remove(node)
        node.kill()

    def stop(self) -> None:
        """Kill the whole cluster, its head first: nobody is told that a node is gone."""
        while self.nodes:
            self.nodes.pop(0).kill()
        for left in self._folder.iterdir():
            shutil.rmtree(left, ignore_errors=True)

    def _start(self, *options: str, packages: Path | None = None) -> RayNode:
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("QUANTCLOUD_", "RAY_"))},
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        if packages is not None:
            environment["PYTHONPATH"] = str(packages)
        return RayNode(list(options), environment, self._folder)
