"""Health says within seconds whether a server can take jobs and why not. Liveness does not."""

import os
import re
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from support.api import Api
from support.chaos.deployments import free_port
from support.circuits import BELL
from support.external.postgres import Postgres, installations
from support.processes import descendants
from support.server import Front, Server
from thequantcloud.v1 import status_pb2

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
# A failure must be noticed within this time.
SOON = 3.0
TIMEOUT_SECONDS = 30
READY_NAMES = ("", "readiness", "thequantcloud.v1.CircuitService", "thequantcloud.v1.JobService")

needs_postgres = pytest.mark.skipif(not installations(), reason="PostgreSQL is not installed")


def statuses(server: Server, *names: str) -> set[int]:
    health = health_pb2_grpc.HealthStub(server.channel)
    return {health.Check(health_pb2.HealthCheckRequest(service=name)).status for name in names}


class Readiness:
    """A watch of a server's readiness. It starts at SERVING."""

    def __init__(self, server: Server) -> None:
        request = health_pb2.HealthCheckRequest(service="readiness")
        self._watch = health_pb2_grpc.HealthStub(server.channel).Watch(
            request, timeout=TIMEOUT_SECONDS
        )
        assert next(self._watch).status == SERVING

    def until(self, status: int) -> None:
        """Wait for the next change and check that it is `status`."""
        assert next(self._watch).status == status


def fails_and_recovers(
    server: Server,
    fail: Callable[[], object],
    mend: Callable[[], object],
    reason: str,
    within: float = SOON,
) -> None:
    """Assert that health over REST and gRPC follows a failure and its end."""
    readiness = Readiness(server)
    began = time.monotonic()
    fail()
    readiness.until(NOT_SERVING)
    assert time.monotonic() - began < within
    answer = server.get("/health")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    body = answer.json()
    assert body["status"] == "unhealthy"
    assert body["version"]
    assert body["timestamp"]
    assert str(server.data_dir) not in answer.text
    assert server.rest.head("/health").status_code == 503
    with pytest.raises(grpc.RpcError) as refused:
        get_health(server)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert body["detail"] == refused.value.details()
    assert [each["reason"] for each in body["details"] if "reason" in each] == [reason]
    assert statuses(server, *READY_NAMES) == {NOT_SERVING}
    # A failure of the database is no reason to restart the process.
    assert statuses(server, "liveness") == {SERVING}
    mend()
    readiness.until(SERVING)
    assert server.get("/health").json()["status"] == "healthy"
    assert statuses(server, *READY_NAMES, "liveness") == {SERVING}


def get_health(server: Server) -> status_pb2.GetHealthResponse:
    return Api(server.channel, server.rest, "").status.GetHealth(status_pb2.GetHealthRequest())


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("health") / "data", "--workers", "1") as server:
        yield server


def test_a_locked_sqlite_file_makes_the_server_unhealthy(single: Server):
    other = sqlite3.connect(single.data_dir / "quantcloud.db", isolation_level=None)
    fails_and_recovers(
        single,
        lambda: other.execute("BEGIN IMMEDIATE"),
        lambda: other.execute("ROLLBACK"),
        "STORE_UNAVAILABLE",
    )
    other.close()


def test_a_removed_sqlite_file_makes_the_server_unhealthy(single: Server):
    """Later writes would be lost when the process ends."""
    path = single.data_dir / "quantcloud.db"
    aside = path.with_name("aside.db")
    fails_and_recovers(single, lambda: path.rename(aside), lambda: aside.rename(path), "STORE_GONE")


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with Postgres([*installations().values()][-1], durable=True) as server:
        yield server


def freeze(postgres: Postgres, number: signal.Signals) -> None:
    pid = postgres.process.pid
    for each in (pid, *descendants(pid)):
        os.kill(each, number)


@needs_postgres
def test_a_frozen_and_a_stopped_postgres_make_the_server_unhealthy(
    tmp_path: Path, postgres: Postgres
):
    with Server(
        tmp_path / "data", "--workers", "1", QUANTCLOUD_DATABASE_URL=postgres.url()
    ) as server:
        fails_and_recovers(
            server,
            lambda: freeze(postgres, signal.SIGSTOP),
            lambda: freeze(postgres, signal.SIGCONT),
            "STORE_UNAVAILABLE",
        )
        fails_and_recovers(server, postgres.stop, postgres.start, "STORE_UNAVAILABLE")
        api = server.api()
        assert sum(api.finish(api.run(BELL)).result.counts.values()) == 1024


@needs_postgres
async def test_envoy_sends_jobs_only_to_ready_servers(tmp_path: Path, postgres: Postgres):
    """First one of two servers loses the database, then both do."""
    await postgres.execute("CREATE ROLE second LOGIN SUPERUSER")
    settings = {"QUANTCLOUD_PROXY_SECRET": "a-secret-between-envoy-and-its-servers"}
    url = postgres.url()
    with ExitStack() as stack:
        one, two = (
            stack.enter_context(
                Server(
                    tmp_path / name, "--workers", "1", "--no-envoy",
                    QUANTCLOUD_DATABASE_URL=at, **settings,
                )
            )
            for name, at in (("one", url), ("two", url.replace("postgres@", "second@")))
        )  # fmt: skip
        servers = [each.endpoints.grpc for each in (one, two)]
        front = stack.enter_context(Front(tmp_path / "front", free_port(), servers, **settings))
        api = Api(one.channel, front.rest, one.token(tier="enterprise"))
        assert front.get("/health").status_code == 200

        readiness = Readiness(two)
        await postgres.execute("ALTER ROLE second NOLOGIN")
        await postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'second'"
        )
        readiness.until(NOT_SERVING)
        assert statuses(two, "liveness") == {SERVING}
        # Envoy needs two health checks to notice. Until then it sends some requests there.
        until(lambda: all(submit(api) == 202 for _ in range(8)))
        assert {submit(api) for _ in range(20)} == {202}
        assert front.get("/health").json()["status"] == "healthy"

        readiness = Readiness(one)
        postgres.stop()
        readiness.until(NOT_SERVING)
        # The message comes from the servers, not from Envoy.
        until(lambda: failing(front) == set(servers))
        for _ in range(10):
            answer = api.rest("POST", "/v1/circuits/run", {"qasm": BELL})
            assert answer.status_code == 503
            (info,) = [each for each in answer.json()["details"] if "reason" in each]
            assert info["reason"] == "STORE_UNAVAILABLE"
            health = front.get("/health")
            assert health.status_code == 503
            assert health.json()["detail"].startswith("the database does not answer")
            assert front.get("/v1/backends").status_code in {200, 503}

        postgres.start()
        readiness.until(SERVING)
        until(lambda: all(submit(api) == 202 for _ in range(8)))
        assert front.get("/health").status_code == 200


def submit(api: Api) -> int:
    return api.rest("POST", "/v1/circuits/run", {"qasm": BELL}).status_code


def failing(front: Server) -> set[str]:
    """The servers that fail Envoy's health checks."""
    admin = httpx.HTTPTransport(uds=str(front.data_dir / "envoy.admin"))
    with httpx.Client(transport=admin, base_url="http://envoy") as client:
        listed = client.get("/clusters").text
    return set(re.findall(r"(?m)^quantcloud::(\S+?)::health_flags::/failed_active_hc", listed))


def until(holds: Callable[[], bool]) -> None:
    """Poll until `holds` is true. Envoy sends no event about its health checks."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not holds():
        assert time.monotonic() < deadline
