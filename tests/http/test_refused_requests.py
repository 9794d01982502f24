"""Requests that Envoy refuses count as the server's own refusals do, and have the same headers."""

import asyncio
import gzip
import json
import time
from collections.abc import Iterator

import grpc
import httpx
import pytest

from support.api import Api
from support.circuits import BELL
from support.server import Server
from thequantcloud.v1 import circuit_pb2, job_pb2

RUN = "/v1/circuits/run"
LIMIT = 30
LIMITS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with limits."""
    with Server(
        tmp_path_factory.mktemp("strict") / "data",
        QUANTCLOUD_TIERS=json.dumps({}),
        QUANTCLOUD_FAILED_LOGINS_PER_MINUTE="3",
        QUANTCLOUD_ANONYMOUS_REQUESTS_PER_MINUTE="5",
        QUANTCLOUD_PROXY_SECRET="s" * 32,
    ) as running:
        yield running


LONG = {"qasm": BELL + "//" + "x" * 20_000}
BODIES = {
    "the server's own": b'{"shots": 0}',
    "an unknown key": b'{"shot": 10}',
    "a wrong type": b'{"shots": "many"}',
    "an unknown word": b'{"optimize_for": "beauty"}',
    "malformed": b'{"shots": ',
    "not text": b'{"qasm": "\xff"}',
    "long, an unknown key": json.dumps({**LONG, "shot": 10}).encode(),
    "long, a wrong type": json.dumps({**LONG, "shots": "many"}).encode(),
    "long, malformed": json.dumps(LONG).encode()[:-1],
}


def test_each_refusal_counts_once_and_says_what_is_left(strict: Server):
    ada = strict.api("explorer")
    left = LIMIT
    for kind, body in BODIES.items():
        got = ada.rest("POST", RUN, content=body)
        left -= 1
        assert got.status_code == 400, kind
        assert int(got.headers["x-ratelimit-remaining"]) == left, kind
        info, bad_request = got.json()["details"]
        assert (info["reason"], info["domain"]) == ("INVALID_ARGUMENT", "thequantcloud.com")
        [violation] = bad_request["field_violations"]
        assert got.json()["detail"] == f"{violation['field']}: {violation['description']}"
    packed = gzip.compress(BODIES["a wrong type"])
    ada.rest("POST", RUN, content=packed, headers={"Content-Encoding": "gzip"})
    for query in ("limit=0", "limit=x", "colour=red", "limit=1"):
        got = ada.rest("GET", f"/v1/jobs?{query}")
    assert int(got.headers["x-ratelimit-remaining"]) == left - 5
    for _ in range(LIMIT):
        got = ada.rest("POST", RUN, content=b'{"shot": 10}')
    assert got.status_code == 429
    assert int(got.headers["retry-after"]) > 0
    assert got.json()["details"][0]["reason"] == "RATE_LIMITED"
    assert all(name in got.headers for name in LIMITS)
    assert ada.rest("GET", "/v1/jobs").status_code == 429


def test_a_stranger_learns_nothing_of_the_body_and_counts(strict: Server):
    statuses = [strict.rest.post(RUN, content=b'{"shot": 10}').status_code for _ in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    got = strict.rest.post(RUN, content=b"{", headers={"X-API-Key": "qc_live_" + "x" * 40})
    assert got.status_code == 429
    got = [strict.get("/v1/backends?colour=red") for _ in range(6)]
    assert [each.status_code for each in got] == [400] * 5 + [429]


def test_an_api_key_is_403_on_a_jwt_path_with_a_bad_body_too(server: Server):
    ada = server.api()
    key = ada.rest("POST", "/v1/auth/api-keys", {"name": "k"}).json()["key"]
    got = server.rest.post("/v1/auth/api-keys", json={"nam": "k"}, headers={"X-API-Key": key})
    assert (got.status_code, got.json()["details"][0]["reason"]) == (403, "JWT_REQUIRED")


def test_only_envoy_may_count_refusals(strict: Server):
    with grpc.insecure_channel(strict.endpoints.grpc) as channel:
        call = channel.stream_stream("/quantcloud.proxy.Refusals/Count")(iter([b""]))
        with pytest.raises(grpc.RpcError) as caught:
            list(call)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_hundred_clients_with_bad_bodies_leave_room_for_others(server: Server):
    bad = server.api()
    headers = {**bad.headers, "Content-Type": "application/json"}
    body = json.dumps({"circuits": [LONG] * 40 + [{"shot": 1}]}).encode()
    limits = httpx.Limits(max_connections=100)
    took: list[float] = []

    async def check() -> None:
        async with httpx.AsyncClient(
            base_url=server.endpoints.http, timeout=60, limits=limits
        ) as client:
            sent = [
                asyncio.ensure_future(
                    client.post("/v1/circuits/run-batch", content=body, headers=headers)
                )
                for _ in range(100)
            ]
            ended = asyncio.gather(*sent)
            async with httpx.AsyncClient(base_url=server.endpoints.http, timeout=60) as other:
                while not ended.done():
                    began = time.monotonic()
                    assert (await other.get("/health")).status_code == 200
                    took.append(time.monotonic() - began)
                    await asyncio.wait([ended], timeout=0.02)
            statuses = {answer.status_code for answer in await ended}
            assert statuses <= {400, 429}

    asyncio.run(check())
    assert max(took) < 2.5


def test_an_empty_authorization_beside_a_good_key_is_ignored(server: Server):
    ada = server.api()
    key = ada.rest("POST", "/v1/auth/api-keys", {"name": "k"}).json()["key"]
    headers = {"Authorization": "", "X-API-Key": key}
    assert server.get("/v1/jobs", headers=headers).status_code == 200
    assert server.get("/v1/jobs", headers={"Authorization": ""}).status_code == 401
    for authorization in ("", " "):
        metadata = (("authorization", authorization), ("x-api-key", key))
        assert ada.jobs.ListJobs(job_pb2.ListJobsRequest(), metadata=metadata).count == 0


def test_two_idempotency_keys_are_400_and_one_twice_is_one(server: Server):
    ada = server.api()
    request, base = circuit_pb2.RunCircuitRequest(qasm=BELL), [*ada.headers.items()]

    def rest(*keys: str) -> httpx.Response:
        headers = [*base, *(("Idempotency-Key", key) for key in keys)]
        return server.rest.post(RUN, json={"qasm": BELL}, headers=headers)

    refused = rest("a", "b")
    assert refused.status_code == 400
    assert refused.json()["detail"] == (
        "idempotency-key: is given twice, with different values; send one"
    )
    assert rest("a", "a").json() == rest("a").json()
    metadata = (*ada.metadata, ("idempotency-key", "a"), ("idempotency-key", "b"))
    with pytest.raises(grpc.RpcError) as caught:
        ada.circuits.RunCircuit(request, metadata=metadata)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_numbers_may_be_texts(server: Server):
    ada = server.api()
    made = ada.rest("POST", RUN, {"qasm": BELL, "shots": "100", "num_qubits": "2"})
    assert made.json()["shots"] == 100
    refused = ada.rest("POST", RUN, {"qasm": BELL, "shots": "1e2"})
    assert refused.json()["detail"] == 'shots: must be an integer, got "1e2"'


def test_an_id_may_have_upper_case_letters(server: Server):
    ada = server.api()
    job = ada.run(BELL)
    ada.finish(job)
    assert ada.rest("GET", f"/v1/jobs/{job.upper()}").json()["job_id"] == job
    assert ada.rest("GET", f"/v1/jobs/{job.upper()}/result").json()["job_id"] == job
    assert (
        ada.jobs.GetJob(job_pb2.GetJobRequest(id=job.upper()), metadata=ada.metadata).job_id == job
    )
    circuit = ada.rest("POST", "/v1/circuits", {"name": "c", "qasm": BELL}).json()["id"]
    assert ada.rest("PUT", f"/v1/circuits/{circuit.upper()}", {"name": "d"}).status_code == 200
    assert ada.rest("DELETE", f"/v1/circuits/{circuit.upper()}").status_code == 200


@pytest.mark.parametrize("path", ["/v1/jobs/{}/events", "/v1/jobs/events", "/v1/jobs/{}"])
def test_head_answers_like_get_and_ends(server: Server, ada: Api, path: str):
    job = ada.run(BELL)
    got = ada.rest("HEAD", path.format(job))
    assert (got.status_code, got.content) == (200, b"")
    kind = "text/event-stream" if "events" in path else "application/json"
    assert got.headers["content-type"] == kind
    assert server.rest.head(path.format(job)).status_code == 401
    if "{}" in path:
        missing = "00000000-0000-4000-8000-000000000000"
        assert ada.rest("HEAD", path.format(missing)).status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/nothing", 404), ("/v1/jobs?limit=x", 400), ("/v1/backends/none", 404)],
)
def test_head_of_an_error_states_no_other_length_than_get(ada: Api, path: str, status: int):
    got = ada.rest("GET", path)
    head = ada.rest("HEAD", path)
    assert (head.status_code, head.content) == (status, b"")
    length = got.headers["content-length"]
    assert head.headers.get("content-length", length) == length


def test_head_with_a_wrong_query_is_refused_and_counted_like_get(server: Server, strict: Server):
    assert server.rest.head("/v1/jobs?limit=x").status_code == 401
    poor = strict.api("explorer")
    left = [
        int(poor.rest(method, "/v1/jobs?limit=x").headers["x-ratelimit-remaining"])
        for method in ("GET", "HEAD", "GET")
    ]
    assert left == [left[0], left[0] - 1, left[0] - 2]
