"""Circuits with options, and calls that send them over gRPC and REST."""

from typing import Any

import grpc
import pytest
from google.protobuf.json_format import MessageToDict

from support.api import Api
from support.circuits import HEADER
from thequantcloud.v1 import circuit_pb2, job_pb2

BACKENDS = ("aer_simulator", "cirq_simulator", "local_simulator", "pennylane_simulator")


NOISY = ("aer_simulator", "cirq_simulator")


# Many outcomes are likely, so two runs rarely agree by chance.
SPREAD = HEADER + "qreg q[4];\ncreg c[4];\n" + "".join(
    f"ry({0.7 + 0.4 * q}) q[{q}];\n" for q in range(4)
) + "cx q[0],q[2];\nmeasure q -> c;\n"  # fmt: skip


MIDWAY = (
    HEADER + "qreg q[1];\ncreg c[2];\nh q[0];\nmeasure q[0]->c[0];\nh q[0];\nmeasure q[0]->c[1];"
)


def result(api: Api, qasm: str, backend: str, shots: int = 500, **options: Any) -> dict[str, Any]:
    """Run over gRPC; return the result as JSON."""
    job = api.run(qasm, backend=backend, shots=shots, options=options)
    last = api.finish(job)
    assert last.job.status == job_pb2.Job.completed, last.job.error_message
    return MessageToDict(last.result, preserving_proto_field_name=True)


def rest_result(api: Api, qasm: str, backend: str, shots: int, **options: Any) -> dict[str, Any]:
    body = {"qasm": qasm, "backend": backend, "shots": shots, "options": options}
    submitted = api.rest("POST", "/v1/circuits/run", body)
    assert submitted.status_code == 202, submitted.text
    job = submitted.json()["job_id"]
    api.finish(job)
    return api.rest("GET", f"/v1/jobs/{job}/result").json()


def assert_refused(api: Api, says: str, qasm: str, backend: str | None, **options: Any) -> None:
    """Assert that run and plan are refused with the same message over gRPC and REST."""
    request = circuit_pb2.RunCircuitRequest(qasm=qasm, backend=backend, options=options)
    for call in (api.circuits.RunCircuit, api.circuits.PlanCircuit):
        with pytest.raises(grpc.RpcError) as refused:
            call(request, metadata=api.metadata)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert says in refused.value.details()
    assert_refused_over_rest(api, says, qasm, backend, options)


def assert_refused_over_rest(
    api: Api, says: str, qasm: str, backend: str | None, options: dict[str, Any]
) -> None:
    body = {"qasm": qasm, "options": options} | ({"backend": backend} if backend else {})
    for path in ("/v1/circuits/run", "/v1/circuits/plan"):
        response = api.rest("POST", path, body)
        assert response.status_code == 400, response.text
        assert says in response.json()["detail"]
