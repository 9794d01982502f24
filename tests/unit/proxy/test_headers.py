"""Headers of requests and answers through the real Envoy."""

import grpc
import pytest

from thequantcloud.v1.job_pb2 import Job
from unit.proxy.upstream import refuse


@pytest.mark.parametrize(
    ("name", "value"),
    [("grpc-timeout", "x"), ("grpc-encoding", "none-such"), ("some-bin", "*"), ("x-bin", "\xff")],
)
def test_grpc_headers_are_ignored_over_rest(gate, http, name, value):
    answer = http.get("/health", headers={name: value.encode("latin-1")})
    assert answer.status_code == 200
    assert name not in gate.last("GetHealth")[1]


def test_a_success_has_http_headers_and_no_grpc_headers(gate, http):
    answer = http.get("/health")
    assert answer.headers["content-type"] == "application/json"
    assert not [name for name in answer.headers if name.startswith(("grpc", "x-envoy"))]
    assert answer.headers["server"] == "quantcloud"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["content-security-policy"] == (
        "default-src 'none'; frame-ancestors 'none'"
    )
    _, metadata = gate.last("GetHealth")
    assert answer.headers["x-request-id"] == metadata["x-request-id"]


def test_headers_that_the_server_reads_reach_it(gate, http):
    headers = {
        "Authorization": "Bearer t", "X-API-Key": "qc_live_k", "Idempotency-Key": "i",
    }  # fmt: skip
    http.get("/v1/jobs/j", headers=headers)
    _, metadata = gate.last("GetJob")
    assert {name.lower(): value for name, value in headers.items()}.items() <= metadata.items()


def test_a_client_cannot_set_headers_that_only_envoy_sets(gate, http):
    forged = {
        "X-Forwarded-For": "203.0.113.9",
        "X-Request-Id": "forged",
        "X-Envoy-Original-Path": "/forged",
        "X-Envoy-External-Address": "203.0.113.9",
        "X-Envoy-Internal": "true",
        "X-Envoy-Upstream-Rq-Timeout-Ms": "1",
        "X-Envoy-Retry-On": "5xx",
    }
    answer = http.get("/v1/jobs/j", headers=forged)
    assert answer.status_code == 200
    _, metadata = gate.last("GetJob")
    assert metadata["x-forwarded-for"] == "127.0.0.1"
    assert len(metadata["x-request-id"]) == 36
    assert {name for name in metadata if name.startswith("x-envoy")} == {
        "x-envoy-original-path", "x-envoy-original-method",
    }  # fmt: skip
    assert metadata["x-envoy-original-path"] == "/v1/jobs/j"


def test_metadata_becomes_headers(gate, http):
    async def answer(_request, context):
        await context.send_initial_metadata((("x-ratelimit-limit", "30"),))
        return Job(job_id="j")

    gate.answer("GetJob", answer)
    assert http.get("/v1/jobs/j").headers["x-ratelimit-limit"] == "30"

    async def slow_down(_request, context):
        metadata = (("retry-after", "7"), ("x-ratelimit-remaining", "0"))
        await refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "slow", metadata=metadata)

    gate.answer("GetJob", slow_down)
    refused = http.get("/v1/jobs/j")
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "7"
    assert refused.headers["x-ratelimit-remaining"] == "0"


def test_preflights_and_cross_origin_requests_are_answered(gate, http):
    asked = {
        "Origin": "https://studio.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "x-api-key",
    }
    paths = (
        "/v1/circuits/run",
        "/v1/circuits/run-and-watch",
        "/thequantcloud.v1.JobService/WatchJob",
    )
    for path in paths:
        preflight = http.options(path, headers=asked)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == asked["Origin"]
        assert "PUT" in preflight.headers["access-control-allow-methods"]
        allowed = set(preflight.headers["access-control-allow-headers"].split(", "))
        assert {
            "authorization", "x-api-key", "content-type", "idempotency-key", "x-grpc-web",
            "grpc-timeout", "x-user-agent",
        } <= allowed  # fmt: skip
    answer = http.get("/v1/jobs?limit=x", headers={"Origin": "https://studio.example"})
    assert answer.headers["access-control-allow-origin"] == "https://studio.example"
    exposed = set(answer.headers["access-control-expose-headers"].split(", "))
    assert {"x-request-id", "x-ratelimit-remaining", "retry-after", "grpc-status"} <= exposed
    assert "access-control-allow-origin" not in http.get("/health").headers
    assert [name for name, *_ in gate.upstream.requests] == ["GetHealth"]
