"""The base path /studio through the real Envoy: the same API, with the shapes of QuantStudio."""

import json

import grpc
import httpx
import pytest

from support.api import error_json
from thequantcloud.v1.api_key_pb2 import ApiKey, ListApiKeysResponse
from thequantcloud.v1.circuit_pb2 import Circuit, ListCircuitsResponse
from thequantcloud.v1.job_pb2 import Job, JobEvent, ListJobsResponse
from thequantcloud.v1.status_pb2 import GetHealthResponse
from unit.proxy.routes import CREATED, ORIGIN, ROUTES
from unit.proxy.upstream import OVER_REST, gate, refuse

UNWRAPPED = {"ListApiKeys": "api_keys", "ListCircuits": "circuits", "ListJobs": "jobs"}
HOSTILE = ['"],"count":1}', "]}", '[{"jobs":[', '\\"]', "\\", "é\u0000\U0001f600"]


@pytest.mark.parametrize(("verb", "path", "name"), ROUTES, ids=[name for *_, name in ROUTES])
def test_every_path_is_there_below_it_with_the_same_statuses(gate, http, verb, path, name):
    body = {"json": {}} if verb in {"POST", "PUT"} else {}
    real = path.replace("{id}", "x%2Fy").replace("{name}", "x%2Fy")
    plain = http.request(verb, real, **body)
    studio = http.request(verb, "/studio" + real, **body)
    assert studio.status_code == CREATED.get(name, 200), studio.text
    (called, request, metadata), (again, same, other) = gate.upstream.requests
    assert (called, request) == (again, same) == (name, request)
    assert metadata["x-envoy-original-path"] == other["x-envoy-original-path"] == real
    if name in UNWRAPPED:
        assert studio.json() == plain.json()[UNWRAPPED[name]] == []
    else:
        assert studio.content == plain.content
    refused = http.request("PATCH", "/studio" + real)
    assert refused.status_code == 405
    assert refused.headers["allow"] == http.request("PATCH", real).headers["allow"]
    assert refused.json()["detail"].startswith(f"/studio{real} does not take PATCH.")


def test_the_lists_that_are_unwrapped_are_those_of_the_account():
    lists = {
        method.name: [field.name for field in method.output_type.fields if field.is_repeated]
        for method in OVER_REST
        if method.name.startswith("List")
    }
    del lists["ListBackends"]  # QuantStudio reads its envelope
    assert lists == {name: [field] for name, field in UNWRAPPED.items()}


@pytest.mark.parametrize("token", [None, "abc_-="])
@pytest.mark.parametrize("count", [0, 1, 100])
def test_a_list_comes_bare_whatever_its_strings_hold(gate, http, count, token):
    def jobs(*_):
        page = [
            Job(job_id=HOSTILE[n % len(HOSTILE)], error_message=HOSTILE[-n % len(HOSTILE)])
            for n in range(count)
        ]
        return ListJobsResponse(jobs=page, next_page_token=token, count=count, total=7, limit=20)

    def circuits(*_):
        page = [Circuit(name=HOSTILE[n % len(HOSTILE)]) for n in range(count)]
        return ListCircuitsResponse(circuits=page, next_page_token=token, count=count)

    def keys(*_):
        return ListApiKeysResponse(
            api_keys=[ApiKey(name=HOSTILE[n % len(HOSTILE)]) for n in range(count)]
        )

    answers = {"ListJobs": jobs, "ListCircuits": circuits, "ListApiKeys": keys}
    for path, name in (("jobs", "ListJobs"), ("circuits", "ListCircuits"),
                       ("auth/api-keys", "ListApiKeys")):  # fmt: skip
        gate.answer(name, answers[name])
        answer = http.get(f"/studio/v1/{path}", headers={"Accept-Encoding": "identity"})
        assert answer.json() == http.get(f"/v1/{path}").json()[UNWRAPPED[name]]
        assert len(answer.json()) == count
        assert int(answer.headers["content-length"]) == len(answer.content)
        assert answer.headers["content-type"] == "application/json"


def test_a_long_list_comes_whole(gate, http):
    code = "]}" * 100_000
    gate.answer(
        "ListCircuits",
        lambda *_: ListCircuitsResponse(circuits=[Circuit(code=code)] * 100, count=100),
    )
    answer = http.get("/studio/v1/circuits")
    assert len(answer.content) > 20_000_000
    assert [circuit["code"] for circuit in answer.json()] == [code] * 100


def test_health_is_ok_or_unhealthy(gate, http):
    gate.answer("GetHealth", lambda *_: GetHealthResponse(status="healthy", version="1"))
    got, head = http.get("/studio/health"), http.head("/studio/health")
    assert got.json() == {**http.get("/health").json(), "status": "ok"}
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]
    assert int(got.headers["content-length"]) == len(got.content)

    async def drains(_request, context):
        await refuse(context, grpc.StatusCode.UNAVAILABLE, "no")

    gate.answer("GetHealth", drains)
    got = http.get("/studio/health")
    assert got.status_code == 503
    assert got.json() == {"status": "unhealthy", **error_json("no"), "details": []}


def test_errors_are_those_of_the_plain_paths(gate, http):
    async def missing(_request, context):
        await refuse(context, grpc.StatusCode.NOT_FOUND, '["no"]')

    gate.answer("ListJobs", missing)
    for path in ("/v1/jobs", "/v1/jobs?limit=x", "/v1/jobs/j?foo=1"):
        plain, studio = http.get(path), http.get("/studio" + path)
        assert studio.status_code == plain.status_code >= 400
        assert studio.json() == plain.json()
        assert studio.json()["error"] == studio.json()["detail"]
    for path in ("/studio", "/studio/", "/studio/studio/v1/jobs", "/studiov1/jobs", "/studio/nope"):
        answer = http.get(path)
        assert answer.status_code == 404
        assert answer.json()["detail"].startswith(f"There is nothing at {path}.")


def test_long_bodies_pass_where_they_pass_on_the_plain_paths(gate, http):
    def body(size):
        return json.dumps({"qasm": "x" * size})

    assert http.post("/studio/v1/circuits/run", content=body(1_000_000)).status_code == 202
    assert len(gate.last("RunCircuit")[0].qasm) == 1_000_000
    too_large = http.post("/studio/v1/circuits/run-and-watch", content=body(1024 * 1024))
    assert too_large.status_code == 413
    assert "1048576" in too_large.json()["detail"]
    small = http.request("GET", "/studio/v1/backends", content=b"x" * 20_000)
    assert small.status_code == 413


def test_events_come_as_they_are_made(gate, http):
    async def events(_request, _context):
        yield JobEvent(job=Job(job_id="j"), sequence=1)

    gate.answer("WatchJob", events)
    plain, studio = (http.get(f"{base}/v1/jobs/j/events") for base in ("", "/studio"))
    assert studio.headers["content-type"] == "text/event-stream"
    assert studio.headers["x-accel-buffering"] == "no"
    assert studio.text == plain.text


def test_pages_of_other_origins_may_call_it(gate, http):
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET",
             "Access-Control-Request-Headers": "x-api-key"}  # fmt: skip
    preflight = http.options("/studio/v1/jobs", headers=asked)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == ORIGIN
    for path in ("/studio/v1/jobs", "/studio/v1/jobs?limit=x", "/studio/nope"):
        answer = http.get(path, headers={"Origin": ORIGIN})
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "x-request-id" in answer.headers["access-control-expose-headers"]
    assert len(gate.upstream.requests) == 1


@pytest.mark.parametrize("kind", ["application/grpc", "application/grpc-web", "application/json"])
@pytest.mark.parametrize(
    "path", ["thequantcloud.v1.JobService/GetJob", "grpc.health.v1.Health/Check", "v1/jobs"]
)
def test_there_is_no_grpc_below_it(gate, http, path, kind):
    headers = {"Content-Type": kind, "TE": "trailers"}
    answer = http.post(f"/studio/{path}", content=b"\0\0\0\0\0", headers=headers)
    assert gate.upstream.requests == []
    assert answer.status_code != 200 or int(answer.headers["grpc-status"]) != 0


def test_the_access_log_has_the_path_that_was_asked_for(tmp_path):
    with gate(tmp_path) as running:
        for path in ("/studio/v1/jobs/j", "/studio/nope", "/v1/jobs/j"):
            httpx.get(running.url + path)
    log = (tmp_path / "access.log").read_text().splitlines()
    assert [json.loads(line)["path"] for line in log] == [
        "/studio/v1/jobs/j",
        "/studio/nope",
        "/v1/jobs/j",
    ]
