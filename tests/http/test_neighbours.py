"""Nothing that one caller sends affects another."""

import grpc
import httpx
import pytest

from support.api import Api
from support.circuits import BELL, slow
from support.server import Server
from thequantcloud.v1 import circuit_pb2, job_pb2, job_pb2_grpc, status_pb2, status_pb2_grpc


def test_a_refusal_of_a_huge_value_closes_no_other_stream(server: Server, ada: Api):
    """Errors travel in headers, and too large headers close the connection to Envoy."""
    job = ada.run(slow(), backend="aer_simulator", shots=1)
    events = ada.events(f"/v1/jobs/{job}/events?after_sequence=0")
    for event in events:
        if event.job.status == job_pb2.Job.running:
            break
    with grpc.insecure_channel(server.endpoints.http.removeprefix("http://")) as through_envoy:
        jobs = job_pb2_grpc.JobServiceStub(through_envoy)
        for character in ("x", "\u00e9", "\U0001f600"):
            huge = job_pb2.GetJobRequest(id=character * 200_000)
            with pytest.raises(grpc.RpcError) as refused:
                jobs.GetJob(huge, metadata=ada.metadata)
            assert refused.value.code() is grpc.StatusCode.NOT_FOUND
            assert len(refused.value.details() or "") < 1100
    for field in ({"backend": "x" * 100_000}, {"options": {"x" * 60_000: 1}}):
        assert ada.rest("POST", "/v1/circuits/run", {"qasm": BELL, **field}).status_code == 400
    ada.jobs.CancelJob(job_pb2.CancelJobRequest(id=job), metadata=ada.metadata)
    *_, last = events
    assert last.job.status == job_pb2.Job.cancelled


def test_an_unreadable_header_breaks_no_other_call(server: Server):
    """Envoy shares connections between clients, and HTTP/2 tables keep names of headers."""
    address = server.endpoints.http.removeprefix("http://")
    path = f"http://{address}/thequantcloud.v1.StatusService/GetHealth"
    for _ in range(20):  # more than the number of Envoy's connections
        wrong = {"content-type": "application/grpc", "x-trace-bin": "!"}
        got = httpx.post(path, content=bytes(5), headers=wrong)
        assert got.headers["grpc-status"] == "13"
        with grpc.insecure_channel(address) as channel:
            status_pb2_grpc.StatusServiceStub(channel).GetHealth(
                status_pb2.GetHealthRequest(), metadata=(("x-trace-bin", b"1"),)
            )


def test_requests_that_would_block_the_server_are_refused(ada: Api):
    many = [{}] * 100_000
    for path, body, says in [
        (
            "/v1/circuits",
            {"name": "n", "qasm": BELL, "metadata": {"a": many}},
            "the maximum is 65536",
        ),
        ("/v1/circuits/run", {"qasm": BELL, "options": {"a": many}}, "options.a: is unknown"),
    ]:
        refused = ada.rest("POST", path, body)
        assert refused.status_code == 400
        assert says in refused.json()["detail"]
    large = ada.rest("POST", "/v1/circuits", {"name": "n", "qasm": BELL + "//" + "x" * 600_000})
    assert large.status_code == 400
    assert "the maximum is 524288" in large.json()["detail"]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_json_cannot_express_are_refused(ada: Api, number: float):
    request = circuit_pb2.RunCircuitRequest(qasm=BELL, options={"timeout_seconds": number})
    with pytest.raises(grpc.RpcError) as refused:
        ada.circuits.RunCircuit(request, metadata=ada.metadata)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details() == "options.timeout_seconds: must be a finite number"


def test_a_changed_circuit_is_checked_like_a_new_one(ada: Api):
    made = ada.rest("POST", "/v1/circuits", {"name": "n", "qasm": BELL}).json()
    path = f"/v1/circuits/{made['id']}"
    assert ada.rest("PUT", path, {"qasm": ""}).status_code == 400
    wider = BELL.replace("[2]", "[3]")
    assert ada.rest("PUT", path, {"qasm": wider}).json()["num_qubits"] == 3
    assert ada.rest("PUT", path, {"name": "a\u0000b"}).status_code == 400
