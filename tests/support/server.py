"""Starts, uses and stops real server processes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
import httpx
import jwt

from quantcloud.domain.account import Tier
from quantcloud.endpoints import read_endpoints
from quantcloud.storage import Store
from support.api import Api

SECRET = "a-secret-for-tests-that-is-long-enough-for-hs256"
STOP_SECONDS = 30
DATABASE = "quantcloud.db"


def quantcloud(*arguments: str) -> list[str]:
    """Return the argument vector of the `quantcloud` command."""
    return [sys.executable, "-m", "quantcloud", *arguments]


# As long as a token of `quantcloud token`.
TOKEN_SECONDS = 30 * 24 * 60 * 60


def newcomers_token(user: str | None = None) -> str:
    """Return a JWT for `user`, or else for a new one. The first request creates the account."""
    user = user or f"user-{uuid.uuid4()}"
    claims = {
        "sub": user, "aud": "authenticated", "exp": int(time.time()) + TOKEN_SECONDS,
        **({"email": user} if "@" in user else {}),
    }  # fmt: skip
    return jwt.encode(claims, SECRET, algorithm="HS256")


async def put_on_tier(database: str | Path, user: str, tier: str | None) -> None:
    """Create an account if it is new, and put it on `tier` if that is given."""
    store = await Store.open(database)
    try:
        await store.accounts.ensure(user, at=datetime.now(UTC), tier=Tier(tier) if tier else None)
    finally:
        await store.close()


class Server:
    """`quantcloud serve` on `data_dir`; `environment` adds settings.

    `program` is the module that runs as the command, with its first arguments.
    """

    program: Sequence[str] = ("quantcloud",)

    def __init__(self, data_dir: Path, *options: str, **environment: str) -> None:
        self.data_dir = data_dir
        self._options = options
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("QUANTCLOUD_")},
            "QUANTCLOUD_JWT_SECRET": SECRET,
            # No limit, because many tests share an address, and some share an account.
            "QUANTCLOUD_ANONYMOUS_REQUESTS_PER_MINUTE": "0",
            "QUANTCLOUD_FAILED_LOGINS_PER_MINUTE": "0",
            "QUANTCLOUD_ADMIN_PORT": "0",
            # Tests that need a calibration enable it.
            "QUANTCLOUD_ROUTER_CALIBRATE": "false",
            "QUANTCLOUD_TIERS": json.dumps(
                {tier: {"requests_per_minute": None} for tier in ("explorer", "developer")}
            ),
            **environment,
        }
        self.log_path = data_dir.parent / f"{data_dir.name}.log"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _command(self) -> list[str]:
        # The last option of a name wins.
        return [sys.executable, "-m", *self.program, "serve", "--data-dir", str(self.data_dir),
                "--http-port", "0", "--grpc-port", "0", *self._options]  # fmt: skip

    def start(self) -> None:
        """Start the server and wait until it is ready."""
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self._command(), stdout=subprocess.PIPE, stderr=log, text=True,
                env=self._environment,
            )  # fmt: skip
        assert self.process.stdout is not None
        endpoints = read_endpoints(self.process.stdout)
        assert endpoints is not None, self.log_path.read_text()
        self.endpoints = endpoints
        options = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
        self.channel = grpc.insecure_channel(endpoints.grpc, options=options)
        self.rest = httpx.Client(base_url=endpoints.http, timeout=60)

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Stop the server with a signal, wait for its end, and return the exit code."""
        self.channel.close()
        self.rest.close()
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(STOP_SECONDS)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            if self.process.stdout is not None:
                self.process.stdout.close()

    def kill(self) -> None:
        """Kill the server at once, like a power cut."""
        self.stop(signal.SIGKILL)

    def token(self, user: str | None = None, tier: str | None = None) -> str:
        """Return a JWT for `user` or else for a new account, as `quantcloud token` does.

        The account is created here, because a process of the command takes 0.8 s.
        """
        user = user or f"user-{uuid.uuid4()}"
        database = self._environment.get("QUANTCLOUD_DATABASE_URL", self.data_dir / DATABASE)
        with ThreadPoolExecutor(1) as pool:  # a test may be running a loop
            pool.submit(asyncio.run, put_on_tier(database, user, tier)).result()
        return newcomers_token(user)

    def newcomer(self) -> Api:
        """Return a client whose first request creates an account on the explorer tier."""
        return Api(self.channel, self.rest, newcomers_token())

    def api(self, tier: str = "enterprise") -> Api:
        """Return a client of a new account."""
        return Api(self.channel, self.rest, self.token(tier=tier))

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.rest.get(path, **options)

    def post(self, path: str, body: Mapping[str, Any], **options: Any) -> httpx.Response:
        return self.rest.post(path, json=body, **options)


class Front(Server):
    """`quantcloud envoy` on a port, in front of several servers' gRPC ports."""

    def __init__(
        self, data_dir: Path, http_port: int, servers: Sequence[str], **environment: str
    ) -> None:
        backs = [option for server in servers for option in ("--grpc", server)]
        super().__init__(data_dir, "--http-port", str(http_port), *backs, **environment)

    def _command(self) -> list[str]:
        return quantcloud("envoy", "--data-dir", str(self.data_dir), *self._options)
