"""Bodies, answers and messages of the greatest size, and slightly larger ones."""

import json

import grpc
import httpx
import pytest

from support.api import error_json
from thequantcloud.v1.circuit_pb2 import RunCircuitRequest, RunCircuitResponse
from thequantcloud.v1.circuit_pb2_grpc import CircuitServiceStub
from thequantcloud.v1.job_pb2 import GetJobResultRequest, JobResult
from thequantcloud.v1.job_pb2_grpc import JobServiceStub
from unit.proxy.upstream import gate as make_gate
from unit.proxy.upstream import use_template

LIMIT = 8 * 1024 * 1024
CHUNK = 64 * 1024
OUTCOMES = 100_000
QUBITS = 30


def body_of(size):
    """Return a request of exactly `size` bytes."""
    frame = b'{"qasm":""}'
    return frame[:9] + b"h" * (size - len(frame)) + frame[9:]


def chunks(body):
    for start in range(0, len(body), CHUNK):
        yield body[start : start + CHUNK]


@pytest.fixture
def measured(gate):
    gate.answer("RunCircuit", lambda request, _: RunCircuitResponse(shots=len(request.qasm)))


@pytest.mark.usefixtures("measured")
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_at_the_limit_arrives_complete(http, chunked):
    body = body_of(LIMIT)
    answer = http.post("/v1/circuits/run", content=chunks(body) if chunked else body)
    assert answer.status_code == 202
    assert answer.json()["shots"] == LIMIT - 11


@pytest.mark.parametrize("excess", [1, 5_000_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_beyond_the_limit_is_413(gate, http, excess, chunked):
    body = body_of(LIMIT + excess)
    answer = http.post("/v1/circuits/run", content=chunks(body) if chunked else body)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/json"
    assert "x-request-id" in answer.headers
    assert answer.json() == error_json("The body is too large: it may have 8388608 bytes.")
    assert gate.upstream.requests == []


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_whose_answer_is_a_watch_has_a_separate_limit(gate, http, chunked):
    path, limit = "/v1/circuits/run-and-watch", 1024 * 1024
    body = body_of(limit)
    answer = http.post(path, content=chunks(body) if chunked else body)
    assert answer.status_code == 200
    assert len(gate.last("RunAndWatch")[0].qasm) == limit - 11
    gate.upstream.requests.clear()
    body = body_of(limit + 1)
    answer = http.post(path, content=chunks(body) if chunked else body)
    assert answer.status_code == 413
    assert answer.json() == error_json(
        "The body is too large: it may have 1048576 bytes here. Longer ones go to /v1/circuits/run."
    )
    assert gate.upstream.requests == []


def test_a_body_that_is_too_large_after_decoding_is_413(http):
    content = {"name": "n", "metadata": {"a": [1] * 900_000}, "qasm": "x" * 2_000_000}
    body = json.dumps(content, separators=(",", ":")).encode()
    assert len(body) < LIMIT
    answer = http.post("/v1/circuits", content=body)
    assert answer.status_code == 413
    assert answer.json() == error_json("body: is too large once it is decoded")


def result(*_):
    names = [format(number, f"0{QUBITS}b") for number in range(OUTCOMES)]
    return JobResult(
        counts=dict.fromkeys(names, 1), probabilities=dict.fromkeys(names, 1 / OUTCOMES)
    )


def test_a_result_with_many_outcomes_arrives_complete(gate, http):
    gate.answer("GetJobResult", result)
    answer = http.get("/v1/jobs/j/result")
    assert len(answer.content) > 7_000_000
    counts = answer.json()["counts"]
    assert len(counts) == OUTCOMES
    assert set(counts.values()) == {1}


@pytest.mark.usefixtures("measured")
async def test_grpc_messages_of_the_greatest_size_pass(gate):
    gate.answer("GetJobResult", result)
    options = [("grpc.max_receive_message_length", -1)]
    async with grpc.aio.insecure_channel(gate.target, options=options) as channel:
        circuits, jobs = CircuitServiceStub(channel), JobServiceStub(channel)
        answer = await circuits.RunCircuit(RunCircuitRequest(qasm="h" * LIMIT))
        assert answer.shots == LIMIT
        assert len((await jobs.GetJobResult(GetJobResultRequest(id="j"))).counts) == OUTCOMES
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await circuits.RunCircuit(RunCircuitRequest(qasm="h" * (2 * LIMIT)))
        assert error.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_size_limits_are_settings(tmp_path):
    with (
        make_gate(tmp_path, max_body_bytes=1000) as gate,
        httpx.Client(base_url=gate.url) as http,
    ):
        assert http.post("/v1/circuits/run", content=body_of(1000)).status_code == 202
        refused = http.post("/v1/circuits/run", content=body_of(1001))
        assert refused.status_code == 413
        assert refused.json() == error_json("The body is too large: it may have 1000 bytes.")
        refused = http.post("/v1/circuits/run-and-watch", content=body_of(1001))
        assert "may have 1000 bytes here" in refused.json()["detail"]


def test_an_answer_that_is_too_large_is_500(tmp_path, monkeypatch):
    use_template(monkeypatch, tmp_path, "body_size: 134217728", "body_size: 100000")
    with make_gate(tmp_path) as gate, httpx.Client(base_url=gate.url) as http:
        gate.answer("GetJobResult", result)
        too_large = http.get("/v1/jobs/j/result")
        assert too_large.status_code == 500
        assert too_large.headers["content-type"] == "application/json"
        request_id = too_large.headers["x-request-id"]
        assert too_large.json() == error_json(f"Internal error. Request id: {request_id}")
