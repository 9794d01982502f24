"""Several servers share one PostgreSQL behind one Envoy."""

import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import grpc
import httpx
import pytest

from quantcloud.endpoints import read_endpoints
from support.api import Api
from support.circuits import BELL, slow
from support.clients.run_stream import RunStream
from support.clients.watchers import see_the_log
from support.external.postgres import Postgres, installations
from support.server import Server, quantcloud
from thequantcloud.v1 import api_key_pb2, circuit_pb2, job_pb2

PROXY_SECRET = "a-secret-between-envoy-and-its-servers"
SETTINGS = {
    "QUANTCLOUD_PROXY_SECRET": PROXY_SECRET,
    "QUANTCLOUD_LEASE_SECONDS": "3",
    "QUANTCLOUD_HEARTBEAT_SECONDS": "1",
    "QUANTCLOUD_LEASE_CHECK_SECONDS": "0.5",
    "QUANTCLOUD_DATABASE_POLL_SECONDS": "0.5",
}
pytestmark = pytest.mark.skipif(not installations(), reason="PostgreSQL is not installed")


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with Postgres([*installations().values()][-1]) as server:
        yield server


@pytest.fixture(scope="module")
def pair(postgres: Postgres, tmp_path_factory) -> Iterator[list[Server]]:
    """Two servers on one database."""
    url = {"QUANTCLOUD_DATABASE_URL": postgres.url(), **SETTINGS}
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                Server(tmp_path_factory.mktemp(name), "--workers", "1", "--no-envoy", **url)
            )
            for name in ("one", "two")
        ]


class Front:
    """`quantcloud envoy` in front of `servers`."""

    def __init__(self, servers: list[Server], folder) -> None:
        options = [text for each in servers for text in ("--grpc", each.endpoints.grpc)]
        self.log = (folder / "envoy.log").open("wb")
        self.process = subprocess.Popen(
            quantcloud("envoy", "--data-dir", str(folder), "--http-port", "0", *options),
            stdout=subprocess.PIPE, stderr=self.log, text=True, env=servers[0]._environment,
        )  # fmt: skip
        endpoints = read_endpoints(self.process.stdout)
        assert endpoints is not None
        self.rest = httpx.Client(base_url=endpoints.http, timeout=60)
        self.channel = grpc.insecure_channel(endpoints.http.removeprefix("http://"))

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.rest.close()
        self.channel.close()
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(30) == 0
        self.process.stdout.close()
        self.log.close()


@pytest.fixture(scope="module")
def front(pair: list[Server], tmp_path_factory) -> Iterator[Front]:
    with Front(pair, tmp_path_factory.mktemp("front")) as running:
        yield running


def accounts(pair: list[Server], tier: str = "enterprise") -> list[Api]:
    """One account on each of the servers."""
    token = pair[0].token(tier=tier)
    return [Api(each.channel, each.rest, token) for each in pair]


def test_a_job_can_be_watched_at_the_other_server(pair: list[Server]):
    one, two = accounts(pair)
    for _ in range(5):
        job = one.run(BELL)
        events = list(two.watch(job, with_result=True))
        assert [event.sequence for event in events] == list(range(1, 8))
        assert sum(events[-1].result.counts.values()) == 1024


def test_watchers_that_resume_at_either_server_see_all_events(pair: list[Server]):
    see_the_log(accounts(pair))


def test_a_job_can_be_cancelled_at_the_other_server(pair: list[Server]):
    one, two = accounts(pair)
    job = one.run(slow(24), backend="aer_simulator", shots=1)
    one.until(job, job_pb2.Job.running)
    for api in (one, two):
        api.jobs.CancelJob(job_pb2.CancelJobRequest(id=job), metadata=api.metadata)
    for api in (one, two):
        *_, last = api.watch(job)
        assert last.job.status == job_pb2.Job.cancelled
    # The worker is free again.
    assert sum(one.finish(one.run(BELL, backend="aer_simulator")).result.counts.values()) == 1024


def test_a_key_revoked_at_one_server_is_refused_at_the_other(pair: list[Server]):
    one, two = accounts(pair)
    key = one.keys.CreateApiKey(api_key_pb2.CreateApiKeyRequest(name="k"), metadata=one.metadata)
    stream = RunStream(Api(pair[1].channel, pair[1].rest, key.key))
    answers = stream.changes()
    stream.send(BELL)
    next(answers)
    one.keys.RevokeApiKey(api_key_pb2.RevokeApiKeyRequest(id=key.id), metadata=one.metadata)
    stream.send(BELL)
    with pytest.raises(grpc.RpcError) as ended:
        list(answers)
    stream.end()
    assert ended.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert two.jobs.ListJobs(job_pb2.ListJobsRequest(), metadata=two.metadata).total == 1


def test_the_concurrency_limit_holds_across_servers(pair: list[Server]):
    one, _ = accounts(pair)
    token = pair[0].token(tier="explorer")
    one, two = (Api(each.channel, each.rest, token) for each in pair)
    jobs = [api.run(slow(16, 40), backend="aer_simulator", shots=1) for api in (one, two) * 3]
    for job in jobs:
        one.finish(job)
    spans = []
    for job in jobs:
        done = two.jobs.GetJob(job_pb2.GetJobRequest(id=job), metadata=two.metadata)
        spans.append((done.started_at.ToDatetime(), done.completed_at.ToDatetime()))
    for start, _ in spans:
        assert sum(begin <= start < end for begin, end in spans) <= 3


@pytest.mark.parametrize("over", ["grpc", "rest"])
def test_fifty_concurrent_submissions_with_one_key_are_one_job(pair, front: Front, over):
    token = pair[0].token(tier="enterprise")
    api = Api(front.channel, front.rest, token)
    body = {"qasm": BELL, "shots": 77}

    def submit(_):
        if over == "rest":
            answer = api.rest("POST", "/v1/circuits/run", body, headers={"Idempotency-Key": "k 1"})
            assert answer.status_code == 202, answer.text
            return answer.text
        request = circuit_pb2.RunCircuitRequest(**body)
        metadata = (*api.metadata, ("idempotency-key", "k 1"))
        return api.circuits.RunCircuit(request, metadata=metadata).SerializeToString()

    with ThreadPoolExecutor(50) as pool:
        answers = set(pool.map(submit, range(50)))
    assert len(answers) == 1
    assert api.rest("GET", "/v1/jobs").json()["total"] == 1
    other = api.rest(
        "POST", "/v1/circuits/run", {**body, "shots": 78}, headers={"Idempotency-Key": "k 1"}
    )
    assert other.status_code == 409
    (job,) = api.rest("GET", "/v1/jobs").json()["jobs"]
    (info,) = [each for each in other.json()["details"] if "reason" in each]
    assert info["reason"] == "IDEMPOTENCY_KEY_REUSED"
    assert info["metadata"]["job_id"] == job["job_id"]
    # The same key of another account is a different key.
    stranger = Api(front.channel, front.rest, pair[0].token(tier="enterprise"))
    answer = stranger.rest("POST", "/v1/circuits/run", body, headers={"Idempotency-Key": "k 1"})
    assert answer.json()["job_id"] != job["job_id"]


def test_a_server_that_dies_loses_no_job(postgres: Postgres, pair: list[Server], tmp_path):
    url = {"QUANTCLOUD_DATABASE_URL": postgres.url(), **SETTINGS}
    _, two = accounts(pair)
    with Server(tmp_path / "data", "--workers", "1", "--no-envoy", **url) as third:
        api = Api(third.channel, third.rest, two.credential)
        # One job for each worker of the three servers, so the third server has one.
        jobs = [api.run(slow(20, 30), backend="aer_simulator", shots=5) for _ in range(3)]
        for job in jobs:
            two.until(job, job_pb2.Job.running)
        third.kill()
    attempts = []
    for job in jobs:
        events = list(two.watch(job, with_result=True))
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert sum(event.job.status == job_pb2.Job.completed for event in events) == 1
        assert sum(events[-1].result.counts.values()) == 5
        attempts.append(sum(event.job.status == job_pb2.Job.dispatched for event in events))
    assert sorted(attempts) == [1, 1, 2]


def test_a_draining_server_gets_no_requests(postgres: Postgres, pair: list[Server], tmp_path):
    url = {"QUANTCLOUD_DATABASE_URL": postgres.url(), **SETTINGS}
    token = pair[0].token(tier="enterprise")
    with (
        Server(tmp_path / "data", "--workers", "1", "--no-envoy", **url) as third,
        Front([third, pair[1]], tmp_path) as front,
    ):
        api = Api(front.channel, front.rest, token)
        for number in range(30):
            if number == 10:
                third.process.send_signal(signal.SIGTERM)
            assert api.rest("GET", "/v1/jobs").status_code == 200
        assert third.process.wait(30) == 0
        assert sum(api.finish(api.run(BELL)).result.counts.values()) == 1024


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg"])
def test_migrate_checks_a_database_that_servers_use(
    postgres: Postgres, pair: list[Server], tmp_path, scheme: str
):
    url = scheme + postgres.url().removeprefix("postgresql")
    done = subprocess.run(
        quantcloud("migrate", "--check", "--data-dir", str(tmp_path)),
        capture_output=True, text=True, check=False,
        env={**pair[0]._environment, "QUANTCLOUD_DATABASE_URL": url},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
