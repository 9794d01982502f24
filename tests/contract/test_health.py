"""Health says whether a server can take jobs, in time and with the reason; liveness does not."""

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
from support.circuits import BELL
from support.deployments import free_port
from support.postgres import Postgres, installations
from support.processes import descendants
from support.server import Front, Server
from thequantcloud.v1 import status_pb2

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
# Until a failure is to be known.
SOON = 3.0
PATIENCE = 30
READY_NAMES = ("", "readiness", "thequantcloud.v1.CircuitService", "thequantcloud.v1.JobService")

needs_postgres = pytest.mark.skipif(not installations(), reason="there is no PostgreSQL here")


def statuses(server: Server, *names: str) -> set[int]:
    health = health_pb2_grpc.HealthStub(server.channel)
    return {health.Check(health_pb2.HealthCheckRequest(service=name)).status for name in names}


class Readiness:
    """A watch of a server's readiness, which is SERVING at first."""

    def __init__(self, server: Server) -> None:
        request = health_pb2.HealthCheckRequest(service="readiness")
        self._watch = health_pb2_grpc.HealthStub(server.channel).Watch(request, timeout=PATIENCE)
        assert next(self._watch).status == SERVING

    def until(self, status: int) -> None:
        """Wait for the next change, which is to be this one."""
        assert next(self._watch).status == status


def goes_and_comes_back(
    server: Server,
    fail: Callable[[], object],
    mend: Callable[[], object],
    reason: str,
    within: float = SOON,
) -> None:
    """Health over REST and gRPC follows a failure and its end."""
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
    # A process that works is not to be started again for its database's sake.
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


def test_a_sqlite_file_that_another_program_has_locked(single: Server):
    other = sqlite3.connect(single.data_dir / "quantcloud.db", isolation_level=None)
    goes_and_comes_back(
        single,
        lambda: other.execute("BEGIN IMMEDIATE"),
        lambda: other.execute("ROLLBACK"),
        "STORE_UNAVAILABLE",
    )
    other.close()


def test_a_sqlite_file_that_is_removed_while_it_is_in_use(single: Server):
    """What is written then would be gone with the process."""
    path = single.data_dir / "quantcloud.db"
    aside = path.with_name("aside.db")
    goes_and_comes_back(
        single, lambda: path.rename(aside), lambda: aside.rename(path), "STORE_GONE"
    )


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with Postgres([*installations().values()][-1], durable=True) as server:
        yield server


def freeze(postgres: Postgres, number: signal.Signals) -> None:
    pid = postgres.process.pid
    for each in (pid, *descendants(pid)):
        os.kill(each, number)


@needs_postgres
def test_a_postgres_that_hangs_and_one_that_is_away(tmp_path: Path, postgres: Postgres):
    with Server(
        tmp_path / "data", "--workers", "1", QUANTCLOUD_DATABASE_URL=postgres.url()
    ) as server:
        goes_and_comes_back(
            server,
            lambda: freeze(postgres, signal.SIGSTOP),
            lambda: freeze(postgres, signal.SIGCONT),
            "STORE_UNAVAILABLE",
        )
        goes_and_comes_back(server, postgres.stop, postgres.start, "STORE_UNAVAILABLE")
        api = server.api()
        assert sum(api.finish(api.run(BELL)).result.counts.values()) == 1024


@needs_postgres
async def test_envoy_sends_jobs_to_who_can_take_them(tmp_path: Path, postgres: Postgres):
    """Of two servers one is kept from the database, then both are."""
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
        # Until Envoy has heard of it, which takes two of its looks, some go there still.
        until(lambda: all(submit(api) == 202 for _ in range(8)))
        assert {submit(api) for _ in range(20)} == {202}
        assert front.get("/health").json()["status"] == "healthy"

        readiness = Readiness(one)
        postgres.stop()
        readiness.until(NOT_SERVING)
        # Not Envoy's own words: the servers say what is the matter.
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
    """The servers that have failed Envoy's looks."""
    admin = httpx.HTTPTransport(uds=str(front.data_dir / "envoy.admin"))
    with httpx.Client(transport=admin, base_url="http://envoy") as client:
        listed = client.get("/clusters").text
    return set(re.findall(r"(?m)^quantcloud::(\S+?)::health_flags::/failed_active_hc", listed))


def until(holds: Callable[[], bool]) -> None:
    """Ask until it holds: Envoy does not tell what it has heard of its servers."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
