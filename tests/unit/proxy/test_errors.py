"""Errors over REST: the server's and Envoy's have the same shape."""

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from thequantcloud.v1 import job_pb2, job_pb2_grpc
from unit.proxy.answers import check
from unit.proxy.upstream import refuse


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, 400),
        (grpc.StatusCode.FAILED_PRECONDITION, 400),
        (grpc.StatusCode.UNAUTHENTICATED, 401),
        (grpc.StatusCode.PERMISSION_DENIED, 403),
        (grpc.StatusCode.NOT_FOUND, 404),
        (grpc.StatusCode.ALREADY_EXISTS, 409),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 429),
        (grpc.StatusCode.INTERNAL, 500),
        (grpc.StatusCode.UNAVAILABLE, 503),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 504),
    ],
)
@pytest.mark.parametrize("path", ["/v1/jobs/j", "/v1/jobs/j/events"])
def test_an_error_of_the_server(gate, http, code, status, path):
    message = f'{code}: "quoted" \\ back\nline ü \U0001f600 </script>'
    details = (
        error_details_pb2.ErrorInfo(reason="R", domain="d", metadata={"id": '"x"'}),
        error_details_pb2.BadRequest(
            field_violations=[{"field": "qasm", "description": "no"}]
        ),
        error_details_pb2.RetryInfo(retry_delay={"seconds": 2}),
    )  # fmt: skip

    async def answer(_request, context):
        await refuse(context, code, message, *details)

    async def stream(_request, context):
        await refuse(context, code, message, *details)
        yield

    gate.answer("GetJob", answer)
    gate.answer("WatchJob", stream)
    got = http.get(path)
    assert check(got, status) == message
    assert got.json().keys() == {"detail", "error", "details"}
    info, bad_request, retry = got.json()["details"]
    prefix = "type.googleapis.com/google.rpc."
    assert info == {
        "@type": f"{prefix}ErrorInfo", "reason": "R", "domain": "d", "metadata": {"id": '"x"'},
    }  # fmt: skip
    assert bad_request["@type"] == f"{prefix}BadRequest"
    [violation] = bad_request["field_violations"]
    assert {"field": "qasm", "description": "no"}.items() <= violation.items()
    assert retry == {"@type": f"{prefix}RetryInfo", "retry_delay": "2s"}
    assert got.headers.get("retry-after") == ("1" if status == 503 else None)


def test_an_error_without_details(gate, http):
    async def answer(_request, context):
        await context.abort(grpc.StatusCode.NOT_FOUND, 'no "job"')

    gate.answer("GetJob", answer)
    got = http.get("/v1/jobs/j")
    assert check(got, 404) == 'no "job"'
    assert got.json()["details"] == []


def test_details_that_envoy_does_not_know_are_the_only_loss(gate, http):
    async def unknown(_request, context):
        status = status_pb2.Status(code=5, message='a "b" %41 ü\n')
        status.details.add(type_url="type.googleapis.com/nobody.Knows", value=b"\x08\x01")
        metadata = (("grpc-status-details-bin", status.SerializeToString()),)
        await context.abort(grpc.StatusCode.NOT_FOUND, status.message, metadata)

    gate.answer("GetJob", unknown)
    assert check(http.get("/v1/jobs/j"), 404) == 'a "b" %41 ü\n'


@pytest.mark.parametrize("given", [None, 'Bearer realm="q", error="invalid_token"'])
def test_401_says_how_to_authenticate(gate, http, given):
    metadata = (("www-authenticate", given),) if given else ()

    async def answer(_request, context):
        await refuse(context, grpc.StatusCode.UNAUTHENTICATED, "no", metadata=metadata)

    gate.answer("GetJob", answer)
    got = http.get("/v1/jobs/j")
    check(got, 401)
    assert got.headers["www-authenticate"] == given or 'Bearer realm="thequantcloud"'


def test_an_error_of_the_server_is_not_counted_again(gate, http):
    async def answer(_request, context):
        await refuse(context, grpc.StatusCode.INVALID_ARGUMENT, "no")

    gate.answer("RunCircuit", answer)
    assert check(http.post("/v1/circuits/run", json={}), 400) == "no"
    assert gate.upstream.refused == []


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/nope?secret=1", "/nope"),
        ("/v2/jobs", "/v2/jobs"),
        ("/v1/jobs/", "/v1/jobs/"),
        ("/v1/jobs/j/", "/v1/jobs/j/"),
        ("/v1/jobs/j/more", "/v1/jobs/j/more"),
        ("/v1/backends/a/../../../etc/passwd", "/etc/passwd"),
        ("/thequantcloud.v1.JobService/GetJob", "/thequantcloud.v1.JobService/GetJob"),
        ("/" + "x" * 500, "/" + "x" * 199),
    ],
)
def test_an_unknown_path_is_404_and_named(gate, http, path, shown):
    assert check(http.get(path), 404) == (
        f"There is nothing at {shown}. The API is at /health and below /v1, as in GET /v1/backends."
    )
    assert gate.upstream.requests == []


def test_a_call_that_the_server_cancels_is_503(gate, http):
    async def answer(_request, context):
        await refuse(context, grpc.StatusCode.CANCELLED, "CANCELLED")

    gate.answer("GetJob", answer)
    refused = http.get("/v1/jobs/j")
    assert check(refused, 503) == "The service cannot answer at the moment. Try again."
    assert refused.headers["retry-after"] == "1"
    with grpc.insecure_channel(gate.target) as channel:
        jobs = job_pb2_grpc.JobServiceStub(channel)
        with pytest.raises(grpc.RpcError) as error:
            jobs.GetJob(job_pb2.GetJobRequest(id="j"))
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE
    assert error.value.details() == "The service cannot answer at the moment. Try again."
