"""gRPC through the real Envoy."""

import asyncio
import threading

import grpc
import httpx
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from grpc_status import rpc_status

from support.api import error_json
from thequantcloud.v1.circuit_pb2 import RunCircuitRequest
from thequantcloud.v1.circuit_pb2_grpc import CircuitServiceStub
from thequantcloud.v1.job_pb2 import GetJobRequest, Job, JobEvent, WatchJobRequest
from thequantcloud.v1.job_pb2_grpc import JobServiceStub
from unit.proxy.envoys import DEADLINE
from unit.proxy.upstream import SERVICES, refuse

CIRCUITS = "thequantcloud.v1.CircuitService/RunCircuit"


@pytest.fixture
async def channel(gate):
    async with grpc.aio.insecure_channel(gate.target) as channel:
        yield channel


async def test_a_grpc_call_passes_unchanged(gate, channel):
    gate.answer("GetJob", lambda request, _: Job(job_id=request.id, backend="b"))
    metadata = (("authorization", "Bearer t"), ("x-forwarded-for", "203.0.113.9"))
    call = JobServiceStub(channel).GetJob(GetJobRequest(id="j"), metadata=metadata)
    answer = await call
    assert (answer.job_id, answer.backend) == ("j", "b")
    headers = dict(await call.initial_metadata())
    _, received = gate.last("GetJob")
    assert received["authorization"] == "Bearer t"
    assert received["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-request-id"] == received["x-request-id"]
    assert "content-security-policy" not in headers


@pytest.mark.parametrize("name", ["WatchJob", "RunAndWatch"])
async def test_a_grpc_stream_passes_event_by_event(channel, steps, name):
    if name == "WatchJob":
        call = JobServiceStub(channel).WatchJob(WatchJobRequest(id="j"))
    else:
        call = CircuitServiceStub(channel).RunAndWatch(RunCircuitRequest(qasm="q"))
    for sequence in (1, 2, 3):
        steps.send(JobEvent(sequence=sequence))
        assert (await call.read()).sequence == sequence
    steps.send(grpc.StatusCode.UNAVAILABLE)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call.read()
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE
    assert error.value.details() == "the server shuts down"


async def test_a_grpc_error_passes_with_its_details_and_metadata(gate, channel):
    async def answer(_request, context):
        info = error_details_pb2.ErrorInfo(reason="R")
        metadata = (("retry-after", "7"),)
        await refuse(context, grpc.StatusCode.NOT_FOUND, 'no "j"\n', info, metadata=metadata)

    gate.answer("GetJob", answer)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await JobServiceStub(channel).GetJob(GetJobRequest(id="j"))
    assert error.value.code() is grpc.StatusCode.NOT_FOUND
    assert error.value.details() == 'no "j"\n'
    assert dict(error.value.trailing_metadata())["retry-after"] == "7"
    assert len(rpc_status.from_call(error.value).details) == 1


@pytest.mark.parametrize(
    ("path", "details"),
    [
        ("/nobody.Knows/It", "There is no method /nobody.Knows/It."),
        ("/thequantcloud.v1.JobService/Knows", "Method not found!"),
    ],
)
async def test_an_unknown_method_is_unimplemented(channel, path, details):
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await channel.unary_unary(path)(b"")
    assert error.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert error.value.details() == details


async def test_a_deadline_of_the_client_ends_the_call_at_the_server(gate, channel):
    ended = threading.Event()

    async def answer(*_):
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    gate.answer("GetJob", answer)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await JobServiceStub(channel).GetJob(GetJobRequest(id="j"), timeout=0.1)
    assert error.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert ended.wait(DEADLINE)


async def test_health_and_reflection_are_reachable(gate, channel):
    health = health_pb2_grpc.HealthStub(channel)
    answer = await health.Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    watch = health.Watch(health_pb2.HealthCheckRequest())
    assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
    watch.cancel()

    def reflected():
        with grpc.insecure_channel(gate.target) as plain:
            return set(ProtoReflectionDescriptorDatabase(plain).get_services())

    services = await asyncio.to_thread(reflected)
    assert services == {service.full_name for service in SERVICES} | {
        "grpc.reflection.v1alpha.ServerReflection"
    }


@pytest.mark.parametrize("path", ["grpc.health.v1.Health/Check", CIRCUITS])
@pytest.mark.parametrize("kind", ["application/json", "application/grpc+json", "application/grpcx"])
def test_content_other_than_protobuf_on_a_grpc_path_is_415(gate, path, kind):
    with httpx.Client() as client:
        answer = client.post(
            f"{gate.url}/{path}", content=b"{}", headers={"Content-Type": kind, "TE": "trailers"}
        )
    assert answer.status_code == 415
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == error_json(
        "Content-Type: must be application/grpc here, with messages of protobuf."
    )


@pytest.mark.parametrize(
    ("method", "header", "status", "message"),
    [
        ("PUT", {}, "12", "A call is a POST request."),
        ("GET", {}, "12", "A call is a POST request."),
        ("POST", {"grpc-encoding": "br"}, "12",
         "grpc-encoding: must be identity, deflate or gzip."),
        ("POST", {"grpc-timeout": "soon"}, "3",
         "grpc-timeout: must be up to 8 digits and a unit, such as 500m for 500 ms."),
        ("POST", {"content-encoding": "gzip"}, "3",
         "Content-Encoding: messages are compressed by grpc-encoding."),
    ],
)  # fmt: skip
def test_a_call_that_the_server_would_abort_is_refused(gate, method, header, status, message):
    headers = {"Content-Type": "application/grpc", **header}
    with httpx.Client() as client:
        answer = client.request(method, f"{gate.url}/{CIRCUITS}", headers=headers)
    assert (answer.headers["grpc-status"], answer.headers["grpc-message"]) == (status, message)
    assert gate.upstream.requests == []


@pytest.mark.parametrize(("size", "number"), [(13_000, 1), (60_000, 1), (300, 150), (1, 400)])
async def test_metadata_that_is_too_large_is_resource_exhausted(gate, size, number):
    metadata = [(f"x-{n}", "x" * size) for n in range(number)]
    async with grpc.aio.insecure_channel(gate.target) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await JobServiceStub(channel).GetJob(GetJobRequest(id="j"), metadata=metadata)
    assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error.value.details() == (
        "The metadata is too large: it may have 12 KiB in all, with 32 bytes more for each."
    )
