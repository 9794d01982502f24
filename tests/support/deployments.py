"""Services made of real processes, whose parts can be killed and come back."""

import asyncio
import os
import random
import secrets
import signal
import socket
import time
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import jwt

from support.api import Api
from support.history import History, Kill
from support.packages import install
from support.postgres import Postgres
from support.processes import command, descendants, gone
from support.server import SECRET, Front, Server

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
    """One server on its SQLite file with its Envoy, or `servers` on one PostgreSQL behind one.

    `data_dir` is of a single server. Ports outlive restarts; `targets` are all of them, HOST:PORT.
    `workers` are of each server.
    """

    def __init__(
        self,
        folder: Path,
        *,
        postgres: Postgres | None = None,
        servers: int = 1,
        workers: int = 2,
        settings: Mapping[str, str] | None = None,
        data_dir: Path | None = None,
    ) -> None:
        site = folder / "site"
        source = (_FAULTS / "napping_backend.py").read_text()
        install(site, "napping_backend", source, {"nap": "napping_backend:NAP"})
        self.postgres = postgres
        environment = {
            **QUICK_LEASES,
            "PYTHONPATH": str(site),
            "QUANTCLOUD_JWT_TIER_CLAIM": "true",
            # What Envoy and the servers behind it know each other by.
            "QUANTCLOUD_PROXY_SECRET": secrets.token_urlsafe(32),
            **(settings or {}),
        }
        if postgres is not None:
            environment["QUANTCLOUD_DATABASE_URL"] = postgres.url()
        http_port = free_port()
        self.targets = [f"127.0.0.1:{free_port()}" for _ in range(servers)]
        self.servers = [
            Server(
                data_dir or folder / f"server-{place}",
                "--workers",
                str(workers),
                "--grpc-port",
                target.rpartition(":")[2],
                "--http-port",
                str(http_port),
                *(["--no-envoy"] if servers > 1 else []),
                **environment,
            )
            for place, target in enumerate(self.targets)
        ]
        self.front = self.servers[0]
        if servers > 1:
            self.front = Front(folder / "front", http_port, self.targets, **environment)
        self.targets.append(f"127.0.0.1:{http_port}")
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            if self.postgres is not None:
                stack.enter_context(self.postgres)
            for server in self.servers:
                stack.enter_context(server)
            if self.front not in self.servers:
                stack.enter_context(self.front)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def api(self) -> Api:
        """A new account, which calls the first server over gRPC and Envoy over REST."""
        return Api(self.servers[0].channel, self.front.rest, self.token())

    def token(self) -> str:
        """A JWT of an account of its own, on the tier with the widest limits."""
        claims = {
            "sub": f"user-{uuid.uuid4()}", "aud": "authenticated", "exp": int(time.time()) + 3600,
            "app_metadata": {"tier": "enterprise"},
        }  # fmt: skip
        return jwt.encode(claims, SECRET, algorithm="HS256")


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
        if deployment.front not in deployment.servers:
            self._kinds[self._front] = 1

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
        return self._restart("server", server, costs=True)

    def _front(self, _: Server) -> bool:
        return self._restart("front", self._deployment.front, costs=False)

    def _worker(self, server: Server) -> bool:
        fork_server = _below(server, "forkserver")
        workers = sorted(descendants(fork_server)) if fork_server else []
        return self._shoot("worker", self._random.choice(workers) if workers else 0, costs=True)

    def _fork_server(self, server: Server) -> bool:
        return self._shoot("fork server", _below(server, "forkserver"), costs=True)

    def _envoy(self, _: Server) -> bool:
        front = self._deployment.front
        return self._shoot("envoy", _below(front, "envoy.yaml"), costs=False)

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

    def _restart(self, what: str, server: Server, *, costs: bool) -> bool:
        below = descendants(server.process.pid)
        self._note(what, costs_runs=costs)
        server.kill()
        # Its Envoy holds the port that the next one wants.
        assert not gone(below, _GONE_SECONDS)
        server.start()
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
