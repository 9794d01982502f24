"""Services made of real processes, whose parts can be killed and come back."""

import asyncio
import os
import random
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from support.history import History, Kill
from support.packages import install
from support.postgres import Postgres
from support.processes import command, descendants, gone
from support.server import Server

_FAULTS = Path(__file__).parents[1] / "faults"
_GONE_SECONDS = 30
# Leases that a killed server's runs are free of soon.
QUICK_LEASES = {
    "QUANTCLOUD_LEASE_SECONDS": "3",
    "QUANTCLOUD_HEARTBEAT_SECONDS": "0.5",
    "QUANTCLOUD_SWEEP_SECONDS": "0.3",
    "QUANTCLOUD_WATCH_CHECKPOINT_SECONDS": "1",
}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Deployment:
    """`servers` of them on one PostgreSQL, or one on its SQLite file. Ports outlive restarts."""

    def __init__(
        self,
        folder: Path,
        *,
        postgres: Postgres | None = None,
        servers: int = 1,
        workers: Sequence[int] = (2, 2),
        envoy: bool = True,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        site = folder / "site"
        source = (_FAULTS / "napping_backend.py").read_text()
        install(site, "napping_backend", source, {"nap": "napping_backend:NAP"})
        self.postgres = postgres
        environment = {**QUICK_LEASES, "PYTHONPATH": str(site), **(settings or {})}
        if postgres is not None:
            environment["QUANTCLOUD_DATABASE_URL"] = postgres.url()
        self.servers: list[Server] = []
        self.targets: list[str] = []
        for place in range(servers):
            grpc_port, http_port = free_port(), free_port()
            ports = ["--grpc-port", str(grpc_port), "--http-port", str(http_port)]
            self.targets.append(f"127.0.0.1:{grpc_port}")
            if envoy:
                self.targets.append(f"127.0.0.1:{http_port}")
            else:
                ports.append("--no-envoy")
            self.servers.append(
                Server(folder / f"server-{place}", "--workers", str(workers[place]), *ports,
                       **environment)
            )  # fmt: skip
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            if self.postgres is not None:
                stack.enter_context(self.postgres)
            for server in self.servers:
                stack.enter_context(server)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def logs(self) -> str:
        """What the servers wrote to their logs."""
        return "\n".join(server.log_path.read_text() for server in self.servers)


class Chaos:
    """Kills parts of a deployment with SIGKILL, and starts again what nothing else does."""

    def __init__(self, deployment: Deployment, history: History, seed: object) -> None:
        self._deployment = deployment
        self._history = history
        self._random = random.Random(f"chaos {seed}")
        self._kinds = {
            self._server: 3, self._worker: 4, self._fork_server: 1, self._envoy: 2,
        }  # fmt: skip
        if deployment.postgres is not None:
            self._kinds[self._postgres] = 2

    async def kill(self, number: int) -> None:
        """Kill `number` times, at random moments."""
        kinds, weights = list(self._kinds), list(self._kinds.values())
        killed = 0
        while killed < number:
            # The moment is the seed's choice; nothing is waited for.
            await asyncio.sleep(self._random.uniform(0.1, 1.2))
            (kind,) = self._random.choices(kinds, weights)
            server = self._random.choice(self._deployment.servers)
            # Starting and waiting would keep the clients from what they do.
            killed += await asyncio.to_thread(kind, server)

    def _note(self, what: str, *, costs_runs: bool) -> None:
        self._history.kills.append(Kill(what, time.time(), costs_runs))

    def _server(self, server: Server) -> bool:
        below = descendants(server.process.pid)
        self._note("server", costs_runs=True)
        server.kill()
        # Its Envoy holds the port that the next one wants.
        assert not gone(below, _GONE_SECONDS)
        server.start()
        return True

    def _worker(self, server: Server) -> bool:
        fork_server = _below(server, "forkserver")
        workers = sorted(descendants(fork_server)) if fork_server else []
        return self._shoot("worker", self._random.choice(workers) if workers else 0, costs=True)

    def _fork_server(self, server: Server) -> bool:
        return self._shoot("fork server", _below(server, "forkserver"), costs=True)

    def _envoy(self, server: Server) -> bool:
        return self._shoot("envoy", _below(server, "envoy.yaml"), costs=False)

    def _postgres(self, _: Server) -> bool:
        postgres = self._deployment.postgres
        assert postgres is not None
        below = descendants(postgres.process.pid)
        self._note("postgres", costs_runs=False)
        postgres.stop(signal.SIGKILL)
        # They hold its shared memory, without which the next one does not begin.
        assert not gone(below, _GONE_SECONDS)
        postgres.start()
        return True

    def _shoot(self, what: str, pid: int, *, costs: bool) -> bool:
        """Kill a process below a server; whether there was one."""
        if not pid:
            return False
        self._note(what, costs_runs=costs)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            self._history.kills.pop()
            return False
        return True


def _below(server: Server, mark: str) -> int:
    """The process right below a server whose command has `mark` in it; 0 where there is none."""
    for pid in sorted(descendants(server.process.pid)):
        if mark in command(pid):
            return pid
    return 0
