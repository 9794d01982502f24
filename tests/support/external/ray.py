"""A real Ray cluster on loopback. Each node has its own address and processes."""

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
# The smallest size that Ray accepts.
STORE = 80 << 20


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


class RayNode:
    """One node of a cluster: `ray start` and its descendants. Ray takes it for a machine."""

    def __init__(self, options: list[str], environment: Mapping[str, str], folder: Path) -> None:
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block"]
        self._log = (folder / f"node-{len(list(folder.glob('node-*')))}.log").open("w+b")
        self.process = subprocess.Popen(
            # The last option of a name wins.
            [*command, f"--memory={MEMORY}", f"--object-store-memory={STORE}", "--num-gpus=0",
             "--disable-usage-stats", *options],
            stdout=subprocess.PIPE, stderr=self._log, text=True, env=environment,
            start_new_session=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        started = any("--block" in line for line in self.process.stdout)
        assert started, Path(self._log.name).read_text()

    def kill(self) -> None:
        """Kill the whole node at once, like a power cut."""
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
    """A head, and nodes that join it. Each node has its own loopback address."""

    def __init__(self, *options: str) -> None:
        # Not pytest's folder, because paths of Ray's sockets may have at most 107 characters.
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
        """Start another node with custom Ray `resources` and with `packages` installed."""
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
        """Kill the whole cluster, the head first, so that it reports no lost nodes."""
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
