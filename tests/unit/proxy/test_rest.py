"""REST through the real Envoy: routes, statuses, JSON, headers."""

import json
import re
import socket

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from quantcloud.api.convert.options import take_json_options
from quantcloud.domain.errors import InvalidArgument
from support.api import error_json
from thequantcloud.v1.account_pb2 import GetUsageResponse, MonthlyUsage, Tier, TierLimits
from thequantcloud.v1.backend_pb2 import Backend
from thequantcloud.v1.circuit_pb2 import RunCircuitResponse
from thequantcloud.v1.job_pb2 import (
    Job,
    JobResult,
    ListJobsResponse,
    Optimization,
    Statevector,
    Wait,
)
from thequantcloud.v1.run_options_pb2 import RunOptions
from thequantcloud.v1.status_pb2 import GetStatusResponse
from unit.proxy.upstream import OVER_REST, refuse

CREATED = {
    "CreateApiKey": 201, "CreateCircuit": 201, "CreateWatchTicket": 201, "RunCircuit": 202,
    "RunCircuits": 202,
}  # fmt: skip
ORIGIN = "https://studio.example"
NOON = Timestamp(seconds=1773655200)  # 2026-03-16T10:00:00Z


def rule(method):
    options = method.GetOptions().ListFields()
    http = next(value for option, value in options if option.name == "http")
    verb = http.WhichOneof("pattern")
    return verb.upper(), getattr(http, verb)


ROUTES = [(*rule(method), method.name) for method in OVER_REST]
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


@pytest.mark.parametrize(
    ("name", "value"),
    [("grpc-timeout", "x"), ("grpc-encoding", "none-such"), ("some-bin", "*"), ("x-bin", "\xff")],
)
def test_grpc_headers_are_ignored_over_rest(gate, http, name, value):
    answer = http.get("/health", headers={name: value.encode("latin-1")})
    assert answer.status_code == 200
    assert name not in gate.last("GetHealth")[1]


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


def test_unset_fields_are_null_and_zeros_are_printed(gate, http):
    gate.answer("GetJob", lambda *_: Job(job_id="j"))
    assert http.get("/v1/jobs/j").json() == {
        "job_id": "j",
        "status": "unspecified",
        "backend": None,
        "shots": 0,
        "optimize_for": "unspecified",
        "submitted_at": None,
        "started_at": None,
        "completed_at": None,
        "error_message": None,
        "metadata": None,
        "batch_id": None,
        "name": None,
        "tags": [],
        "estimated_start_at": None,
        "wait_reason": None,
    }


def test_set_fields_are_printed_once_and_not_null(gate, http):
    def answer(*_):
        job = Job(
            job_id="j", status=Job.completed, backend="aer_simulator", shots=1024,
            optimize_for=Optimization.accuracy, submitted_at=NOON, started_at=NOON,
            completed_at=NOON, error_message="", batch_id="b", name="n", tags=["t"],
            estimated_start_at=NOON, wait_reason=Wait.memory, options=RunOptions(seed=2**53 - 1),
        )  # fmt: skip
        job.metadata.SetInParent()
        return job

    gate.answer("GetJob", answer)
    text = http.get("/v1/jobs/j").text
    pairs = json.loads(text, object_pairs_hook=list)
    assert len(pairs) == len(dict(pairs)) == 16
    assert json.loads(text) == {
        "job_id": "j",
        "status": "completed",
        "backend": "aer_simulator",
        "shots": 1024,
        "optimize_for": "accuracy",
        "submitted_at": "2026-03-16T10:00:00Z",
        "started_at": "2026-03-16T10:00:00Z",
        "completed_at": "2026-03-16T10:00:00Z",
        "error_message": "",
        "metadata": {},
        "batch_id": "b",
        "name": "n",
        "tags": ["t"],
        "estimated_start_at": "2026-03-16T10:00:00Z",
        "wait_reason": "memory",
        # A number, though protobuf's JSON has a text for 64 bits.
        "options": {
            "seed": 2**53 - 1,
            **dict.fromkeys(("statevector", "memory", "noise", "timeout_seconds")),
        },
    }


def test_counts_are_numbers_and_empty_maps_and_lists_are_printed(gate, http):
    def answer(*_):
        result = JobResult(job_id="j", counts={"00": 4294967295}, execution_time_ms=145.2)
        result.metadata.update({"num_qubits": 2, "memory": ["00"], "method": None})
        return result

    gate.answer("GetJobResult", answer)
    assert http.get("/v1/jobs/j/result").json() == {
        "job_id": "j",
        "counts": {"00": 4294967295},
        "probabilities": {},
        "statevector": None,
        "execution_time_ms": 145.2,
        "backend": "",
        "metadata": {"num_qubits": 2, "memory": ["00"], "method": None},
    }
    gate.answer("GetJobResult", lambda *_: JobResult(statevector=Statevector(real=[0, 1])))
    answer = http.get("/v1/jobs/j/result").json()
    assert answer["statevector"] == {"real": [0, 1], "imag": []}
    assert answer["counts"] == {}


def test_nulls_are_printed_in_lists_and_nested_messages(gate, http):
    gate.answer(
        "ListJobs",
        lambda *_: ListJobsResponse(jobs=[Job(job_id="a", backend="x"), Job(job_id="b")], total=2),
    )
    answer = http.get("/v1/jobs").json()
    assert [job["backend"] for job in answer["jobs"]] == ["x", None]
    assert {k: v for k, v in answer.items() if k != "jobs"} == {
        "next_page_token": None, "count": 0, "total": 2, "limit": 0, "offset": 0,
    }  # fmt: skip
    gate.answer("ListJobs", lambda *_: ListJobsResponse())
    assert http.get("/v1/jobs").json()["jobs"] == []

    gate.answer(
        "GetUsage",
        lambda *_: GetUsageResponse(
            tier=Tier.enterprise,
            current_month=MonthlyUsage(qpu_limit=0),
            limits=TierLimits(max_shots=1),
            qpu_tasks_limit=0,
        ),
    )
    assert http.get("/v1/account/usage").json() == {
        "tier": "enterprise",
        "credits_remaining_usd": 0,
        "current_month": {
            "simulator_minutes": 0,
            "simulator_limit": None,
            "qpu_tasks": 0,
            "qpu_limit": 0,
            "total_jobs": 0,
            "total_cost_usd": 0,
        },
        "limits": {
            "max_shots": 1, "max_qubits": 0, "max_concurrent_jobs": 0, "api_keys_limit": 0,
            "max_points": 0,
        },
        "simulator_minutes_used": 0,
        "simulator_minutes_limit": None,
        "qpu_tasks_used": 0,
        "qpu_tasks_limit": 0,
    }  # fmt: skip


def test_enums_in_maps_are_words(gate, http):
    gate.answer("GetStatus", lambda *_: GetStatusResponse(backends={"a": Backend.online}))
    assert http.get("/v1/status").json()["backends"] == {"a": "online"}


def test_a_request_arrives_as_it_was_sent(gate, http):
    gate.answer("RunCircuit", lambda *_: RunCircuitResponse(job_id="j", status=Job.submitted))
    answer = http.post(
        "/v1/circuits/run",
        json={
            "qasm": 'OPENQASM 2.0;\ninclude "qelib1.inc";',
            "circuit_qasm": "é\u0000\U0001f600",
            "shots": -5,
            "backend": None,
            "optimize_for": "quality",
            "max_cost_usd": 1,
            "min_fidelity": 0.5,
            "options": {"seed": 1, "noise": {"readout": "x"}},
        },
    )
    assert answer.status_code == 202
    assert answer.json() == {
        "job_id": "j",
        "status": "submitted",
        "backend": None,
        "shots": 0,
        "optimize_for": "unspecified",
        "submitted_at": None,
    }
    request, _ = gate.last("RunCircuit")
    assert request.qasm == 'OPENQASM 2.0;\ninclude "qelib1.inc";'
    assert request.circuit_qasm == "é\u0000\U0001f600"
    assert request.shots == -5
    assert not request.HasField("backend")
    assert request.optimize_for == Optimization.accuracy
    assert (request.max_cost_usd, request.min_fidelity) == (1, 0.5)
    # As in the JSON, so that the server explains what is wrong.
    assert not request.HasField("options")
    with pytest.raises(InvalidArgument, match=r"options.noise.readout: must be a number"):
        take_json_options(request)


def test_query_parameters_arrive(gate, http):
    http.get(
        "/v1/jobs?limit=-1&offset=5&status=completed&status_filter=failed&status=queued"
        "&submitted_after=2026-03-16T11:00:00.5%2B01:00"
    )
    request, _ = gate.last("ListJobs")
    assert (request.limit, request.offset) == (-1, 5)
    assert request.status == [Job.completed, Job.queued]
    assert request.status_filter == Job.failed
    assert request.submitted_after.ToJsonString() == "2026-03-16T10:00:00.500Z"
    http.get("/v1/jobs")
    request, _ = gate.last("ListJobs")
    assert not request.HasField("limit")


@pytest.mark.parametrize("key", ["id", "id_from_path"])
def test_only_the_path_names_the_resource(gate, http, key):
    cancelled = http.post("/v1/jobs/one/cancel", json={key: "two"})
    assert cancelled.json()["detail"] == f"{key}: is unknown; none is known here"
    updated = http.put("/v1/circuits/one", json={key: "two", "name": "n"})
    assert updated.json()["detail"].startswith(f"{key}: is unknown; known are name, code")
    assert gate.upstream.requests == []


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


def test_http_1_0_is_answered(gate):
    with socket.create_connection(("127.0.0.1", gate.envoy.http_port), timeout=5) as connection:
        connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
        assert connection.makefile("rb").readline() == b"HTTP/1.0 200 OK\r\n"
