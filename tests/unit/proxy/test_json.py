"""Messages as JSON through the real Envoy."""

import json

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from quantcloud.api.convert.options import take_json_options
from quantcloud.domain.errors import InvalidArgument
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
from unit.proxy.answers import UNSET_JOB

NOON = Timestamp(seconds=1773655200)  # 2026-03-16T10:00:00Z


def test_unset_fields_are_null_and_zeros_are_printed(gate, http):
    gate.answer("GetJob", lambda *_: Job(job_id="j"))
    assert http.get("/v1/jobs/j").json() == {**UNSET_JOB, "job_id": "j"}


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
