"""REST through the real Envoy: routes, methods and statuses."""

import re
import socket

import grpc
import pytest

from support.api import error_json
from thequantcloud.v1.job_pb2 import Job, ListJobsResponse
from unit.proxy.routes import CREATED, ORIGIN, ROUTES
from unit.proxy.upstream import refuse

PATHS = sorted({path for _, path, _ in ROUTES})


@pytest.mark.parametrize(("verb", "path", "name"), ROUTES, ids=[name for *_, name in ROUTES])
def test_every_rpc_of_the_contract_has_its_route_and_status(gate, http, verb, path, name):
    body = {"json": {}} if verb in {"POST", "PUT"} else {}
    answer = http.request(verb, re.sub(r"{\w+}", "x%2Fy", path), **body)
    assert answer.status_code == CREATED.get(name, 200), answer.text
    called, request, _ = gate.upstream.requests[-1]
    assert called == name
    for field in re.findall(r"{(\w+)}", path):
        assert getattr(request, field) == "x/y"


@pytest.mark.parametrize("path", PATHS)
def test_other_methods_of_a_path_are_405_with_an_allow_header(gate, http, path):
    right = {verb for verb, other, _ in ROUTES if other == path}
    if "GET" in right:
        right.add("HEAD")
    for verb in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} - right:
        real = re.sub(r"{\w+}", "x", path)
        answer = http.request(verb, real, headers={"Origin": ORIGIN})
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "x-request-id" in answer.headers["access-control-expose-headers"]
        if path == "/v1/jobs/events":
            assert answer.status_code == 405  # also a path of /v1/jobs/{id}
            continue
        assert answer.status_code == 405, (verb, answer.text)
        assert set(answer.headers["allow"].split(", ")) == right
        assert answer.headers["content-type"] == "application/json"
        if verb != "HEAD":
            assert answer.json() == error_json(
                f"{real} does not take {verb}. The Allow header says what it takes."
            )
    assert gate.upstream.requests == []


def test_an_unknown_path_is_404_for_other_origins_too(gate, http):
    answer = http.get("/nope", headers={"Origin": ORIGIN})
    assert answer.status_code == 404
    assert answer.json()["detail"].startswith("There is nothing at /nope.")
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert gate.upstream.requests == []


GETS = [re.sub(r"{\w+}", "x", path) for verb, path, _ in ROUTES if verb == "GET"]


REFERENCE = ["/openapi.json", "/v1/descriptor.binpb", "/docs", "/docs/docs.css", "/docs/docs.js"]


@pytest.mark.parametrize("packed", ["identity", "gzip"])
@pytest.mark.parametrize("path", [*GETS, *REFERENCE])
def test_head_equals_get_without_a_body(gate, http, path, packed):
    """Load balancers use it for health."""
    gate.answer("ListJobs", lambda *_: ListJobsResponse(jobs=[Job(job_id="j")] * 20))
    headers = {"Accept-Encoding": packed}
    got, answer = http.get(path, headers=headers), http.head(path, headers=headers)
    assert (answer.status_code, answer.content) == (200, b"")
    same = ["content-type", "vary", "etag"]
    same += ["content-length"] if "content-length" in got.headers else []
    assert [answer.headers.get(name) for name in same] == [got.headers.get(name) for name in same]
    assert http.get("/health").status_code == 200  # nothing is left on the connection


def test_head_of_a_stream_asks_the_server_for_its_headers_only(gate, http):
    http.head("/v1/jobs/j/events")
    assert gate.last("WatchJob")[1]["x-only-headers"] == "yes"


def test_head_of_health_is_503_if_the_server_drains(gate, http):
    async def drains(_request, context):
        await refuse(context, grpc.StatusCode.UNAVAILABLE, "the server is shutting down")

    gate.answer("GetHealth", drains)
    answer = http.head("/health")
    assert (answer.status_code, answer.content) == (503, b"")
    assert http.get("/health").status_code == 503


@pytest.mark.parametrize("key", ["id", "id_from_path"])
def test_only_the_path_names_the_resource(gate, http, key):
    cancelled = http.post("/v1/jobs/one/cancel", json={key: "two"})
    assert cancelled.json()["detail"] == f"{key}: is unknown; none is known here"
    updated = http.put("/v1/circuits/one", json={key: "two", "name": "n"})
    assert updated.json()["detail"].startswith(f"{key}: is unknown; known are name, code")
    assert gate.upstream.requests == []


def test_http_1_0_is_answered(gate):
    with socket.create_connection(("127.0.0.1", gate.envoy.http_port), timeout=5) as connection:
        connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        assert connection.makefile("rb").readline() == b"HTTP/1.0 200 OK\r\n"
