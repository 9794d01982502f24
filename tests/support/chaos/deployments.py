"""Services of real processes, whose parts can be killed and started again."""

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
from support.chaos.history import History, Kill
from support.external.postgres import Postgres
from support.packages import install
from support.processes import command, descendants, gone
from support.server import SECRET, Front, Server

_FAULTS = Path(__file__).parents[2] / "faults"
_GONE_SECONDS = 30
# Short leases, so that other servers soon take over the runs of a killed one.
QUICK_LEASES = {
    "QUANTCLOUD_LEASE_SECONDS": "3",
    "QUANTCLOUD_HEARTBEAT_SECONDS": "0.5",
    "QUANTCLOUD_LEASE_CHECK_SECONDS": "0.3",
    "QUANTCLOUD_WATCH_CHECKPOINT_SECONDS": "1",
}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Deployment:
    """One server with SQLite and Envoy, or several `servers` on one PostgreSQL behind one Envoy.

    `data_dir` belongs to a single server. Ports stay the same after a restart. `targets` are all
    addresses, as HOST:PORT. Each server has `workers` workers.
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
            # The secret that Envoy and its servers share.
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
        """Return a new account that calls the first server over gRPC and Envoy over REST."""
        return Api(self.servers[0].channel, self.front.rest, self.token())

    def token(self) -> str:
        """Return the JWT of a new account on the tier with the highest limits."""
        claims = {
            "sub": f"user-{uuid.uuid4()}", "aud": "authenticated", "exp": int(time.time()) + 3600,
            "app_metadata": {"tier": "enterprise"},
        }  # fmt: skip
        return jwt.encode(claims, SECRET, algorithm="HS256")


class Chaos:
    """Kills parts of a deployment with SIGKILL, and restarts those that do not restart alone."""

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
            # A random moment. This sleep does not wait for any condition.
            await asyncio.sleep(self._random.uniform(0.1, 1.2))
            (kind,) = self._random.choices(kinds, weights)
            server = self._random.choice(self._deployment.servers)
            # In a thread, because restarts would block the clients.
            killed += await asyncio.to_thread(kind, server)

    def _record(self, what: str, *, costs_runs: bool) -> None:
        self._history.kills.append(Kill(what, time.time(), costs_runs))

    def _server(self, server: Server) -> bool:
        return self._restart("server", server, costs=True)

    def _front(self, _: Server) -> bool:
        return self._restart("front", self._deployment.front, costs=False)

    def _worker(self, server: Server) -> bool:
        fork_server = _below(server, "forkserver")
        workers = sorted(descendants(fork_server)) if fork_server else []
        return self._kill("worker", self._random.choice(workers) if workers else 0, costs=True)

    def _fork_server(self, server: Server) -> bool:
        return self._kill("fork server", _below(server, "forkserver"), costs=True)

    def _envoy(self, _: Server) -> bool:
        front = self._deployment.front
        return self._kill("envoy", _below(front, "envoy.yaml"), costs=False)

    def _postgres(self, _: Server) -> bool:
        postgres = self._deployment.postgres
        assert postgres is not None
        below = descendants(postgres.process.pid)
        self._record("postgres", costs_runs=False)
        postgres.stop(signal.SIGKILL)
        # They hold its shared memory, which the next server needs.
        assert not gone(below, _GONE_SECONDS)
        postgres.start()
        return True

    def _restart(self, what: str, server: Server, *, costs: bool) -> bool:
        below = descendants(server.process.pid)
        self._record(what, costs_runs=costs)
        server.kill()
        # Its Envoy holds the port that the next one needs.
        assert not gone(below, _GONE_SECONDS)
        server.start()
        return True

    def _kill(self, what: str, pid: int, *, costs: bool) -> bool:
        """Kill a process below a server; return whether there was one."""
        if not pid:
            return False
        self._record(what, costs_runs=costs)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            self._history.kills.pop()
            return False
        return True


def _below(server: Server, mark: str) -> int:
    """Return the child process of a server whose command contains `mark`, or 0."""
    for pid in sorted(descendants(server.process.pid)):
        if mark in command(pid):
            return pid
    return 0
